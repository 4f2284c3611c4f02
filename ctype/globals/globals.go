// Package globals knows the types of a kernel's global variables. BTF has only
// the per-CPU ones; for others there is a table of C declarations, each offered
// only to a kernel that has the types in it.
package globals

import (
	"iter"
	"strings"

	"github.com/kinquest/inquest/ctype"
	"github.com/kinquest/inquest/ctype/cdecl"
)

// Source adds the table's variables to another source of types. It is immutable,
// and safe for concurrent use if that source is.
type Source struct {
	types ctype.Source
	decls map[string]string // alternatives by name, separated by " | "
}

// New puts the table on top of a kernel's types.
func New(types ctype.Source) *Source {
	s := &Source{types: types, decls: make(map[string]string, strings.Count(table, "\n"))}
	for line := range strings.Lines(table) {
		if name, decl, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			s.decls[name] = decl
		}
	}
	return s
}

// Find implements ctype.Source. A variable that the other source knows keeps the
// type it has there.
func (s *Source) Find(kind ctype.Kind, name string) (ctype.Type, error) {
	t, err := s.types.Find(kind, name)
	if err == nil || kind != ctype.VarKind {
		return t, err
	}
	if t, ok := s.declared(name); ok {
		return t, nil
	}
	return nil, err
}

// Enumerator implements ctype.EnumSource, by what the other source has.
func (s *Source) Enumerator(name string) (ctype.EnumValue, *ctype.Enum, error) {
	if es, ok := s.types.(ctype.EnumSource); ok {
		return es.Enumerator(name)
	}
	return ctype.EnumValue{}, nil, &ctype.LookupError{In: "types of this kernel", Tried: []string{"enumerator " + name}}
}

// declared gives the first of a variable's alternatives whose types exist.
func (s *Source) declared(name string) (ctype.Type, bool) {
	alternatives, ok := s.decls[name]
	if !ok {
		return nil, false
	}
	for decl := range strings.SplitSeq(alternatives, " | ") {
		if t, err := cdecl.Parse(s.types, decl); err == nil {
			return t, true
		}
	}
	return nil, false
}

// Declared gives the variables of the table whose types this kernel has, in no
// particular order.
func (s *Source) Declared() iter.Seq2[string, ctype.Type] {
	return func(yield func(string, ctype.Type) bool) {
		for name := range s.decls {
			if t, ok := s.declared(name); ok && !yield(name, t) {
				return
			}
		}
	}
}

package layout

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/kinquest/inquest/ctype"
)

// Bind fills the Fields, Sizes and Enums of the struct that dst points to, and
// of plain structs within it, from their tags. Alternatives are tried from left
// to right. Every member without ",optional" that src lacks is reported as a
// *ctype.LookupError, all of them joined, and the others are bound all the
// same. A bad tag is a *TagError, and nothing is bound.
func Bind(src ctype.Source, dst any) error {
	slots, err := collect(dst)
	if err != nil {
		return err
	}
	var missed []error
	for _, s := range slots {
		if err := s.bind(src); err != nil && !s.Optional {
			missed = append(missed, err)
		}
	}
	return errors.Join(missed...)
}

// TagError is a mistake in the Go struct handed to Bind, not in the kernel's types.
type TagError struct {
	Field string // "fields.Comm"
	What  string
}

func (e *TagError) Error() string { return fmt.Sprintf("layout: %s: %s", e.Field, e.What) }

// Entry is one tag of a struct for Bind.
type Entry struct {
	Field    string   // Go name: "fields.Comm"
	Kind     string   // "member", "size" or "enumerator"
	Names    []string // alternatives, newest kernel's first
	Optional bool
}

// Manifest lists the tags of structs for Bind, so that a test can try each
// against the types of many kernels. The error is a *TagError.
func Manifest(dst ...any) ([]Entry, error) {
	var out []Entry
	for _, d := range dst {
		slots, err := collect(d)
		if err != nil {
			return nil, err
		}
		for _, s := range slots {
			out = append(out, s.Entry)
		}
	}
	return out, nil
}

// slot is one tagged field: to is a *Field, *Size or *Enum.
type slot struct {
	Entry
	to any
}

var fieldType, sizeType, enumType = reflect.TypeFor[Field](), reflect.TypeFor[Size](), reflect.TypeFor[Enum]()

// collect reads the tags of the struct that dst points to.
func collect(dst any) ([]slot, error) {
	v := reflect.ValueOf(dst)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return nil, &TagError{fmt.Sprintf("%T", dst), "want a pointer to a struct"}
	}
	return walk(nil, v.Elem(), v.Elem().Type().Name())
}

func walk(slots []slot, v reflect.Value, name string) ([]slot, error) {
	for i := range v.NumField() {
		sf := v.Type().Field(i)
		full := strings.TrimPrefix(name+"."+sf.Name, ".")
		tag, tagged := sf.Tag.Lookup("k")
		kind := map[reflect.Type]string{fieldType: "member", sizeType: "size", enumType: "enumerator"}[sf.Type]
		switch {
		case kind == "" && tagged:
			return nil, &TagError{full, fmt.Sprintf("a %s cannot have a k tag", sf.Type)}
		case kind == "" && sf.Type.Kind() == reflect.Struct && (sf.IsExported() || sf.Anonymous):
			var err error
			if slots, err = walk(slots, v.Field(i), full); err != nil {
				return nil, err
			}
		case kind == "":
		case !tagged:
			return nil, &TagError{full, "no k tag"}
		case !v.Field(i).CanSet():
			return nil, &TagError{full, "not exported, so it cannot be filled"}
		default:
			e, err := parseTag(full, kind, tag)
			if err != nil {
				return nil, err
			}
			slots = append(slots, slot{e, v.Field(i).Addr().Interface()})
		}
	}
	return slots, nil
}

// parseTag reads "a.b|c.d,optional".
func parseTag(field, kind, tag string) (Entry, error) {
	names, option, has := strings.Cut(tag, ",")
	if has && option != "optional" {
		return Entry{}, &TagError{field, fmt.Sprintf("unknown option %q", option)}
	}
	e := Entry{Field: field, Kind: kind, Names: strings.Split(names, "|"), Optional: has}
	for _, n := range e.Names {
		if n == "" || strings.TrimSpace(n) != n || strings.HasPrefix(n, ".") || strings.HasSuffix(n, ".") {
			return Entry{}, &TagError{field, fmt.Sprintf("bad name %q in tag %q", n, tag)}
		}
		if dotted := strings.Contains(n, "."); dotted != (kind == "member") {
			return Entry{}, &TagError{field, fmt.Sprintf("%q does not name a %s", n, kind)}
		}
	}
	return e, nil
}

// bind looks the names of a slot up and fills what it points to.
func (s *slot) bind(src ctype.Source) error {
	for _, name := range s.Names {
		if s.bindName(src, name) {
			return nil
		}
	}
	tried := slices.Clone(s.Names)
	switch to := s.to.(type) {
	case *Field:
		*to = Field{tried: tried}
	case *Size:
		*to = Size{tried: tried}
	case *Enum:
		*to = Enum{tried: tried}
	}
	return missing(tried)
}

// bindName fills the slot from one alternative, and says whether src has it.
func (s *slot) bindName(src ctype.Source, name string) bool {
	switch to := s.to.(type) {
	case *Field:
		root, path, _ := strings.Cut(name, ".")
		t, err := find(src, root)
		if err != nil {
			return false
		}
		m, err := ctype.Path(t, path)
		if err == nil {
			to.set(name, m)
		}
		return err == nil
	case *Size:
		t, err := find(src, name)
		if err == nil {
			*to = Size{Name: name, Type: t, Bytes: t.Size()}
		}
		return err == nil
	case *Enum:
		es, ok := src.(ctype.EnumSource)
		if !ok {
			return false
		}
		v, _, err := es.Enumerator(name)
		if err == nil {
			*to = Enum{Name: name, Value: v.Value, ok: true}
		}
		return err == nil
	}
	return false
}

// find looks up a type as tags write it: "struct rq", "union u", or a bare name,
// which is a struct's tag, else a union's, else that of any other type. What is
// only declared does not count.
func find(src ctype.Source, name string) (ctype.Type, error) {
	kinds := []ctype.Kind{ctype.StructKind, ctype.UnionKind, ctype.AnyKind}
	if word, tag, ok := strings.Cut(name, " "); ok {
		name = tag
		switch word {
		case "struct":
			kinds = kinds[:1]
		case "union":
			kinds = kinds[1:2]
		case "enum":
			kinds = []ctype.Kind{ctype.EnumKind}
		default: // "unsigned int"
			kinds, name = []ctype.Kind{ctype.IntKind}, word+" "+tag
		}
	}
	for _, k := range kinds {
		if t, err := src.Find(k, name); err == nil {
			if _, declared := t.(*ctype.Forward); !declared {
				return t, nil
			}
		}
	}
	return nil, &ctype.LookupError{In: "types of this kernel", Tried: []string{name}}
}

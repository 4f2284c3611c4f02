package btf

import (
	"iter"

	"github.com/kinquest/inquest/ctype"
)

// kinds maps a ctype.Kind to the BTF kinds it means; AnyKind to the kinds of types.
func kinds(k ctype.Kind) uint32 {
	set := func(kinds ...uint32) (bits uint32) {
		for _, k := range kinds {
			bits |= 1 << k
		}
		return bits
	}
	switch k {
	case ctype.StructKind:
		return set(kindStruct, kindFwd)
	case ctype.UnionKind:
		return set(kindUnion, kindFwd)
	case ctype.EnumKind:
		return set(kindEnum, kindEnum64)
	case ctype.TypedefKind:
		return set(kindTypedef)
	case ctype.IntKind:
		return set(kindInt, kindFloat)
	case ctype.FuncKind:
		return set(kindFunc)
	case ctype.VarKind:
		return set(kindVar)
	}
	return set(kindStruct, kindUnion, kindFwd, kindEnum, kindEnum64, kindTypedef, kindInt, kindFloat)
}

// Find implements ctype.Source. Where types share a name it takes the largest
// definition, and of these the one of the lowest id; a module's own before its
// base's. Integers are found by all of their spellings.
func (s *Spec) Find(kind ctype.Kind, name string) (ctype.Type, error) {
	id := s.best(kind, name)
	if id == 0 && (kind == ctype.IntKind || kind == ctype.AnyKind) {
		for _, n := range ctype.Spellings(name)[1:] {
			if id == 0 {
				id = s.best(kind, n)
			}
		}
	}
	if id == 0 {
		return nil, &ctype.LookupError{In: s.what(), Tried: []string{describe(kind) + name}}
	}
	return s.Type(id)
}

// best is the id that Find chooses, 0 for none.
func (s *Spec) best(kind ctype.Kind, name string) (best uint32) {
	bestRank := uint64(0)
	for at := s; at != nil && bestRank <= incomplete; at = at.base {
		for id := range at.ids(name) {
			if r := at.rank(id, kind); r > bestRank {
				best, bestRank = id, r
			}
		}
	}
	return best
}

// The ranks of types that share a name: what is only declared comes last, then
// sizes decide; the kinds of AnyKind come in the order struct, union, enum,
// typedef, base type.
const (
	incomplete  = 1
	rankTypedef = 1<<32 + 1
	rankEnum    = 1<<32 + 2
	rankUnion   = 2 << 32
	rankStruct  = 4 << 32
)

// rank orders the types that share a name, higher first; 0 is none of that kind.
func (s *Spec) rank(id uint32, kind ctype.Kind) uint64 {
	rec := s.record(id)
	k := rec.kind()
	if k > kindEnum64 || kinds(kind)>>k&1 == 0 {
		return 0
	}
	switch k {
	case kindFwd:
		if kind == ctype.AnyKind || rec.flag() == (kind == ctype.UnionKind) {
			return incomplete
		}
		return 0
	case kindStruct:
		return rankStruct + uint64(rec.arg)
	case kindUnion:
		return rankUnion + uint64(rec.arg)
	case kindEnum, kindEnum64:
		if rec.vlen() == 0 { // a declaration without enumerators
			return incomplete
		}
		return rankEnum
	case kindTypedef:
		return rankTypedef
	}
	return incomplete + 1
}

// All gives every type of that name and kind, of a module before those of its
// base, each in the order of ids. Distribution kernels hold several structs of
// one tag, from different C files; types that cannot be decoded are left out.
func (s *Spec) All(kind ctype.Kind, name string) []ctype.Type {
	var out []ctype.Type
	for at := s; at != nil; at = at.base {
		for id := range at.ids(name) {
			if at.rank(id, kind) == 0 {
				continue
			}
			if t, err := at.Type(id); err == nil {
				out = append(out, t)
			}
		}
	}
	return out
}

// Entry is a named type, function or variable of a Spec.
type Entry struct {
	ID   uint32
	Kind ctype.Kind
	Name string
}

// Entries gives the Spec's own named entries, without those of its base, in the
// order of ids; of one kind, or of all kinds of types, functions and variables
// with AnyKind.
func (s *Spec) Entries(kind ctype.Kind) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for i := range s.offs {
			id := s.first + uint32(i)
			rec := s.record(id)
			k := kindOf(&rec)
			if k == ctype.AnyKind || kind != ctype.AnyKind && k != kind {
				continue
			}
			if name, _ := s.str(rec.name); name != "" && !yield(Entry{id, k, name}) {
				return
			}
		}
	}
}

// kindOf is the namespace of a record, AnyKind for one that defines no name.
func kindOf(rec *record) ctype.Kind {
	switch rec.kind() {
	case kindStruct:
		return ctype.StructKind
	case kindUnion:
		return ctype.UnionKind
	case kindEnum, kindEnum64:
		return ctype.EnumKind
	case kindTypedef:
		return ctype.TypedefKind
	case kindInt, kindFloat:
		return ctype.IntKind
	case kindFunc:
		return ctype.FuncKind
	case kindVar:
		return ctype.VarKind
	}
	return ctype.AnyKind
}

// what names the Spec in errors.
func (s *Spec) what() string {
	if s.base != nil {
		return "BTF of the module and of vmlinux"
	}
	return "BTF of vmlinux"
}

// describe is the word for a kind before a name in an error.
func describe(k ctype.Kind) string {
	switch k {
	case ctype.StructKind:
		return "struct "
	case ctype.UnionKind:
		return "union "
	case ctype.EnumKind:
		return "enum "
	case ctype.TypedefKind:
		return "typedef "
	case ctype.FuncKind:
		return "function "
	case ctype.VarKind:
		return "variable "
	}
	return ""
}

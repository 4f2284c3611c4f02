// Package ctype models C types as a kernel's debug information describes them,
// whatever its form: BTF and DWARF decoders (ctype/btf, ctype/dwarf) produce it.
//
// A Type is immutable once its Source has returned it, and may be compared by
// identity within one Source.
package ctype

import (
	"errors"
	"fmt"
	"strings"
)

// Kind selects a namespace of C when a type is looked up by name.
type Kind uint8

// The namespaces: struct, union and enum tags; ordinary type names (typedefs
// and base types); functions; variables.
const (
	AnyKind Kind = iota
	StructKind
	UnionKind
	EnumKind
	TypedefKind
	IntKind
	FuncKind
	VarKind
)

// Type is a C type: one of *Void, *Int, *Float, *Pointer, *Array, *Struct,
// *Enum, *Typedef, *Qualified, *FuncProto, *Forward.
type Type interface {
	// Size in bytes; 0 for void, functions, forward declarations and flexible arrays.
	Size() uint64
	// isType seals the set, so that switches over it can be complete.
	isType()
}

// Void is C's void.
type Void struct{}

// Int is an integer, character or boolean base type.
type Int struct {
	Name   string
	Bytes  uint64
	Signed bool
	Bool   bool
	Char   bool
}

// Float is a floating-point base type.
type Float struct {
	Name  string
	Bytes uint64
}

// Pointer is a pointer of 8 bytes. Its target is decoded only when it is asked
// for: through pointers, almost every type of a kernel hangs on every other.
type Pointer struct {
	target Type // nil in a lazy pointer
	source Resolver
	id     uint64
}

// Resolver gives the types that lazy pointers lead to. It is safe for
// concurrent use, and gives the same Type for the same id every time. A type
// that it cannot decode comes as a *Forward.
type Resolver interface{ Resolve(id uint64) Type }

// PointerTo makes a pointer to t.
func PointerTo(t Type) *Pointer { return &Pointer{target: t} }

// LazyPointer makes a pointer to the type that r knows as id.
func LazyPointer(r Resolver, id uint64) *Pointer { return &Pointer{source: r, id: id} }

// Target is the type pointed to; *Void for a void pointer.
func (t *Pointer) Target() Type {
	if t.target != nil {
		return t.target
	}
	return t.source.Resolve(t.id)
}

// Array is an array of Len elements; Len 0 is a flexible array member.
type Array struct {
	Elem Type
	Len  uint64
}

// Struct is a struct or a union.
type Struct struct {
	Name    string // tag, "" when anonymous
	Union   bool
	Bytes   uint64
	Members []Member
}

// Member is a member of a Struct, in declaration order. Name is "" for an
// anonymous struct or union, whose own members are reached through it.
type Member struct {
	Name   string
	Type   Type
	Off    uint64 // bytes from the start of the struct, rounded down for a bit-field
	BitOff uint64 // bits from the start of the struct
	Bits   uint64 // width of a bit-field, 0 for other members
}

// Enum is an enumeration.
type Enum struct {
	Name   string
	Bytes  uint64
	Signed bool
	Values []EnumValue
}

// EnumValue is one enumerator. Value holds the bits; sign-extend it as int64
// when the Enum is Signed.
type EnumValue struct {
	Name  string
	Value uint64
}

// Typedef is a name for another type.
type Typedef struct {
	Name   string
	Target Type
}

// Qualified is a const, volatile, restrict or attributed type.
type Qualified struct {
	Qualifier string // "const", "volatile", "restrict", "" for an attribute tag
	Target    Type
}

// FuncProto is a function type.
type FuncProto struct {
	Result   Type
	Params   []Param
	Variadic bool
}

// Param is a parameter of a FuncProto; Name may be "".
type Param struct {
	Name string
	Type Type
}

// Forward is a struct, union or enum whose definition the source does not have.
type Forward struct {
	Name  string
	Union bool
}

func (*Void) isType()      {}
func (*Int) isType()       {}
func (*Float) isType()     {}
func (*Pointer) isType()   {}
func (*Array) isType()     {}
func (*Struct) isType()    {}
func (*Enum) isType()      {}
func (*Typedef) isType()   {}
func (*Qualified) isType() {}
func (*FuncProto) isType() {}
func (*Forward) isType()   {}

// PointerSize is the size of every pointer of the supported machines, in bytes.
const PointerSize = 8

// Size implements Type.
func (*Void) Size() uint64 { return 0 }

// Size implements Type.
func (t *Int) Size() uint64 { return t.Bytes }

// Size implements Type.
func (t *Float) Size() uint64 { return t.Bytes }

// Size implements Type.
func (*Pointer) Size() uint64 { return PointerSize }

// Size implements Type; it is bounded by 2^63 whatever the array says.
func (t *Array) Size() uint64 {
	n := t.Elem.Size()
	if n != 0 && t.Len > (1<<63)/n {
		return 1 << 63
	}
	return n * t.Len
}

// Size implements Type.
func (t *Struct) Size() uint64 { return t.Bytes }

// Size implements Type.
func (t *Enum) Size() uint64 { return t.Bytes }

// Size implements Type.
func (t *Typedef) Size() uint64 { return t.Target.Size() }

// Size implements Type.
func (t *Qualified) Size() uint64 { return t.Target.Size() }

// Size implements Type.
func (*FuncProto) Size() uint64 { return 0 }

// Size implements Type.
func (*Forward) Size() uint64 { return 0 }

// Source finds types by name.
type Source interface {
	// Find gives the type of that name in the namespace kind, the tag without
	// "struct" and so on. FuncKind gives a *FuncProto, VarKind the variable's
	// type. The error is a *LookupError when there is none.
	Find(kind Kind, name string) (Type, error)
}

// ErrNotFound is what a LookupError wraps.
var ErrNotFound = errors.New("not found")

// LookupError is a name that no source knows.
type LookupError struct {
	In    string   // where it was looked for: "struct task_struct", "BTF of vmlinux"
	Tried []string // the names tried, newest kernel's first
}

func (e *LookupError) Error() string {
	return fmt.Sprintf("%s: no %s", e.In, strings.Join(e.Tried, " or "))
}

func (e *LookupError) Unwrap() error { return ErrNotFound }

// maxChain bounds chains of typedefs and qualifiers, which hostile BTF can make circular.
const maxChain = 64

// Strip removes typedefs and qualifiers from the outside of t. A chain longer
// than any real one ends as *Void.
func Strip(t Type) Type {
	for range maxChain {
		switch u := t.(type) {
		case *Typedef:
			t = u.Target
		case *Qualified:
			t = u.Target
		default:
			return t
		}
	}
	return &Void{}
}

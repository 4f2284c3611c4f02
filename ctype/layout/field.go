// Package layout binds the struct members that a piece of code needs to the
// offsets they have in one kernel: once, by name, from its debug information.
//
// The members are declared as a Go struct with tags, which Bind fills:
//
//	type fields struct {
//		Comm  layout.Field `k:"task_struct.comm"`
//		State layout.Field `k:"task_struct.__state|task_struct.state"`
//		Task  layout.Size  `k:"struct task_struct"`
//		SID   layout.Enum  `k:"PIDTYPE_SID,optional"`
//	}
package layout

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/kinquest/inquest/ctype"
	"github.com/kinquest/inquest/mem"
)

// Field is a member of a struct, which may lie in members and array elements of
// it. Until Bind has found it, every read is an error.
type Field struct {
	Name   string     // the alternative that was bound: "task_struct.__state"
	Type   ctype.Type // nil while unbound
	Off    uint64     // bytes from the start of the outermost struct, rounded down for a bit-field
	Size   uint64     // bytes; of a bit-field, those from Off on that it touches
	BitOff uint64     // bits from the start of the outermost struct
	Bits   uint64     // width of a bit-field, else 0

	scalar bool // an integer, pointer, enum or bit-field, or a struct of one of them
	signed bool
	tried  []string // alternatives of the tag, newest kernel's first
}

// ErrUnbound is a Field, Size or Enum that no Bind has seen.
var ErrUnbound = errors.New("layout: not bound to a kernel's types")

// OK says whether the member exists in this kernel.
func (f *Field) OK() bool { return f.Type != nil }

// missing is the error for an unbound name.
func missing(tried []string) error {
	if tried == nil {
		return ErrUnbound
	}
	return &ctype.LookupError{In: "types of this kernel", Tried: tried}
}

// Bytes cuts the member out of the bytes of its outermost struct. The error is a
// *ctype.LookupError for an unbound Field.
func (f *Field) Bytes(object []byte) ([]byte, error) {
	if !f.OK() {
		return nil, missing(f.tried)
	}
	n := uint64(len(object))
	if f.Off > n || f.Size > n-f.Off {
		return nil, fmt.Errorf("%s: %d bytes at %d of an object read to %d", f.Name, f.Size, f.Off, n)
	}
	return object[f.Off : f.Off+f.Size], nil
}

// Uint gives the value of an integer, pointer, enum or bit-field from the bytes
// of its outermost struct. A signed one is sign-extended, so that int64 of it is
// its value. A struct of one such member, as atomic_t and kuid_t are, counts as it.
func (f *Field) Uint(object []byte) (uint64, error) {
	b, err := f.Bytes(object)
	if err != nil {
		return 0, err
	}
	if !f.scalar {
		return 0, f.notScalar()
	}
	return f.value(b), nil
}

// Read reads the value of a member of the object at base, as Uint gives it.
func (f *Field) Read(r mem.Reader[mem.Virt], base mem.Virt) (uint64, error) {
	if !f.OK() {
		return 0, missing(f.tried)
	}
	if !f.scalar {
		return 0, f.notScalar()
	}
	buf := make([]byte, f.Size)
	if _, err := r.ReadMem(buf, base+mem.Virt(f.Off)); err != nil {
		return 0, fmt.Errorf("%s of %#x: %w", f.Name, uint64(base), err)
	}
	return f.value(buf), nil
}

// ReadPtr reads a pointer member of the object at base.
func (f *Field) ReadPtr(r mem.Reader[mem.Virt], base mem.Virt) (mem.Virt, error) {
	v, err := f.Read(r, base)
	return mem.Virt(v), err
}

// maxMember bounds what ReadBytes allocates; the largest members that code reads
// whole are arrays of a few KiB.
const maxMember = 1 << 20

// ReadBytes reads a whole member of the object at base, of any type.
func (f *Field) ReadBytes(r mem.Reader[mem.Virt], base mem.Virt) ([]byte, error) {
	if !f.OK() {
		return nil, missing(f.tried)
	}
	if f.Size > maxMember {
		return nil, fmt.Errorf("%s: %d bytes are too many to read at once", f.Name, f.Size)
	}
	buf := make([]byte, f.Size)
	if _, err := r.ReadMem(buf, base+mem.Virt(f.Off)); err != nil {
		return nil, fmt.Errorf("%s of %#x: %w", f.Name, uint64(base), err)
	}
	return buf, nil
}

// Addr is the address of the member of the object at base.
func (f *Field) Addr(base mem.Virt) (mem.Virt, error) {
	if !f.OK() {
		return 0, missing(f.tried)
	}
	return base + mem.Virt(f.Off), nil
}

// Container is the address of the object whose member lies at addr: the kernel's container_of.
func (f *Field) Container(addr mem.Virt) (mem.Virt, error) {
	if !f.OK() {
		return 0, missing(f.tried)
	}
	return addr - mem.Virt(f.Off), nil
}

func (f *Field) notScalar() error {
	return fmt.Errorf("%s is a %s, not an integer", f.Name, ctype.Describe(f.Type))
}

// value decodes a scalar from its Size bytes.
func (f *Field) value(b []byte) uint64 {
	switch {
	case f.Bits != 0:
	case len(b) == 8:
		return binary.LittleEndian.Uint64(b)
	case len(b) == 4 && f.signed:
		return uint64(int64(int32(binary.LittleEndian.Uint32(b))))
	case len(b) == 4:
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return ctype.Bits(b, f.BitOff%8, f.width(), f.signed)
}

// width is the member's width in bits.
func (f *Field) width() uint64 {
	if f.Bits != 0 {
		return f.Bits
	}
	return f.Size * 8
}

// set binds the field to a member.
func (f *Field) set(name string, m ctype.Member) {
	*f = Field{Name: name, Type: m.Type, Off: m.Off, Size: m.Type.Size(), BitOff: m.BitOff, Bits: m.Bits, tried: f.tried}
	if m.Bits != 0 {
		f.Size = (m.BitOff%8 + m.Bits + 7) / 8
	}
	f.scalar, f.signed = ctype.Scalar(m.Type)
}

// Size is the size of a type.
type Size struct {
	Name  string // the alternative that was bound
	Type  ctype.Type
	Bytes uint64 // 0 while unbound: check OK where the tag is optional

	tried []string
}

// OK says whether the type exists in this kernel.
func (s *Size) OK() bool { return s.Type != nil }

// Enum is the value of an enumerator.
type Enum struct {
	Name  string // the alternative that was bound
	Value uint64 // the bits; as int64 where it is negative

	ok    bool
	tried []string
}

// OK says whether the enumerator exists in this kernel.
func (e *Enum) OK() bool { return e.ok }

// Err is nil for a bound enumerator, else says which names were tried.
func (e *Enum) Err() error {
	if e.ok {
		return nil
	}
	return missing(e.tried)
}

// Err is nil for a bound size, else says which names were tried.
func (s *Size) Err() error {
	if s.OK() {
		return nil
	}
	return missing(s.tried)
}

// Err is nil for a bound field, else says which names were tried.
func (f *Field) Err() error {
	if f.OK() {
		return nil
	}
	return missing(f.tried)
}

// String gives the bound name, for messages.
func (f *Field) String() string {
	if f.OK() {
		return f.Name
	}
	return strings.Join(f.tried, "|")
}

// Package obj navigates typed kernel objects in memory. It is for code that is
// read more often than run; hot loops read whole structs with ctype/layout.
package obj

import (
	"errors"
	"fmt"

	"github.com/kinquest/inquest/ctype"
	"github.com/kinquest/inquest/mem"
)

// Value is an object of a C type at an address. Nothing is read until a number,
// a string or what a pointer leads to is asked for. After an error every further
// step keeps that error, so that a chain is checked once, at its end:
//
//	pgd, err := initTask.Field("mm").Field("pgd").Uint()
//
// A Value is immutable, and safe for concurrent use if its reader is.
type Value struct {
	r    mem.Reader[mem.Virt]
	typ  ctype.Type
	addr mem.Virt
	bit  uint64 // of addr's byte where a bit-field starts
	bits uint64 // width of a bit-field, else 0
	path string // how it was reached: "init_task.mm.pgd"
	err  error
}

// ErrNull is a NULL pointer where an object was needed.
var ErrNull = errors.New("NULL pointer")

// At is the object of type t at addr; path is what errors call it, as "init_task".
func At(r mem.Reader[mem.Virt], t ctype.Type, addr mem.Virt, path string) Value {
	return Value{r: r, typ: t, addr: addr, path: path}
}

// maxPath bounds the path kept for errors: walking a long list must not gather
// all of its links.
const maxPath = 400

// step is the object reached from v by a path element such as ".next".
func (v Value) step(addr mem.Virt, t ctype.Type, element string) Value {
	if v.err != nil {
		return v
	}
	if v.path += element; len(v.path) > maxPath {
		v.path = "..." + v.path[len(v.path)-maxPath/2:]
	}
	v.addr, v.typ, v.bit, v.bits = addr, t, 0, 0
	return v
}

// fail gives v the error, unless it has one.
func (v Value) fail(err error) Value {
	if v.err == nil {
		v.err = fmt.Errorf("%s: %w", v.path, err)
	}
	return v
}

// Field is a member of a struct or union, or of the one that a pointer leads to.
// Of several names, the newest kernel's first, it takes the first that exists;
// each may be a path of members and elements: "thread.sp", "mem[0].base". The
// error wraps a *ctype.LookupError.
func (v Value) Field(names ...string) Value {
	if v.err != nil {
		return v
	}
	if _, ok := ctype.Strip(v.typ).(*ctype.Pointer); ok {
		to := v.Deref()
		to.path = v.path
		return to.Field(names...)
	}
	for _, n := range names {
		if m, err := ctype.Path(v.typ, n); err == nil {
			f := v.step(v.addr+mem.Virt(m.Off), m.Type, "."+n)
			f.bit, f.bits = m.BitOff%8, m.Bits
			return f
		}
	}
	return v.fail(&ctype.LookupError{In: ctype.Describe(v.typ), Tried: names})
}

// Has says whether the struct, or the one pointed to, has such a member.
func (v Value) Has(name string) bool {
	if v.err != nil {
		return false
	}
	t := v.typ
	if p, ok := ctype.Strip(t).(*ctype.Pointer); ok {
		t = p.Target()
	}
	_, err := ctype.Path(t, name)
	return err == nil
}

// Deref is what a pointer leads to. The error wraps ErrNull or a *mem.FaultError.
func (v Value) Deref() Value {
	if v.err != nil {
		return v
	}
	p, ok := ctype.Strip(v.typ).(*ctype.Pointer)
	if !ok {
		return v.fail(fmt.Errorf("%s is no pointer", ctype.Describe(v.typ)))
	}
	to, err := v.Uint()
	switch {
	case err != nil:
		v.err = err
		return v
	case to == 0:
		return v.fail(ErrNull)
	}
	next := v.step(mem.Virt(to), p.Target(), "")
	next.path = "*" + v.path
	return next
}

// Index is an element of an array, or of the array that a pointer leads to. The
// bounds of an array are checked, save those of a flexible one.
func (v Value) Index(i uint64) Value {
	if v.err != nil {
		return v
	}
	element := fmt.Sprintf("[%d]", i)
	if _, ok := ctype.Strip(v.typ).(*ctype.Pointer); ok {
		to := v.Deref()
		to.path = v.path
		return to.element(to.typ, i, element)
	}
	a, ok := ctype.Strip(v.typ).(*ctype.Array)
	switch {
	case !ok:
		return v.fail(fmt.Errorf("%s is no array", ctype.Describe(v.typ)))
	case a.Len != 0 && i >= a.Len:
		return v.fail(fmt.Errorf("index %d of an array of %d", i, a.Len))
	}
	return v.element(a.Elem, i, element)
}

func (v Value) element(t ctype.Type, i uint64, element string) Value {
	if v.err == nil && t.Size() == 0 {
		return v.fail(fmt.Errorf("elements of %s have no size", ctype.Describe(t)))
	}
	return v.step(v.addr+mem.Virt(i*t.Size()), t, element)
}

// Cast is the same memory as an object of type t.
func (v Value) Cast(t ctype.Type) Value {
	return v.step(v.addr, t, "")
}

// Container is the object of type t whose member, named by a path as for Field,
// v is: the kernel's container_of.
func (v Value) Container(t ctype.Type, member string) Value {
	if v.err != nil {
		return v
	}
	m, err := ctype.Path(t, member)
	if err != nil {
		return v.fail(err)
	}
	c := v.step(v.addr-mem.Virt(m.Off), t, "")
	c.path = fmt.Sprintf("container_of(%s, %s, %s)", v.path, ctype.Describe(t), member)
	return c
}

// Type is the C type; after an error, that of the last step that succeeded.
func (v Value) Type() ctype.Type { return v.typ }

// Err is what went wrong on the way to v.
func (v Value) Err() error { return v.err }

// Path is how v was reached.
func (v Value) Path() string { return v.path }

// Addr is where the object lies. A bit-field starts within the byte there.
func (v Value) Addr() (mem.Virt, error) { return v.addr, v.err }

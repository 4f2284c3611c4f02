package kallsyms

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/kinquest/inquest/mem"
)

// Form is how a kernel encodes the addresses of its symbols.
type Form uint8

// The forms, as kallsyms_sym_address in kernel/kallsyms.c decodes them.
const (
	// Absolute: kallsyms_addresses holds addresses. All kernels before v4.6.
	Absolute Form = iota + 1
	// Relative: kallsyms_relative_base and an unsigned offset. Since v4.6,
	// 2213e9a66bb8 ("kallsyms: add support for relative offsets in kallsyms
	// address table").
	Relative
	// RelativePercpu: as Relative, but values from 0 up are addresses of per-CPU
	// symbols, and negative ones count down from kallsyms_relative_base - 1.
	// x86_64 from v4.6 until 01157ddc58dc ("kallsyms: Remove
	// KALLSYMS_ABSOLUTE_PERCPU") in v6.15.
	RelativePercpu
	// PlaceRelative: an offset from the place where it is stored. Since v7.0.
	PlaceRelative
)

var formNames = [...]string{
	Absolute: "absolute addresses", Relative: "offsets from a base",
	RelativePercpu: "offsets from a base, absolute per-CPU symbols", PlaceRelative: "place-relative offsets",
}

// String describes the form.
func (f Form) String() string {
	if int(f) < len(formNames) && f > 0 {
		return formNames[f]
	}
	return "unknown form"
}

// addressTable is what the addresses are decoded from.
type addressTable struct {
	raw  []byte   // offsets or addresses
	at   mem.Virt // where raw lies
	base uint64   // kallsyms_relative_base
}

// width is the size of an element in bytes.
func (f Form) width() int {
	if f == Absolute {
		return 8
	}
	return 4
}

// addr decodes element i.
func (t *addressTable) addr(f Form, i int) mem.Virt {
	if f == Absolute {
		return mem.Virt(binary.LittleEndian.Uint64(t.raw[8*i:]))
	}
	v := int32(binary.LittleEndian.Uint32(t.raw[4*i:]))
	switch {
	case f == PlaceRelative:
		return t.at + mem.Virt(4*i) + mem.Virt(int64(v))
	case f == Relative:
		return mem.Virt(t.base + uint64(uint32(v)))
	case v >= 0:
		return mem.Virt(v)
	}
	return mem.Virt(t.base - 1 - uint64(int64(v)))
}

// decode gives all addresses and how often one is below its predecessor: never
// in tables that are whole and decoded rightly.
func (t *addressTable) decode(f Form) (addrs []mem.Virt, descents int) {
	addrs = make([]mem.Virt, len(t.raw)/f.width())
	for i := range addrs {
		addrs[i] = t.addr(f, i)
		if i > 0 && addrs[i] < addrs[i-1] {
			descents++
		}
	}
	return addrs, descents
}

// readAddressTable reads what form f needs; ok is false when t lacks it. The
// elements of prev are taken over when they are the same ones.
func readAddressTable(r mem.Reader[mem.Virt], t Tables, f Form, count int, prev *addressTable) (a *addressTable, ok bool, err error) {
	a = &addressTable{at: t.Offsets}
	switch f {
	case Absolute:
		a.at = t.Addresses
	case PlaceRelative:
		if t.RelativeBase != 0 { // a kernel with a base uses it
			return nil, false, nil
		}
	case Relative, RelativePercpu:
		if t.RelativeBase == 0 {
			return nil, false, nil
		}
		if a.base, err = mem.U64(r, t.RelativeBase); err != nil {
			return nil, false, fmt.Errorf("kallsyms_relative_base: %w", err)
		}
	}
	if a.at == 0 {
		return nil, false, nil
	}
	if prev != nil && prev.at == a.at && len(prev.raw) == count*f.width() {
		a.raw = prev.raw
		return a, true, nil
	}
	a.raw = make([]byte, count*f.width())
	if _, err := r.ReadMem(a.raw, a.at); err != nil {
		return nil, false, fmt.Errorf("kallsyms addresses: %w", err)
	}
	return a, true, nil
}

// maxDescents is the share of addresses, one in so many, that may be below
// their predecessor: damage in a table costs its own symbols, not all others,
// while a wrong form puts about every second address out of order.
const maxDescents = 64

// chooseForm decodes the addresses in each form that the tables allow, and
// keeps the one that puts _stext where it is known to be and is in order.
func chooseForm(r mem.Reader[mem.Virt], t Tables, groups []group, count int) (Form, []mem.Virt, error) {
	var form Form
	var best []mem.Virt
	var errs []error
	least := count/maxDescents + 1
	stext := findName(groups, "_stext")
	var prev *addressTable
	for _, f := range []Form{PlaceRelative, RelativePercpu, Relative, Absolute} {
		a, ok, err := readAddressTable(r, t, f, count, prev)
		if ok && err == nil {
			prev = a
		}
		if err != nil {
			errs = append(errs, err)
		}
		if !ok || stext >= 0 && !t.stextFits(a.addr(f, stext)) {
			continue
		}
		if addrs, descents := a.decode(f); descents < least {
			form, best, least = f, addrs, descents
		}
	}
	if best == nil {
		err := fmt.Errorf("%w: no form of the addresses puts _stext in its place", ErrBadTables)
		return 0, nil, errors.Join(append(errs, err)...)
	}
	return form, best, nil
}

// stextFits says whether a decoded address of _stext can be right.
func (t *Tables) stextFits(addr mem.Virt) bool {
	if t.Stext != 0 {
		return addr == t.Stext
	}
	return addr >= 1<<63
}

// findName gives the number of the first symbol of that name, -1 when there is none.
func findName(groups []group, name string) int {
	i := 0
	for _, g := range groups {
		start := uint32(0)
		for _, end := range g.ends {
			if string(g.text[start:end]) == name {
				return i
			}
			start = end
			i++
		}
	}
	return -1
}

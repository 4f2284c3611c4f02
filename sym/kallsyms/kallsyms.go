// Package kallsyms decodes the symbol tables that a Linux kernel carries in its
// own memory: those of the kernel image (kernel/kallsyms.c, written by
// scripts/kallsyms.c) and those of its modules (kernel/module/kallsyms.c).
//
// The tables changed form several times. Which form a kernel has is found out by
// decoding: names must have types as nm(1) gives them, and _stext must come out
// where it is known to be.
package kallsyms

import (
	"context"
	"errors"
	"fmt"

	"github.com/kinquest/inquest/dump/vmcoreinfo"
	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/sym"
)

// ErrBadTables: the memory holds no kallsyms tables in any known form.
var ErrBadTables = errors.New("no valid kallsyms tables")

// Tables says where the tables of a kernel image lie. An address that is not
// known, or a table that the kernel does not have, is 0.
type Tables struct {
	NumSyms    mem.Virt // kallsyms_num_syms: unsigned int; unsigned long before v4.20
	Names      mem.Virt // kallsyms_names: u8[]
	TokenTable mem.Virt // kallsyms_token_table: char[]
	TokenIndex mem.Virt // kallsyms_token_index: u16[256]

	Addresses    mem.Virt // kallsyms_addresses: unsigned long[]; else
	Offsets      mem.Virt // kallsyms_offsets: int[], since v4.6, with
	RelativeBase mem.Virt // kallsyms_relative_base: unsigned long, until v7.0

	// Stext is the address of _stext, to choose the form of the addresses by.
	Stext mem.Virt
}

// TablesOf gives the addresses of the tables that VMCOREINFO has since v6.0,
// commits 5fd8fea935a1 and f09bddbd8661. ok is false when one is missing.
func TablesOf(v *vmcoreinfo.Info) (t Tables, ok bool) {
	ok = true
	for _, s := range []struct {
		name string
		to   *mem.Virt
		need bool
	}{
		{"kallsyms_num_syms", &t.NumSyms, true},
		{"kallsyms_names", &t.Names, true},
		{"kallsyms_token_table", &t.TokenTable, true},
		{"kallsyms_token_index", &t.TokenIndex, true},
		{"kallsyms_addresses", &t.Addresses, false},
		{"kallsyms_offsets", &t.Offsets, false},
		{"kallsyms_relative_base", &t.RelativeBase, false},
		{"_stext", &t.Stext, false},
	} {
		var found bool
		*s.to, found = v.Symbol(s.name)
		ok = ok && (found || !s.need)
	}
	return t, ok && (t.Addresses != 0 || t.Offsets != 0)
}

// Kernel is the decoded symbols of a kernel image.
type Kernel struct {
	Symbols *sym.List // in the kernel's order
	Form    Form      // how the addresses were encoded
}

// String says what was decoded, for the bootstrap's trail of evidence.
func (k *Kernel) String() string {
	return fmt.Sprintf("kallsyms: %d symbols, %s", k.Symbols.Len(), k.Form)
}

// Load decodes the tables at t, reading through r. The error wraps a
// *mem.FaultError, ErrBadTables, or that of ctx.
func Load(ctx context.Context, r mem.Reader[mem.Virt], t Tables) (*Kernel, error) {
	tok, err := readTokens(r, t.TokenTable, t.TokenIndex)
	if err != nil {
		return nil, err
	}
	count, err := mem.U32(r, t.NumSyms)
	if err != nil {
		return nil, fmt.Errorf("kallsyms_num_syms: %w", err)
	}
	if count == 0 || count > sym.MaxSymbols {
		return nil, fmt.Errorf("%w: %d symbols", ErrBadTables, count)
	}
	names, err := readNames(r, t.Names, int(count), tok)
	if err != nil {
		return nil, err
	}
	groups, err := names.decode(ctx, tok)
	if err != nil {
		return nil, err
	}
	form, addrs, err := chooseForm(r, t, groups, int(count))
	if err != nil {
		return nil, err
	}
	list, err := merge(groups, addrs)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadTables, err)
	}
	return &Kernel{Symbols: list, Form: form}, nil
}

// merge makes one list of the decoded names and their addresses.
func merge(groups []group, addrs []mem.Virt) (*sym.List, error) {
	size := 0
	for _, g := range groups {
		size += len(g.text)
	}
	list := new(sym.List)
	list.Grow(len(addrs), size)
	i := 0
	for _, g := range groups {
		start := uint32(0)
		for k, end := range g.ends {
			if err := list.Add(g.text[start:end], addrs[i], g.types[k]); err != nil {
				return nil, err
			}
			start = end
			i++
		}
	}
	return list, nil
}

// Package kerneltest builds small kernels in memory for tests: types written
// as lines of text, symbols, and words at virtual addresses.
package kerneltest

import (
	"encoding/binary"
	"strconv"
	"strings"
	"testing"

	"github.com/kinquest/inquest/ctype"
	"github.com/kinquest/inquest/kernel"
	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/mem/xlat"
	"github.com/kinquest/inquest/sym"
)

// Base is where the kernel's memory begins; every address that Put is given
// lies from here on.
const Base mem.Virt = 0xffffffff81000000

// size of the memory, in bytes.
const size = 1 << 20

// Builder collects what a kernel is made of.
type Builder struct {
	t     testing.TB
	ram   []byte
	holes map[mem.Phys]error // page -> why it cannot be read
	types types
	syms  sym.List
	cpus  int
}

// New begins a kernel of cpus processors, whose per-CPU areas are one page each
// from PerCPU on.
func New(t testing.TB, cpus int) *Builder {
	b := &Builder{t: t, ram: make([]byte, size), holes: map[mem.Phys]error{}, cpus: cpus,
		types: types{structs: map[string]*ctype.Struct{}, enums: map[string]*ctype.Enum{}}}
	return b
}

// PerCPU is the address of the per-CPU area of a processor.
func PerCPU(cpu int) mem.Virt { return Base + size/2 + mem.Virt(cpu)*mem.PageSize }

// Sym names an address.
func (b *Builder) Sym(name string, addr mem.Virt) {
	b.t.Helper()
	if err := b.syms.Add([]byte(name), addr, 'D'); err != nil {
		b.t.Fatal(err)
	}
}

// Bytes stores data at addr.
func (b *Builder) Bytes(addr mem.Virt, data []byte) {
	b.t.Helper()
	if addr < Base || addr+mem.Virt(len(data)) > Base+size {
		b.t.Fatalf("no memory at %s", addr)
	}
	copy(b.ram[addr-Base:], data)
}

// U64 stores 64-bit words from addr on.
func (b *Builder) U64(addr mem.Virt, words ...uint64) {
	b.t.Helper()
	for i, w := range words {
		b.Bytes(addr+mem.Virt(8*i), binary.LittleEndian.AppendUint64(nil, w))
	}
}

// Put stores a member of the struct at addr: the path is as in a layout tag.
func (b *Builder) Put(addr mem.Virt, path string, value uint64) {
	b.t.Helper()
	tag, rest, _ := strings.Cut(path, ".")
	st := b.types.structs[tag]
	if st == nil {
		b.t.Fatalf("no struct %s", tag)
	}
	m, err := ctype.Path(st, rest)
	if err != nil {
		b.t.Fatal(err)
	}
	b.Bytes(addr+mem.Virt(m.Off), binary.LittleEndian.AppendUint64(nil, value)[:m.Type.Size()])
}

// Lose makes the page at addr unreadable.
func (b *Builder) Lose(addr mem.Virt, why error) {
	b.holes[mem.Phys(addr-Base)&^(mem.PageSize-1)] = why
}

// Kernel puts the kernel together.
func (b *Builder) Kernel() *kernel.Kernel {
	b.t.Helper()
	top := Base + size - mem.PageSize
	b.Sym("__cpu_possible_mask", top)
	b.Sym("__cpu_present_mask", top)
	b.Sym("__cpu_online_mask", top)
	b.Sym("__cpu_active_mask", top)
	b.U64(top, 1<<b.cpus-1)
	b.Sym("nr_cpu_ids", top+8)
	b.U64(top+8, uint64(b.cpus))
	b.Sym("__per_cpu_offset", top+16)
	for cpu := range b.cpus {
		b.U64(top+16+mem.Virt(8*cpu), uint64(PerCPU(cpu)))
	}
	b.Sym("_text", Base)
	b.Sym("_end", Base+size)
	space := xlat.NewSpace(ram{b}, xlat.X86{Levels: 4}, 0, xlat.Linear{Virt: Base, Size: size})
	k, err := kernel.Assemble(space, sym.New(&b.syms), b.types)
	if err != nil {
		b.t.Fatal(err)
	}
	return k
}

// ram is the physical memory of a Builder.
type ram struct{ *Builder }

func (r ram) ReadMem(p []byte, addr mem.Phys) (int, error) {
	for n := 0; n < len(p); {
		at := addr + mem.Phys(n)
		if why := r.holes[at&^(mem.PageSize-1)]; why != nil {
			return n, mem.Fault(at, why)
		}
		if at >= size {
			return n, mem.Fault(at, mem.ErrNotStored)
		}
		end := (at + mem.PageSize) &^ (mem.PageSize - 1)
		n += copy(p[n:], r.ram[at:end])
	}
	return len(p), nil
}

// types is a ctype.Source of structs written as text.
type types struct {
	structs map[string]*ctype.Struct
	enums   map[string]*ctype.Enum
}

// Types adds structs: a line with tag and size in bytes, then one for each
// member with offset, type and name:
//
//	task_struct 64
//	  0 ptr stack
//	  8 u32 __state
//	  16 char[16] comm
//	  32 list_head tasks
//
// The types are u8 to u64, s32 and s64, ptr, a struct named before, and arrays
// of these. "enum TAG NAME VALUE" adds an enumerator.
func (b *Builder) Types(text string) {
	b.t.Helper()
	var cur *ctype.Struct
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		switch {
		case len(f) == 2:
			cur = &ctype.Struct{Name: f[0], Bytes: b.number(f[1])}
			b.types.structs[f[0]] = cur
		case len(f) == 4 && f[0] == "enum":
			if b.types.enums[f[1]] == nil {
				b.types.enums[f[1]] = &ctype.Enum{Name: f[1], Bytes: 4}
			}
			e := b.types.enums[f[1]]
			e.Values = append(e.Values, ctype.EnumValue{Name: f[2], Value: b.number(f[3])})
		case len(f) == 3 && cur != nil:
			off := b.number(f[0])
			cur.Members = append(cur.Members, ctype.Member{Name: f[2], Type: b.typ(f[1]), Off: off, BitOff: off * 8})
		case len(f) != 0:
			b.t.Fatalf("types: %q", line)
		}
	}
}

func (b *Builder) number(s string) uint64 {
	b.t.Helper()
	n, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

func (b *Builder) typ(s string) ctype.Type {
	b.t.Helper()
	if elem, n, ok := strings.Cut(strings.TrimSuffix(s, "]"), "["); ok {
		return &ctype.Array{Elem: b.typ(elem), Len: b.number(n)}
	}
	switch s {
	case "char":
		return &ctype.Int{Name: "char", Bytes: 1, Signed: true, Char: true}
	case "ptr":
		return &ctype.Int{Name: "unsigned long", Bytes: 8}
	}
	if bits, err := strconv.Atoi(s[1:]); err == nil && (s[0] == 'u' || s[0] == 's') {
		return &ctype.Int{Name: s, Bytes: uint64(bits / 8), Signed: s[0] == 's'}
	}
	st := b.types.structs[s]
	if st == nil {
		b.t.Fatalf("types: no struct %s", s)
	}
	return st
}

// Find implements ctype.Source for structs and enums.
func (t types) Find(kind ctype.Kind, name string) (ctype.Type, error) {
	if st, ok := t.structs[name]; ok && (kind == ctype.StructKind || kind == ctype.AnyKind) {
		return st, nil
	}
	if e, ok := t.enums[name]; ok && (kind == ctype.EnumKind || kind == ctype.AnyKind) {
		return e, nil
	}
	return nil, &ctype.LookupError{In: "test types", Tried: []string{name}}
}

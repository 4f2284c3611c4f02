package stack

import (
	"slices"
	"sort"
	"strings"

	"github.com/kinquest/inquest/kernel"
	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/mem/xlat"
	"github.com/kinquest/inquest/sym"
	"github.com/kinquest/inquest/unwind"
)

// span is a run of code.
type span struct {
	lo, hi mem.Virt
	module *kernel.Module // nil for the kernel
	init   bool
}

// code implements unwind.Coder for one kernel.
type code struct {
	k              *kernel.Kernel
	spans          []span // ascending
	entryLo, entry mem.Virt
}

// Where modules, BPF programs and trampolines are: below the kernel's fixed
// mappings (arch/x86/include/asm/pgtable_64_types.h, MODULES_VADDR without
// KASLR to MODULES_END).
const moduleLo, moduleHi mem.Virt = 0xffffffffa0000000, 0xffffffffff000000

// newCode lists the text of the kernel and its modules.
func newCode(k *kernel.Kernel) (*code, error) {
	c := &code{k: k}
	lo, err := k.Sym("_stext", "_text")
	if err != nil {
		return nil, err
	}
	hi, err := k.Sym("_etext")
	if err != nil {
		return nil, err
	}
	c.spans = append(c.spans, span{lo: lo, hi: hi})
	lo, err = k.Sym("_sinittext")
	hi, err2 := k.Sym("_einittext")
	if err == nil && err2 == nil {
		c.spans = append(c.spans, span{lo: lo, hi: hi, init: true})
	}
	mods, _ := k.Modules() // those that could be read
	for i := range mods {
		for _, r := range mods[i].Regions {
			if r.Text {
				c.spans = append(c.spans, span{lo: r.Start, hi: r.Start + mem.Virt(r.Size), module: &mods[i]})
			}
		}
	}
	c.spans = slices.DeleteFunc(c.spans, func(s span) bool { return s.hi <= s.lo })
	sort.SliceStable(c.spans, func(i, j int) bool { return c.spans[i].lo < c.spans[j].lo })
	// Since v3.x the entry code is a part of .text of its own.
	c.entryLo, err = k.Sym("__entry_text_start")
	c.entry, err2 = k.Sym("__entry_text_end")
	if err != nil || err2 != nil {
		c.entryLo, c.entry = 0, 0
	}
	return c, nil
}

// at gives the span that pc lies in.
func (c *code) at(pc mem.Virt) *span {
	lo, hi := 0, len(c.spans)
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if c.spans[mid].lo <= pc {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == 0 || pc >= c.spans[lo-1].hi {
		return nil
	}
	return &c.spans[lo-1]
}

// Code implements unwind.Coder.
func (c *code) Code(pc mem.Virt) unwind.Code {
	switch {
	case c.at(pc) != nil:
		if pc >= c.entryLo && pc < c.entry {
			return unwind.EntryText
		}
		return unwind.Text
	case pc < moduleLo || pc >= moduleHi:
		return unwind.NotCode
	}
	// A return address may be the first byte behind a module's code.
	if c.at(pc-1) != nil {
		return unwind.Text
	}
	if _, ok := c.k.ModuleAt(pc); ok || !c.executable(pc) {
		return unwind.NotCode
	}
	return unwind.Generated
}

// executable says whether the page tables let pc be executed.
func (c *code) executable(pc mem.Virt) bool {
	m, err := c.k.Mem.Walk(pc)
	if err != nil {
		return false
	}
	for _, s := range m.Steps() {
		if s.Entry&xlat.PageNX != 0 {
			return false
		}
	}
	return true
}

// FuncStart implements unwind.Coder. The part of a function that the compiler
// moved away ("f.cold") belongs to the function.
func (c *code) FuncStart(pc mem.Virt) (mem.Virt, bool) {
	s, _, err := c.k.Symbols.At(pc)
	if err != nil {
		return 0, false
	}
	name, _, cold := strings.Cut(s.Name, ".cold")
	if !cold {
		return s.Addr, true
	}
	all, err := c.k.Symbols.Lookup(name)
	all = slices.DeleteFunc(all, func(o sym.Symbol) bool { return o.Module != s.Module })
	if err != nil || len(all) != 1 { // one of several static functions of that name
		return s.Addr, true
	}
	return all[0].Addr, true
}

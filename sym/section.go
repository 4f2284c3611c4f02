package sym

import (
	"cmp"
	"slices"

	"github.com/kinquest/inquest/mem"
)

// boundaries names the symbols around the sections of a kernel's image
// (include/asm-generic/sections.h).
var boundaries = [...]struct {
	start, end, section string
	text                bool
}{
	{"_stext", "_etext", ".text", true},
	{"_sinittext", "_einittext", ".init.text", true},
	{"__start_rodata", "__end_rodata", ".rodata", false},
	{"_sdata", "_edata", ".data", false},
	{"__bss_start", "__bss_stop", ".bss", false},
}

// findSections gives the kernel's sections that have both boundary symbols.
func (t *Table) findSections() (out []Region) {
	for _, b := range boundaries {
		start, end := t.kernel.first(b.start), t.kernel.first(b.end)
		if start < 0 || end < 0 || t.kernel.addrs[start] >= t.kernel.addrs[end] {
			continue
		}
		out = append(out, Region{Start: t.kernel.addrs[start], End: t.kernel.addrs[end], Section: b.section, Text: b.text})
	}
	return out
}

// kernelRegions gives the runs of addresses that have symbols of the kernel:
// its whole image when _end is known. A kernel without CONFIG_KALLSYMS_ALL
// knows only its text.
func (t *Table) kernelRegions() []Region {
	end := t.kernel.first("_end")
	for _, name := range []string{"_text", "_stext"} {
		start := t.kernel.first(name)
		if start >= 0 && end >= 0 && t.kernel.addrs[start] < t.kernel.addrs[end] {
			return []Region{{Start: t.kernel.addrs[start], End: t.kernel.addrs[end]}}
		}
	}
	if len(t.sections) > 0 {
		out := slices.Clone(t.sections)
		slices.SortFunc(out, func(a, b Region) int { return cmp.Compare(a.Start, b.Start) })
		return out
	}
	return t.looseRegion()
}

// looseRegion is all addresses with symbols in the kernel's half of the address
// space, for tables without boundary symbols.
func (t *Table) looseRegion() []Region {
	first := t.kernel.lower(kernelHalf)
	if first == len(t.kernel.addrs) {
		return nil
	}
	last := t.kernel.addrs[len(t.kernel.addrs)-1]
	return []Region{{Start: t.kernel.addrs[first], End: max(last, last+1)}}
}

// kernelHalf is the lowest address of the kernel's half of the address space
// on 64-bit machines.
const kernelHalf mem.Virt = 1 << 63

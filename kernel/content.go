package kernel

import (
	"fmt"
	"iter"

	"github.com/kinquest/inquest/dump"
	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/sym"
	"github.com/kinquest/inquest/sym/kallsyms"
)

// symbolsByContent finds the symbol table by its content.
func (b *boot) symbolsByContent() error {
	for _, p := range b.places() {
		all, err := kallsyms.Find(b.ctx, p.img)
		if err != nil {
			return err
		}
		for i := range all {
			if b.believe(&all[i]) {
				b.setSymbols(&all[i].Kernel, fmt.Sprintf("content of %s, token table at phys %s", p.name, all[i].TokenTable))
				return nil
			}
		}
	}
	return fmt.Errorf("searched by content: %w", kallsyms.ErrBadTables)
}

// place is memory in which a symbol table may lie.
type place struct {
	name string
	img  dump.Image
}

// places gives where to search, the smallest first: with page tables, where
// they map the image's read-only data.
func (b *boot) places() []place {
	var out []place
	if b.image.Size > 0 {
		if len(b.image.constant) > 0 {
			out = append(out, place{"the kernel's read-only data", part{b.k.Image, b.image.constant}})
		}
		whole := []mem.Extent{{Start: b.image.Phys, Size: b.image.Size}}
		out = append(out, place{"the kernel image", part{b.k.Image, whole}})
	}
	return append(out, place{"all memory", b.k.Image})
}

// believe says whether a symbol table found by content belongs to the kernel
// whose page tables are known, or, when none are, can lead to page tables.
func (b *boot) believe(f *kallsyms.Found) bool {
	t := sym.New(f.Symbols)
	stext, err := t.Addr("_stext")
	if err != nil {
		return false
	}
	if b.haveRoot {
		return f.Anchored && mapsTo(b.k.Phys, b.walker, b.root, stext, f.Phys(stext))
	}
	top, ok := topTable(t)
	if !ok {
		return false
	}
	// Without an anchor kernelRoot will try every place.
	return !f.Anchored || b.tryRoot(top, stext, imagePhysBase(f), "symbols and banner found by content")
}

// imagePhysBase is the phys_base of an anchored symbol table.
func imagePhysBase(f *kallsyms.Found) mem.Phys { return f.Phys(KernelMap) }

// topTable gives the address of the kernel's top-level page table.
func topTable(t *sym.Table) (mem.Virt, bool) {
	for _, name := range topTables {
		if at, err := t.Addr(name); err == nil {
			return at, true
		}
	}
	return 0, false
}

// part is an image reduced to some ranges of its memory, in ascending order.
type part struct {
	dump.Image
	ranges []mem.Extent
}

// Extents gives what the image stores of the ranges.
func (p part) Extents() iter.Seq[mem.Extent] {
	return func(yield func(mem.Extent) bool) {
		for _, r := range p.ranges {
			for e := range p.Image.Extents() {
				lo, hi := max(e.Start, r.Start), min(e.End(), r.End())
				if lo < hi && !yield(mem.Extent{Start: lo, Size: uint64(hi - lo)}) {
					return
				}
			}
		}
	}
}

package kernel

import (
	"fmt"
	"iter"

	"github.com/kinquest/inquest/dump"
	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/sym"
	"github.com/kinquest/inquest/sym/kallsyms"
)

// symbolsByContent finds the symbol table by its content: in the kernel image
// when its place is known, which takes milliseconds, else in all memory.
func (b *boot) symbolsByContent() error {
	where := []dump.Image{b.k.Image}
	from := "content of all memory"
	if b.image.Size > 0 {
		where = []dump.Image{part{b.k.Image, b.k.Phys, b.image.Phys, b.image.Size}, b.k.Image}
		from = "content of the kernel image"
	}
	for _, img := range where {
		all, err := kallsyms.Find(b.ctx, img)
		if err != nil {
			return err
		}
		for i := range all {
			if b.believe(&all[i]) {
				b.setSymbols(&all[i].Kernel, fmt.Sprintf("%s, token table at phys %s", from, all[i].TokenTable))
				return nil
			}
		}
		from = "content of all memory"
	}
	return fmt.Errorf("searched by content: %w", kallsyms.ErrBadTables)
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

// part is an image reduced to one range of its memory.
type part struct {
	dump.Image
	phys  mem.Reader[mem.Phys]
	start mem.Phys
	size  uint64
}

// ReadMem reads through the page cache.
func (p part) ReadMem(b []byte, addr mem.Phys) (int, error) { return p.phys.ReadMem(b, addr) }

// Extents gives what the image stores of the range.
func (p part) Extents() iter.Seq[mem.Extent] {
	end := p.start + mem.Phys(p.size)
	return func(yield func(mem.Extent) bool) {
		for e := range p.Image.Extents() {
			lo, hi := max(e.Start, p.start), min(e.End(), end)
			if lo < hi && !yield(mem.Extent{Start: lo, Size: uint64(hi - lo)}) {
				return
			}
		}
	}
}

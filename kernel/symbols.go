package kernel

import (
	"errors"
	"fmt"

	"github.com/kinquest/inquest/dump/vmcoreinfo"
	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/mem/xlat"
	"github.com/kinquest/inquest/sym"
	"github.com/kinquest/inquest/sym/kallsyms"
)

// findSymbols decodes the kernel's own symbol table: where VMCOREINFO says it
// is, else where its content is found.
func (b *boot) findSymbols() error {
	var errs []error
	if b.haveRoot && b.info != nil {
		if t, ok := kallsyms.TablesOf(b.info); ok {
			list, err := kallsyms.Load(b.ctx, b.k.Mem, t)
			if err == nil {
				b.setSymbols(list, "tables named by VMCOREINFO")
				return nil
			}
			errs = append(errs, err)
		}
	}
	err := b.symbolsByContent()
	if err == nil {
		return nil
	}
	errs = append(errs, err)
	for _, err := range errs {
		b.k.trail.failed("symbols", err)
	}
	if err := b.ctx.Err(); err != nil {
		return err
	}
	return b.noSymbols(errs[0])
}

func (b *boot) setSymbols(list *kallsyms.Kernel, from string) {
	b.startTypes(list.Symbols)
	b.k.Symbols = sym.New(list.Symbols)
	b.k.trail.found("symbols", list.String(), from)
}

// noSymbols says what the user can do about a dump without symbols.
func (b *boot) noSymbols(err error) error {
	_, fault := errors.AsType[*mem.FaultError](err)
	switch {
	case fault && b.info != nil:
		return fmt.Errorf("the symbol table of kernel %s cannot be read: %w", b.info.OSRelease, err)
	case b.info != nil:
		return fmt.Errorf("kernel %s has no symbol table (CONFIG_KALLSYMS) that can be used, and inquest cannot use a vmlinux yet: %w",
			b.info.OSRelease, err)
	}
	return fmt.Errorf("%w: neither VMCOREINFO nor a kernel's symbol table (CONFIG_KALLSYMS) is in its memory; check that it is a dump of all memory of a Linux machine", ErrNoKernel)
}

// findSpace finishes the address space: the kernel's own root, the image and the
// direct map as linear ranges.
func (b *boot) findSpace() error {
	k := b.k
	if err := b.kernelRoot(); err != nil {
		return err
	}
	if b.info == nil {
		b.infoFromSymbol()
	}
	if b.info != nil {
		k.KASLROffset, k.KASLRKnown = b.info.KASLROffset, b.info.HasKASLR
	}
	var linear []xlat.Linear
	if b.unverified {
		linear = append(linear, b.assumedImage())
	} else if image, ok := b.linearImage(); ok {
		linear = append(linear, image)
	}
	if dm, from, ok := b.findDirectMap(); ok {
		k.DirectMap = dm
		linear = append(linear, dm)
		k.trail.found("direct map", fmt.Sprintf("%s to %s", dm.Virt, dm.Virt+mem.Virt(dm.Size)), from)
	} else {
		k.trail.failed("direct map", errors.New("no known place maps physical memory one to one"))
	}
	k.Mem = xlat.NewSpace(k.Phys, b.walker, b.root, linear...)
	if err := k.findCPUs(); err != nil {
		k.trail.failed("CPUs", err)
	} else {
		k.trail.found("CPUs", fmt.Sprintf("%d possible, %d present, %d online", len(k.cpus.possible), len(k.cpus.present), len(k.cpus.online)),
			"CPU masks and __per_cpu_offset")
	}
	return nil
}

// topTables are the names of the kernel's top-level page table: init_top_pgt
// since v4.13, 65ade2f872b4 ("x86/boot/64: Rename init_level4_pgt and
// early_level4_pgt").
var topTables = []string{"init_top_pgt", "init_level4_pgt", "swapper_pg_dir"}

// kernelRoot replaces the root that a CPU's CR3 gave by the kernel's own, whose
// kernel half is complete, if it checks out.
func (b *boot) kernelRoot() error {
	if b.unverified {
		return nil
	}
	top, err := b.k.Sym(topTables...)
	stext, err2 := b.k.Sym("_stext", "_text")
	if err := errors.Join(err, err2); err != nil {
		if b.haveRoot {
			return nil
		}
		return fmt.Errorf("%w: %w", ErrNoKernel, err)
	}
	if b.haveRoot {
		if imagePhys(top, b.k.PhysBase) != b.root {
			b.tryRoot(top, stext, b.k.PhysBase, "symbol of the kernel's page table")
		}
		return nil
	}
	for pb := range b.physBases(stext) {
		if b.tryRoot(top, stext, pb, "symbol of the kernel's page table; phys_base by trying each place") {
			return nil
		}
	}
	return fmt.Errorf("%w: symbols were found, but no page tables that map them", ErrNoKernel)
}

// tryRoot takes the table at the virtual address top for the kernel's root if
// it maps _stext to where phys_base says it is.
func (b *boot) tryRoot(top, stext mem.Virt, physBase mem.Phys, from string) bool {
	root, want := imagePhys(top, physBase), imagePhys(stext, physBase)
	for _, levels := range []int{4, 5} {
		w := xlat.X86{Levels: levels, EncryptMask: b.walker.EncryptMask}
		if mapsTo(b.k.Phys, w, root, stext, want) {
			b.setRoot(w, root, physBase, from+"; it maps _stext")
			return true
		}
	}
	return false
}

// infoFromSymbol reads VMCOREINFO where the kernel keeps it (C vmcoreinfo_data).
func (b *boot) infoFromSymbol() {
	p, err := b.k.SymU64("vmcoreinfo_data")
	if err != nil || p == 0 {
		return
	}
	text := make([]byte, mem.PageSize)
	n, err := b.k.Mem.ReadMem(text, mem.Virt(p))
	if n == 0 {
		b.k.trail.failed("VMCOREINFO", wrap("vmcoreinfo_data", err))
		return
	}
	info, err := vmcoreinfo.Parse(text[:n])
	if err != nil {
		b.k.trail.failed("VMCOREINFO", wrap("vmcoreinfo_data", err))
		return
	}
	b.setInfo(info, "symbol vmcoreinfo_data")
}

// linearImage gives the kernel image as one range, if its page tables agree at
// both ends.
func (b *boot) linearImage() (xlat.Linear, bool) {
	start, err := b.k.Sym("_text", "_stext")
	end, err2 := b.k.Sym("_end")
	if err != nil || err2 != nil || end <= start || end-start > maxImage {
		return xlat.Linear{}, false
	}
	l := xlat.Linear{Virt: start, Size: uint64(end - start), Phys: imagePhys(start, b.k.PhysBase)}
	last := (end - 1) &^ (mem.PageSize - 1)
	return l, mapsTo(b.k.Phys, b.walker, b.root, start, l.Phys) &&
		mapsTo(b.k.Phys, b.walker, b.root, last, imagePhys(last, b.k.PhysBase))
}

// directMaps are the places of the direct map: without randomisation since
// v4.20, d52888aa2753 ("x86/mm: Move LDT remap out of KASLR region on 5-level
// paging"), and before it; 5-level ones are above (Documentation/arch/x86/x86_64/mm.rst).
var directMaps = []mem.Virt{0xffff888000000000, 0xff11000000000000, 0xffff880000000000, 0xff10000000000000}

// findDirectMap finds where the kernel maps all RAM: at page_offset_base when it
// is a variable, else at one of the fixed places. The page tables must agree.
func (b *boot) findDirectMap() (l xlat.Linear, from string, ok bool) {
	bases := directMaps
	from = "page tables at a fixed place"
	if v, err := b.k.SymU64("page_offset_base"); err == nil {
		bases, from = []mem.Virt{mem.Virt(v)}, "page_offset_base; page tables agree"
	}
	if b.unverified {
		from = "not checked: the page tables are lost"
	}
	top := mem.Phys(0)
	for e := range b.k.Image.Extents() {
		top = max(top, e.End())
	}
	for _, base := range bases {
		// The kernel image lies in RAM, so the direct map holds it.
		if at := b.root; b.unverified || mapsTo(b.k.Phys, b.walker, b.root, base+mem.Virt(at), at) {
			return xlat.Linear{Virt: base, Size: uint64(top), Phys: 0}, from, true
		}
	}
	return xlat.Linear{}, "", false
}

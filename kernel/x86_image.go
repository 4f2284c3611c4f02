package kernel

import (
	"errors"
	"fmt"

	"github.com/kinquest/inquest/dump/vmcoreinfo"
	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/mem/xlat"
)

// Geometry of the kernel image on x86_64 (arch/x86/include/asm/page_64_types.h).
const (
	imageAlign   = 2 << 20 // the image is mapped by 2 MiB pages and loaded at such a boundary
	imageArea    = 1 << 30 // KERNEL_IMAGE_SIZE with KASLR: what lies above are modules
	maxImage     = 512 << 20
	maxImageHole = 64 << 20 // freed parts of the image (init sections, gaps) are unmapped
	cr4LA57      = 1 << 12  // five page-table levels
)

var errNoImage = errors.New("maps no kernel image")

// findImage finds a page-table root that maps the kernel image, and where the
// image lies: with the help of VMCOREINFO, else of a CPU's CR3, else of a
// VMCOREINFO found by searching all memory.
func (b *boot) findImage() error {
	if b.info != nil {
		err := b.rootFromInfo(b.info)
		if err == nil {
			return nil
		}
		b.k.trail.failed("page tables", fmt.Errorf("by VMCOREINFO: %w", err))
	}
	err := b.rootFromRegisters()
	if err == nil {
		return nil
	}
	if len(b.cpus) > 0 {
		b.k.trail.failed("page tables", fmt.Errorf("by registers: %w", err))
	}
	if b.info == nil && b.rootFromScan() || b.ctx.Err() != nil {
		return b.ctx.Err()
	}
	b.imageFromInfo()
	return nil
}

// imageFromInfo makes do without page tables, which a damaged dump may have
// lost: VMCOREINFO's phys_base alone says where the kernel image lies. What the
// kernel maps page by page, as its stacks, then stays out of reach.
func (b *boot) imageFromInfo() {
	if b.info == nil {
		return
	}
	if n, ok := b.info.Number("phys_base"); ok {
		b.k.PhysBase, b.unverified = mem.Phys(n), true
		b.walker = xlat.X86{Levels: levelOrder(b.info)[0]}
		b.root, b.haveRoot = noRoot, true
		b.k.Mem = xlat.NewSpace(b.k.Phys, b.walker, b.root, b.assumedImage())
		b.k.trail.found("page tables", fmt.Sprintf("none; phys_base %#x", uint64(n)), "VMCOREINFO, unchecked")
	}
}

// noRoot stands for page tables that the dump has lost: no memory is there.
const noRoot mem.Phys = 1<<52 - mem.PageSize

// assumedImage is the area of the kernel image, placed by phys_base.
func (b *boot) assumedImage() xlat.Linear {
	return xlat.Linear{Virt: KernelMap, Size: imageArea, Phys: b.k.PhysBase}
}

// setRoot notes where the kernel's page tables and image are.
func (b *boot) setRoot(w xlat.X86, root mem.Phys, physBase mem.Phys, from string) {
	b.walker, b.root, b.haveRoot = w, root, true
	b.k.PhysBase = physBase
	b.k.Mem = xlat.NewSpace(b.k.Phys, w, root)
	b.k.trail.found("page tables", fmt.Sprintf("%d levels, root at %#x, phys_base %#x", w.Levels, uint64(root), uint64(physBase)), from)
}

// rootFromInfo finds the root by the symbols and numbers of VMCOREINFO, and
// checks it: its own tables must map _stext to where phys_base says it is.
func (b *boot) rootFromInfo(info *vmcoreinfo.Info) error {
	stext, ok := info.Symbol("_stext")
	swapper, ok2 := info.Symbol("swapper_pg_dir")
	if !ok || !ok2 {
		return errors.New("it has no SYMBOL(_stext) or no SYMBOL(swapper_pg_dir)")
	}
	b.walker.EncryptMask = 0
	if m, ok := info.Number("sme_mask"); ok {
		b.walker.EncryptMask = uint64(m)
	}
	try := func(pb mem.Phys, from string) bool {
		for _, levels := range levelOrder(info) {
			w := xlat.X86{Levels: levels, EncryptMask: b.walker.EncryptMask}
			root := imagePhys(swapper, pb)
			if mapsTo(b.k.Phys, w, root, stext, imagePhys(stext, pb)) {
				b.setRoot(w, root, pb, from)
				return true
			}
		}
		return false
	}
	// Since v4.10, 401721ecd1dc ("kexec: export the value of phys_base instead of symbol address").
	if n, ok := info.Number("phys_base"); ok && try(mem.Phys(n), "VMCOREINFO swapper_pg_dir and phys_base; they map _stext") {
		return nil
	}
	for pb := range b.physBases(stext) {
		if try(pb, "VMCOREINFO swapper_pg_dir; phys_base by trying each place where it maps _stext") {
			return nil
		}
	}
	return errors.New("no phys_base makes its page tables map _stext")
}

// levelOrder gives the numbers of page-table levels to try, the likelier first.
func levelOrder(info *vmcoreinfo.Info) []int {
	if n, ok := info.Number("pgtable_l5_enabled"); ok && n != 0 {
		return []int{5, 4}
	}
	return []int{4, 5}
}

// imagePhys is where an address of the kernel image lies, given phys_base.
func imagePhys(va mem.Virt, physBase mem.Phys) mem.Phys { return mem.Phys(va-KernelMap) + physBase }

// mapsTo says whether the tables at root translate va to want.
func mapsTo(phys mem.Reader[mem.Phys], w xlat.Walker, root mem.Phys, va mem.Virt, want mem.Phys) bool {
	m, err := w.Walk(phys, root, va)
	return err == nil && m.Phys == want
}

// physBases gives every phys_base that would put va into stored memory at the
// image's alignment: at most one for each 2 MiB of RAM.
func (b *boot) physBases(va mem.Virt) func(yield func(mem.Phys) bool) {
	off := mem.Phys(va - KernelMap)
	return func(yield func(mem.Phys) bool) {
		for e := range b.k.Image.Extents() {
			first := (e.Start + imageAlign - 1) &^ (imageAlign - 1)
			for at := first; at < e.End() && b.ctx.Err() == nil; at += imageAlign {
				if !yield(at + off%imageAlign - off) {
					return
				}
			}
		}
	}
}

// rootFromRegisters finds the kernel image through the CR3 of a CPU. In user
// mode of a kernel with page-table isolation CR3 names the user table, which
// maps little of the kernel; the kernel's is the page before it.
func (b *boot) rootFromRegisters() error {
	err := errors.New("no CPU with control registers")
	for _, cpu := range b.cpus {
		if cpu.Control == nil {
			continue
		}
		w := xlat.X86{Levels: 4}
		if cpu.Control.CR4&cr4LA57 != 0 {
			w.Levels = 5
		}
		root := w.Root(cpu.Control.CR3)
		for _, r := range []mem.Phys{root &^ xlat.CR3UserTable, root} {
			var image imageMap
			if image, err = imageOf(b.k.Phys, w, r); err == nil {
				b.image = image
				pb := image.Phys - mem.Phys(image.Virt-KernelMap)
				b.setRoot(w, r, pb, fmt.Sprintf("CR3 of CPU %d in the %s note", cpu.Index, cpu.Source))
				return nil
			}
		}
	}
	return err
}

// imageMap is a kernel image as page tables map it.
type imageMap struct {
	xlat.Linear
	// constant are the parts that are neither writable nor executable: its
	// read-only data.
	constant []mem.Extent
}

// imageOf finds the kernel image that the tables at root map: the first mapped
// run of the image area, in which virtual and physical addresses keep their
// distance. Holes are parts that the kernel has freed.
func imageOf(phys mem.Reader[mem.Phys], w xlat.Walker, root mem.Phys) (imageMap, error) {
	var image imageMap
	for off := mem.Virt(0); off < imageArea && image.Size < maxImage; off += imageAlign {
		va := KernelMap + off
		m, err := w.Walk(phys, root, va)
		if err != nil {
			if image.Size != 0 && va-image.Virt-mem.Virt(image.Size) > maxImageHole {
				break
			}
			continue
		}
		if image.Size == 0 {
			image.Linear = xlat.Linear{Virt: va, Phys: m.Phys}
		} else if m.Phys-image.Phys != mem.Phys(va-image.Virt) {
			break // something else: the image has ended
		}
		image.Size = uint64(va-image.Virt) + imageAlign
		if leaf, ok := m.Leaf(); ok && leaf.Entry&xlat.PageRW == 0 && leaf.Entry&xlat.PageNX != 0 {
			image.constant = append(image.constant, mem.Extent{Start: m.Phys, Size: imageAlign})
		}
	}
	if image.Size == 0 {
		return image, errNoImage
	}
	return image, nil
}

// rootFromScan looks for a VMCOREINFO in all memory whose page tables fit.
func (b *boot) rootFromScan() bool {
	found, err := vmcoreinfo.Scan(b.ctx, b.k.Image)
	if err != nil {
		b.k.trail.failed("VMCOREINFO", err)
	}
	for _, c := range found {
		if b.rootFromInfo(c.Info) == nil {
			b.setInfo(c.Info, c.String())
			return true
		}
	}
	b.k.trail.failed("VMCOREINFO", fmt.Errorf("no note, and %d copies found in RAM", len(found)))
	return false
}

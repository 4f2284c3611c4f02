package kernel

import (
	"context"
	"errors"
	"fmt"

	"github.com/kinquest/inquest/arch"
	"github.com/kinquest/inquest/ctype"
	"github.com/kinquest/inquest/dump"
	"github.com/kinquest/inquest/dump/vmcoreinfo"
	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/mem/xlat"
	"github.com/kinquest/inquest/sym"
)

// Open rebuilds the kernel inside an image. The error wraps ErrNoKernel when
// there is none to be found, or says what the dump or the kernel lacks; in
// that case the Kernel, when it is not nil, still carries the evidence found
// so far and may read physical memory.
func Open(ctx context.Context, img dump.Image) (*Kernel, error) {
	b := &boot{k: &Kernel{Image: img, Phys: img}, ctx: ctx}
	if err := b.machine(); err != nil {
		return b.k, err
	}
	for _, stage := range []func() error{b.notes, b.findImage, b.findSymbols, b.findSpace, b.findTypes} {
		if err := stage(); err != nil {
			return b.k, err
		}
		if err := ctx.Err(); err != nil {
			return b.k, err
		}
	}
	b.k.loadModules()
	return b.k, ctx.Err()
}

// boot is the state of the bootstrap: what the stages so far have established.
type boot struct {
	k   *Kernel
	ctx context.Context

	cpus []arch.CPU
	info *vmcoreinfo.Info

	walker   xlat.X86
	root     mem.Phys
	haveRoot bool
	types    func() loadedTypes // nil when nobody reads them yet
	// unverified: the page tables are lost, and the image's place is only said.
	unverified bool
	image      imageMap // the kernel image as CR3 maps it; Size 0 when not looked at
}

// machine refuses what the rest is not made for.
func (b *boot) machine() error {
	switch m := b.k.Image.Info().Machine; m {
	case arch.X86_64, arch.None:
		return nil
	default:
		return fmt.Errorf("inquest cannot read kernels of %s machines yet, only of x86_64", m)
	}
}

// notes reads the VMCOREINFO note and the CPUs' registers.
func (b *boot) notes() error {
	cpus, err := b.k.RegisterNotes()
	switch {
	case err != nil:
		b.k.trail.failed("registers", err)
	case len(cpus) == 0:
		b.k.trail.failed("registers", errors.New("the dump records no CPU registers"))
	default:
		b.k.trail.found("registers", fmt.Sprintf("%d CPUs", len(cpus)), cpus[0].Source+" notes")
	}
	b.cpus = cpus
	for n := range b.k.Image.Notes() {
		if n.Name != "VMCOREINFO" {
			continue
		}
		info, err := vmcoreinfo.Parse(n.Desc)
		if err != nil {
			b.k.trail.failed("VMCOREINFO", fmt.Errorf("note: %w", err))
			continue
		}
		b.setInfo(info, "note of the dump")
		break
	}
	return nil
}

func (b *boot) setInfo(info *vmcoreinfo.Info, from string) {
	b.info, b.k.VMCoreInfo = info, info
	b.k.trail.found("VMCOREINFO", fmt.Sprintf("release %s, %d entries", info.OSRelease, info.Len()), from)
}

// Assemble makes a kernel of parts that the caller found by other means than
// Open: its address space, symbols and types. The kernel has no image.
func Assemble(space *xlat.Space, symbols *sym.Table, types ctype.Source) (*Kernel, error) {
	k := &Kernel{Mem: space, Symbols: symbols, Types: types}
	if err := k.findCPUs(); err != nil {
		return nil, err
	}
	k.loadModules()
	return k, nil
}

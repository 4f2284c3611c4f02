// Package kernel rebuilds the kernel inside an open dump: its address space,
// symbols, types, CPUs and modules. Open runs named stages, each of which says
// what it found and from which evidence; a stage that fails takes abilities
// away and leaves the rest.
//
// The packages below kernel/ (task, printk, module, …) read one subsystem each.
package kernel

import (
	"fmt"

	"github.com/kinquest/inquest/arch"
	"github.com/kinquest/inquest/ctype"
	"github.com/kinquest/inquest/ctype/layout"
	"github.com/kinquest/inquest/dump"
	"github.com/kinquest/inquest/dump/vmcoreinfo"
	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/mem/xlat"
	"github.com/kinquest/inquest/sym"
)

// Kernel is the kernel of an opened dump. It is immutable and safe for
// concurrent use.
type Kernel struct {
	Image dump.Image
	// Phys reads physical memory; dump.Open's images cache it.
	Phys mem.Reader[mem.Phys]
	// Mem reads kernel virtual memory.
	Mem *xlat.Space
	// VMCoreInfo is the kernel's own description of itself; nil when neither a
	// note nor a copy in RAM was found.
	VMCoreInfo *vmcoreinfo.Info
	// Symbols of the kernel and of its modules.
	Symbols *sym.Table
	// Types of the kernel proper, and of its global variables.
	Types ctype.Source

	// PhysBase is what the kernel image's physical address differs by from its
	// place at KernelMap: phys = virt - KernelMap + PhysBase (C phys_base).
	PhysBase mem.Phys
	// KASLROffset is by how many bytes the kernel image lies above the address
	// it was linked for. It is meaningful when KASLRKnown is set.
	KASLROffset uint64
	KASLRKnown  bool
	// DirectMap is the range where the kernel maps all RAM one to one
	// (PAGE_OFFSET); Size 0 when it was not found.
	DirectMap xlat.Linear

	trail   trail
	cpus    cpus
	modules []Module
	modErr  error
}

// KernelMap is where x86_64 kernels map their image (C __START_KERNEL_map,
// arch/x86/include/asm/page_64_types.h).
const KernelMap mem.Virt = 0xffffffff80000000

// Evidence is what the bootstrap found, stage by stage.
func (k *Kernel) Evidence() []Evidence { return k.trail }

// Sym gives the address of a kernel symbol. Names are tried in order, the
// newest kernel's first; the error is a *UnsupportedError.
func (k *Kernel) Sym(names ...string) (mem.Virt, error) {
	s, err := k.symbol(names...)
	return s.Addr, err
}

// HasSym says whether the kernel itself has a symbol of that name.
func (k *Kernel) HasSym(name string) bool {
	_, err := k.symbol(name)
	return err == nil
}

// symbol gives the kernel's own symbol of the first name that it has.
func (k *Kernel) symbol(names ...string) (sym.Symbol, error) {
	for _, n := range names {
		// The kernel's symbols come before those of modules.
		if all, err := k.Symbols.Lookup(n); err == nil && all[0].Module == "" {
			return all[0], nil
		}
	}
	return sym.Symbol{}, Unsupported("symbol", names...)
}

// Bind fills the layout fields of dst from the kernel's types; see layout.Bind.
func (k *Kernel) Bind(dst any) error {
	if k.Types == nil {
		return &UnsupportedError{What: "type information", Hint: "supply a vmlinux with debug information"}
	}
	return layout.Bind(k.Types, dst)
}

// enumerator gives the value of an enumerator of a named enum.
func (k *Kernel) enumerator(enum, name string) (uint64, error) {
	t, err := k.Types.Find(ctype.EnumKind, enum)
	if err != nil {
		return 0, err
	}
	if e, ok := t.(*ctype.Enum); ok {
		for _, v := range e.Values {
			if v.Name == name {
				return v.Value, nil
			}
		}
	}
	return 0, &ctype.LookupError{In: "enum " + enum, Tried: []string{name}}
}

// SymU64 reads the 64-bit variable at a symbol.
func (k *Kernel) SymU64(names ...string) (uint64, error) {
	at, err := k.Sym(names...)
	if err != nil {
		return 0, err
	}
	v, err := mem.U64(k.Mem, at)
	return v, wrap(names[0], err)
}

// SymU32 reads the 32-bit variable at a symbol.
func (k *Kernel) SymU32(names ...string) (uint32, error) {
	at, err := k.Sym(names...)
	if err != nil {
		return 0, err
	}
	v, err := mem.U32(k.Mem, at)
	return v, wrap(names[0], err)
}

// RegisterNotes gives the CPUs whose registers the dump recorded, in file
// order; none when the format has no registers.
func (k *Kernel) RegisterNotes() ([]arch.CPU, error) {
	src, ok := k.Image.(dump.CPUSource)
	if !ok {
		return nil, nil
	}
	return src.CPUs()
}

// SpaceOf gives the address space of a task: the user half and the kernel half
// as its own page tables map them. pgd is the virtual address of its top-level
// table (mm_struct.pgd).
func (k *Kernel) SpaceOf(pgd mem.Virt) (*xlat.Space, error) {
	root, err := k.Mem.Phys(pgd)
	if err != nil {
		return nil, fmt.Errorf("page-table root of the task: %w", err)
	}
	return k.Mem.WithRoot(root), nil
}

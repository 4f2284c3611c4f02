package xlat

import (
	"fmt"

	"github.com/kinquest/inquest/mem"
)

// Bits of an x86_64 page-table entry (Intel SDM vol. 3A, section 4.5;
// arch/x86/include/asm/pgtable_types.h).
const (
	PagePresent  = 1 << 0
	PageRW       = 1 << 1
	PageUser     = 1 << 2
	PagePWT      = 1 << 3
	PagePCD      = 1 << 4
	PageAccessed = 1 << 5
	PageDirty    = 1 << 6
	PagePSE      = 1 << 7 // a large page, at PMD and PUD level
	PageGlobal   = 1 << 8
	PageNX       = 1 << 63

	// pageAddrMask holds the physical address bits of an entry, 12 to 51.
	pageAddrMask = 0x000ffffffffff000
)

// Bits of CR3 that are not part of the table's address.
const (
	// cr3AddrMask cuts the PCID (bits 0 to 11) and the flags above bit 51.
	cr3AddrMask = pageAddrMask
	// CR3UserTable is set in CR3 while a kernel with page-table isolation runs
	// in user mode: the user table is the page behind the kernel's
	// (PTI_USER_PGTABLE_BIT, arch/x86/include/asm/processor-flags.h).
	CR3UserTable = 1 << 12
)

// X86 walks x86_64 page tables.
type X86 struct {
	Levels int // 4, or 5 with CR4.LA57
	// EncryptMask is the SME/SEV "C" bit, which entries carry beside the
	// address (NUMBER(sme_mask) of VMCOREINFO); 0 without memory encryption.
	EncryptMask uint64
}

// x86Level describes the levels from the leaf upwards.
var x86Level = [MaxLevels]struct {
	name  string
	shift uint
	large bool // entries may map a page themselves
}{
	{"PTE", 12, false},
	{"PMD", 21, true},
	{"PUD", 30, true},
	{"P4D", 39, false},
	{"PGD", 48, false},
}

// Root gives the physical address of the top-level table that cr3 names.
func (w X86) Root(cr3 uint64) mem.Phys {
	return mem.Phys(cr3 & cr3AddrMask &^ w.EncryptMask)
}

// Canonical says whether va is a legal address: the bits above the topmost
// translated one are copies of it.
func (w X86) Canonical(va mem.Virt) bool {
	top := 64 - (12 + 9*uint(w.Levels))
	return int64(va)<<top>>top == int64(va)
}

// Walk implements Walker.
func (w X86) Walk(pt mem.Reader[mem.Phys], root mem.Phys, va mem.Virt) (Mapping, error) {
	m := Mapping{Virt: va}
	if !w.Canonical(va) {
		return m, mem.Fault(va, fmt.Errorf("address is not canonical: %w", mem.ErrUnmapped))
	}
	table := root
	for lvl := w.Levels - 1; lvl >= 0; lvl-- {
		l := &x86Level[lvl]
		at := table + mem.Phys(uint64(va)>>l.shift&0x1ff)*8
		entry, err := mem.U64(pt, at)
		if err != nil {
			return m, entryError(w.levelName(lvl), va, err)
		}
		m.add(Step{w.levelName(lvl), at, entry})
		if entry&PagePresent == 0 {
			return m, mem.Fault(va, fmt.Errorf("%s entry %#x not present: %w", w.levelName(lvl), entry, mem.ErrUnmapped))
		}
		table = mem.Phys(entry & pageAddrMask &^ w.EncryptMask)
		if lvl == 0 || l.large && entry&PagePSE != 0 {
			m.PageSize = 1 << l.shift
			mask := mem.Phys(m.PageSize - 1)
			m.Phys = table&^mask | mem.Phys(va)&mask
			return m, nil
		}
	}
	return m, mem.Fault(va, mem.ErrUnmapped) // only with Levels == 0
}

// levelName calls the top level PGD also where it is the fourth.
func (w X86) levelName(lvl int) string {
	if lvl == w.Levels-1 {
		return "PGD"
	}
	return x86Level[lvl].name
}

// Package xlat turns virtual addresses into physical ones as the dumped CPU
// would: page-table walkers, and Space, a virtual memory reader on top of them.
package xlat

import (
	"fmt"

	"github.com/kinquest/inquest/mem"
)

// Walker walks the page tables of one architecture and mode.
type Walker interface {
	// Walk translates va with the table at root. The Mapping holds every step
	// that was taken, also when err is not nil: then err is a *mem.FaultError
	// for va, or for the page-table entry that could not be read.
	Walk(pt mem.Reader[mem.Phys], root mem.Phys, va mem.Virt) (Mapping, error)
}

// MaxLevels is the largest number of page-table levels of any Walker.
const MaxLevels = 5

// Step is one page-table entry on the way to a page.
type Step struct {
	Level string   // "PGD", "P4D", "PUD", "PMD", "PTE"
	At    mem.Phys // where the entry lies
	Entry uint64   // its raw value
}

// Mapping is the translation of one virtual address.
type Mapping struct {
	Virt     mem.Virt
	Phys     mem.Phys // of Virt itself, not of its page
	PageSize uint64   // bytes: 4 KiB, 2 MiB or 1 GiB; 0 when nothing is mapped

	steps  [MaxLevels]Step
	nsteps int
}

// Steps gives the page-table entries that were read, from the root down.
func (m *Mapping) Steps() []Step { return m.steps[:m.nsteps] }

// Leaf is the last entry that was read; ok is false when there is none.
func (m *Mapping) Leaf() (s Step, ok bool) {
	if m.nsteps == 0 {
		return Step{}, false
	}
	return m.steps[m.nsteps-1], true
}

func (m *Mapping) add(s Step) { m.steps[m.nsteps] = s; m.nsteps++ }

// entryError is a page-table entry that could not be read.
func entryError(level string, va mem.Virt, err error) error {
	return &mem.FaultError{Space: "virt", Addr: uint64(va), Err: fmt.Errorf("%s entry: %w", level, err)}
}

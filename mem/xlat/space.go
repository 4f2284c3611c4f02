package xlat

import (
	"errors"
	"sync/atomic"

	"github.com/kinquest/inquest/mem"
)

// Linear is a range of virtual addresses that the kernel maps one to one:
// the direct map of all RAM, and the kernel image.
type Linear struct {
	Virt mem.Virt
	Size uint64 // bytes
	Phys mem.Phys
}

// Space is a virtual address space: a mem.Reader[mem.Virt] over physical
// memory. It is safe for concurrent use.
type Space struct {
	phys   mem.Reader[mem.Phys]
	walker Walker
	root   mem.Phys
	linear []Linear
	tlb    [tlbSize]atomic.Pointer[tlbEntry]
}

// tlbSize bounds the translation cache: 4096 pages reach over 16 MiB of
// scattered stacks and task structs.
const tlbSize = 4096

type tlbEntry struct {
	page mem.Virt // 4 KiB aligned
	phys mem.Phys
}

// NewSpace makes the address space whose top-level page table is at root.
// Addresses in a linear range are translated without a walk; the ranges are
// tried in order.
func NewSpace(phys mem.Reader[mem.Phys], w Walker, root mem.Phys, linear ...Linear) *Space {
	return &Space{phys: phys, walker: w, root: root, linear: linear}
}

// Root is the physical address of the top-level page table.
func (s *Space) Root() mem.Phys { return s.root }

// Walker is the page-table walker of the space.
func (s *Space) Walker() Walker { return s.walker }

// WithRoot gives the space of another top-level table with the same walker and
// the same linear ranges: a task's own view.
func (s *Space) WithRoot(root mem.Phys) *Space {
	return NewSpace(s.phys, s.walker, root, s.linear...)
}

// Walk translates va by the page tables alone, with every step.
func (s *Space) Walk(va mem.Virt) (Mapping, error) {
	return s.walker.Walk(s.phys, s.root, va)
}

// Phys translates va. The error is a *mem.FaultError for va.
func (s *Space) Phys(va mem.Virt) (mem.Phys, error) {
	phys, _, err := s.run(va)
	return phys, err
}

// run translates va, and says how many bytes from there on lie in one piece of
// physical memory: the rest of a linear range, or of a page.
func (s *Space) run(va mem.Virt) (phys mem.Phys, size uint64, err error) {
	for i := range s.linear {
		if l := &s.linear[i]; uint64(va-l.Virt) < l.Size {
			return l.Phys + mem.Phys(va-l.Virt), l.Size - uint64(va-l.Virt), nil
		}
	}
	page, off := va&^(mem.PageSize-1), mem.Phys(va&(mem.PageSize-1))
	slot := &s.tlb[uint64(page)/mem.PageSize%tlbSize]
	if e := slot.Load(); e != nil && e.page == page {
		return e.phys + off, uint64(mem.PageSize - off), nil
	}
	m, err := s.walker.Walk(s.phys, s.root, va)
	if err != nil {
		return 0, 0, err
	}
	phys = m.Phys - off
	slot.Store(&tlbEntry{page, phys})
	return phys + off, uint64(mem.PageSize - off), nil
}

// ReadMem implements mem.Reader. A fault names the virtual address and wraps
// the reason why its page could not be read.
func (s *Space) ReadMem(p []byte, va mem.Virt) (int, error) {
	done := 0
	for done < len(p) {
		at := va + mem.Virt(done)
		if at < va {
			return done, mem.Fault(at, mem.ErrUnmapped) // wrapped around the end
		}
		phys, size, err := s.run(at)
		if err != nil {
			return done, err
		}
		n := int(min(uint64(len(p)-done), size))
		for done+n < len(p) { // neighbours in both spaces are read at once
			next, more, err := s.run(at + mem.Virt(n))
			if err != nil || next != phys+mem.Phys(n) {
				break
			}
			n += int(min(uint64(len(p)-done-n), more))
		}
		got, err := s.phys.ReadMem(p[done:done+n], phys)
		done += got
		if err != nil {
			return done, virtFault(va+mem.Virt(done), err)
		}
	}
	return done, nil
}

// virtFault turns a physical fault into one of the virtual address it served.
func virtFault(va mem.Virt, err error) error {
	var f *mem.FaultError
	if errors.As(err, &f) {
		err = f.Err
	}
	return mem.Fault(va, err)
}

package orc

import (
	"fmt"
	"sync/atomic"

	"github.com/kinquest/inquest/mem"
)

// sparse is an array in the kernel's memory of which pages are read when they
// are first needed, and kept. It is safe for concurrent use.
type sparse struct {
	m     mem.Reader[mem.Virt]
	start mem.Virt // page that holds the first byte
	skip  uint64   // of that page
	size  uint64   // bytes of the array
	pages []atomic.Pointer[[mem.PageSize]byte]
}

func newSparse(m mem.Reader[mem.Virt], addr mem.Virt, size uint64) (*sparse, error) {
	if uint64(addr)+size < size {
		return nil, fmt.Errorf("table of %d bytes at %v runs over the end of memory", size, addr)
	}
	s := &sparse{m: m, size: size, skip: uint64(addr) % mem.PageSize}
	s.start = addr - mem.Virt(s.skip)
	s.pages = make([]atomic.Pointer[[mem.PageSize]byte], (s.skip+size+mem.PageSize-1)/mem.PageSize)
	return s, nil
}

// page gives page i, reading it at most once unless readers race.
func (s *sparse) page(i uint64) (*[mem.PageSize]byte, error) {
	if p := s.pages[i].Load(); p != nil {
		return p, nil
	}
	p := new([mem.PageSize]byte)
	if _, err := s.m.ReadMem(p[:], s.start+mem.Virt(i*mem.PageSize)); err != nil {
		return nil, err
	}
	s.pages[i].Store(p)
	return p, nil
}

// read fills dst from byte off on, which may cross into the next page.
func (s *sparse) read(dst []byte, off uint64) error {
	if off > s.size || uint64(len(dst)) > s.size-off {
		return fmt.Errorf("offset %d is beyond a table of %d bytes", off, s.size)
	}
	off += s.skip
	for len(dst) > 0 {
		p, err := s.page(off / mem.PageSize)
		if err != nil {
			return err
		}
		n := copy(dst, p[off%mem.PageSize:])
		dst, off = dst[n:], off+uint64(n)
	}
	return nil
}

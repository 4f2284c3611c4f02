package elfcore

import (
	"iter"

	"github.com/kinquest/inquest/dump/format"
	"github.com/kinquest/inquest/internal/overlay"
	"github.com/kinquest/inquest/mem"
)

// ReadMem reads physical memory straight from the file, one file read for each
// segment touched. Faults: mem.ErrExcluded for memory that a segment describes
// without storing it, mem.ErrTruncated where the file ends, mem.ErrIO, and
// mem.ErrNotStored elsewhere.
func (f *File) ReadMem(p []byte, addr mem.Phys) (int, error) {
	done := 0
	for done < len(p) {
		at := uint64(addr) + uint64(done)
		if at < uint64(addr) { // past 2^64
			return done, mem.Fault(mem.Phys(at), mem.ErrNotStored)
		}
		i, ok := overlay.Find(f.stored, at)
		if !ok {
			return done, mem.Fault(mem.Phys(at), f.absence(at))
		}
		s := f.stored[i]
		want := min(uint64(len(p)-done), s.End()-at)
		n, err := readAt(f.src, p[done:done+int(want)], s.Off+int64(at-s.Start))
		done += n
		if err != nil {
			return done, mem.Fault(addr+mem.Phys(done), format.Cause(err))
		}
	}
	return done, nil
}

// absence is why addr, which is not stored, is not.
func (f *File) absence(addr uint64) error {
	if _, ok := overlay.Find(f.lost, addr); ok {
		return mem.ErrTruncated
	}
	if _, ok := overlay.Find(f.absent, addr); ok {
		return mem.ErrExcluded
	}
	return mem.ErrNotStored
}

// PageState says what the headers tell of the byte at addr. Zero is never
// answered: an ELF core does not mark pages of zeroes.
func (f *File) PageState(addr mem.Phys) format.PageState {
	if _, ok := overlay.Find(f.stored, uint64(addr)); ok {
		return format.Stored
	}
	switch f.absence(uint64(addr)) {
	case mem.ErrTruncated:
		return format.Lost
	case mem.ErrExcluded:
		return format.Excluded
	}
	return format.NotStored
}

// Extents gives the stored ranges in ascending order. In QEMU's dumps they
// include device memory (VGA, flash), which is not RAM.
func (f *File) Extents() iter.Seq[mem.Extent] {
	return func(yield func(mem.Extent) bool) {
		for i := 0; i < len(f.stored); i++ {
			e := mem.Extent{Start: mem.Phys(f.stored[i].Start), Size: f.stored[i].Size}
			for i+1 < len(f.stored) && f.stored[i+1].Start == uint64(e.End()) {
				i++
				e.Size += f.stored[i].Size
			}
			if !yield(e) {
				return
			}
		}
	}
}

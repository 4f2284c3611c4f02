package dump_test

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/kinquest/inquest/dump"
	"github.com/kinquest/inquest/mem"
)

// promised is an image that promises size bytes and has those from lo to hi.
type promised struct {
	dump.Image
	size   uint64
	lo, hi mem.Phys
}

func (p promised) Extents() iter.Seq[mem.Extent] {
	return func(yield func(mem.Extent) bool) { yield(mem.Extent{Size: p.size}) }
}

func (p promised) ReadMem(b []byte, addr mem.Phys) (int, error) {
	if addr < p.lo || addr >= p.hi {
		return 0, mem.Fault(addr, mem.ErrTruncated)
	}
	n := min(uint64(len(b)), uint64(p.hi-addr))
	if n < uint64(len(b)) {
		return int(n), mem.Fault(p.hi, mem.ErrTruncated)
	}
	return len(b), nil
}

func TestScanOfMoreMemoryThanThereIs(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	none := func([]byte, mem.Phys) error { t.Error("memory that is not there was read"); return nil }
	for _, size := range []uint64{1 << 40, 1 << 60, 1<<64 - 1} {
		if err := dump.Scan(ctx, promised{size: size}, 0, none); err != nil {
			t.Errorf("%#x bytes of nothing: %v", size, err)
		}
	}
}

func TestScanGoesOnBehindUnreadableMemory(t *testing.T) {
	seen := make(chan mem.Phys, 1024)
	img := promised{size: 100 << 20, lo: 50 << 20, hi: 100 << 20}
	err := dump.Scan(context.Background(), img, 0, func(_ []byte, at mem.Phys) error { seen <- at; return nil })
	if err != nil || len(seen) != 50 {
		t.Errorf("%d chunks of 50, %v", len(seen), err)
	}
}

package mem

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

// holes is memory of size bytes whose byte at a is byte(a>>8 ^ a), with pages
// that cannot be read, and one stretch that begins inside a page.
type holes struct {
	size   Phys
	bad    map[Phys]error // by page address
	ragged Phys           // addresses below, in the first page, are not stored
	reads  atomic.Int64
}

func pattern(a Phys) byte { return byte(a>>8 ^ a) }

func (h *holes) ReadMem(p []byte, addr Phys) (int, error) {
	h.reads.Add(1)
	for i := range p {
		a := addr + Phys(i)
		if err := h.bad[a&^(PageSize-1)]; err != nil {
			return i, Fault(a, err)
		}
		if a >= h.size || a < h.ragged {
			return i, Fault(a, ErrNotStored)
		}
		p[i] = pattern(a)
	}
	return len(p), nil
}

func newHoles() *holes {
	return &holes{size: 0x40000 + 100, ragged: 0x500,
		bad: map[Phys]error{0x5000: ErrExcluded, 0x10000: ErrIO, 0x11000: ErrIO, 0x12000: ErrIO, 0x13000: ErrIO}}
}

// TestCacheIsTransparent compares every kind of read with the source's answer.
func TestCacheIsTransparent(t *testing.T) {
	for _, lineSize := range []int{PageSize, 16 << 10, 256 << 10} {
		src := newHoles()
		c := NewCache(src, 64<<10, lineSize)
		rng := rand.New(rand.NewPCG(1, uint64(lineSize)))
		for range 600 {
			n, at := 1+rng.IntN(9000), Phys(rng.Uint64N(0x42000))
			want, got := make([]byte, n), make([]byte, n)
			wn, werr := src.ReadMem(want, at)
			gn, gerr := c.ReadMem(got, at)
			if wn != gn || !bytes.Equal(want[:wn], got[:gn]) {
				t.Fatalf("line %d: %d bytes at %#x: read %d, want %d", lineSize, n, at, gn, wn)
			}
			var wf, gf *FaultError
			if errors.As(werr, &wf) != errors.As(gerr, &gf) || wf != nil && *wf != *gf {
				t.Fatalf("line %d: %d bytes at %#x: %v, want %v", lineSize, n, at, gerr, werr)
			}
		}
	}
}

func TestCacheKeepsLinesAndPassesLargeReads(t *testing.T) {
	src := &holes{size: 1 << 20}
	c := NewCache(src, 1<<20, 16<<10)
	for range 100 {
		for a := Phys(0x4000); a < 0x8000; a += 8 {
			if v, err := U8(c, a); v != pattern(a) || err != nil {
				t.Fatal(v, err)
			}
		}
	}
	if n := src.reads.Load(); n != 1 {
		t.Errorf("%d reads of the source for one line", n)
	}
	if _, err := c.ReadMem(make([]byte, directRead), 0); err != nil || src.reads.Load() != 2 {
		t.Errorf("a large read took %d reads of the source, %v", src.reads.Load()-1, err)
	}
}

func TestCacheConcurrentReaders(t *testing.T) {
	c := NewCache(newHoles(), 32<<10, PageSize)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(9, uint64(w)))
			b := make([]byte, 64)
			for range 5000 {
				at := Phys(rng.Uint64N(0x40000))
				n, err := c.ReadMem(b, at)
				if (n < len(b)) != (err != nil) {
					t.Errorf("%d bytes, %v", n, err)
				}
				for i := range n {
					if b[i] != pattern(at+Phys(i)) {
						t.Errorf("wrong byte at %#x", at+Phys(i))
						return
					}
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkCacheHit(b *testing.B) {
	c := NewCache(&holes{size: 1 << 20}, 4<<20, 16<<10)
	var p [8]byte
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := c.ReadMem(p[:], Phys(i*4104)&0xffff8); err != nil {
			b.Fatal(err)
		}
	}
}

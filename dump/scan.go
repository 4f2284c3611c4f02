package dump

import (
	"context"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/kinquest/inquest/mem"
)

// scanChunk is the memory that a scan reads at once: large enough that images
// read past their caches and that files are read at full speed.
const scanChunk = 1 << 20

// Scan calls fn for all stored memory, in chunks of at most 1 MiB plus overlap
// bytes, on all cores at once and in no particular order. A chunk ends where
// stored memory ends; where it goes on, the first overlap bytes of the next
// chunk are at its end too, so that no object of up to overlap+1 bytes is cut
// in two. Pages that turn out unreadable end a chunk and are skipped. fn must
// not keep chunk. Scan stops at fn's first error, which it returns, and when
// ctx ends.
func Scan(ctx context.Context, img Image, overlap int, fn func(chunk []byte, at mem.Phys) error) error {
	g, ctx := errgroup.WithContext(ctx)
	work := make(chan mem.Extent)
	var barren atomic.Uint32 // chunks in a row of which nothing could be read
	g.Go(func() error {
		defer close(work)
		for e := range img.Extents() {
			for off := uint64(0); off < e.Size; {
				c := mem.Extent{Start: e.Start + mem.Phys(off), Size: min(scanChunk+uint64(overlap), e.Size-off)}
				select {
				case work <- c:
				case <-ctx.Done():
					return ctx.Err()
				}
				step := scanStep(barren.Load())
				if e.Size-off <= step {
					break
				}
				off += step
			}
		}
		return nil
	})
	for range runtime.GOMAXPROCS(0) {
		g.Go(func() error {
			var buf []byte
			for c := range work {
				if uint64(len(buf)) < c.Size {
					buf = make([]byte, c.Size)
				}
				got, err := scanRange(ctx, img, buf[:c.Size], c.Start, fn)
				if err != nil {
					return err
				}
				if barren.Add(1); got {
					barren.Store(0)
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// Steps over memory that cannot be read.
const (
	maxBarren = 64 // chunks
	maxLeap   = 40 // the largest step is 2^40 chunks, 2^60 bytes
)

// scanStep is the distance to the next chunk after so many in a row that could
// not be read.
func scanStep(barren uint32) uint64 {
	if barren <= maxBarren {
		return scanChunk
	}
	return scanChunk << min(barren-maxBarren, maxLeap)
}

// scanRange reads one chunk, in pieces where some of it is unreadable, and says
// whether any of it could be read.
func scanRange(ctx context.Context, img Image, buf []byte, at mem.Phys, fn func([]byte, mem.Phys) error) (got bool, err error) {
	for len(buf) > 0 {
		if err := ctx.Err(); err != nil {
			return got, err
		}
		n, err := img.ReadMem(buf, at)
		if n > 0 {
			got = true
			if err := fn(buf[:n:n], at); err != nil {
				return got, err
			}
		}
		if err == nil {
			return got, nil
		}
		bad := at + mem.Phys(n)
		skip := uint64(bad&^(mem.PageSize-1)+mem.PageSize) - uint64(at) // to the page after the fault
		if skip >= uint64(len(buf)) {
			return got, nil
		}
		buf, at = buf[skip:], at+mem.Phys(skip)
	}
	return got, nil
}

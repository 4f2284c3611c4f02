package dump

import (
	"context"
	"runtime"

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
	g.Go(func() error {
		defer close(work)
		for e := range img.Extents() {
			for off := uint64(0); off < e.Size; off += scanChunk {
				c := mem.Extent{Start: e.Start + mem.Phys(off), Size: min(scanChunk+uint64(overlap), e.Size-off)}
				select {
				case work <- c:
				case <-ctx.Done():
					return ctx.Err()
				}
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
				if err := scanRange(ctx, img, buf[:c.Size], c.Start, fn); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// scanRange reads one chunk, in pieces where some of it is unreadable.
func scanRange(ctx context.Context, img Image, buf []byte, at mem.Phys, fn func([]byte, mem.Phys) error) error {
	for len(buf) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := img.ReadMem(buf, at)
		if n > 0 {
			if err := fn(buf[:n:n], at); err != nil {
				return err
			}
		}
		if err == nil {
			return nil
		}
		bad := at + mem.Phys(n)
		skip := uint64(bad&^(mem.PageSize-1)+mem.PageSize) - uint64(at) // to the page after the fault
		if skip >= uint64(len(buf)) {
			return nil
		}
		buf, at = buf[skip:], at+mem.Phys(skip)
	}
	return nil
}

package vmcoreinfo

import (
	"context"
	"errors"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/kinquest/inquest/mem"
)

// chunkSize is how much memory one step reads: large enough for full memory
// bandwidth, small enough for the processor's second-level cache.
const chunkSize = 1 << 20

// scanExtents calls fn for all readable memory in pieces, from several
// goroutines at once. Each piece begins overlap bytes before the end of its
// predecessor where the memory goes on. fn must not keep b.
func scanExtents(ctx context.Context, src Source, overlap int, fn func(addr mem.Phys, b []byte)) error {
	g, ctx := errgroup.WithContext(ctx)
	work := make(chan mem.Extent)
	g.Go(func() error {
		defer close(work)
		for e := range src.Extents() {
			for e.Size > 0 {
				piece := mem.Extent{Start: e.Start, Size: min(e.Size, chunkSize+uint64(overlap))}
				select {
				case work <- piece:
				case <-ctx.Done():
					return ctx.Err()
				}
				step := min(e.Size, chunkSize)
				e = mem.Extent{Start: e.Start + mem.Phys(step), Size: e.Size - step}
			}
		}
		return nil
	})
	for range runtime.GOMAXPROCS(0) {
		g.Go(func() error {
			buf := make([]byte, chunkSize+overlap)
			for e := range work {
				scanPiece(src, e, buf[:e.Size], fn)
			}
			return nil
		})
	}
	return g.Wait()
}

// scanPiece reads e into buf and passes on what is readable of it.
func scanPiece(src Source, e mem.Extent, buf []byte, fn func(addr mem.Phys, b []byte)) {
	for len(buf) > 0 {
		n, err := src.ReadMem(buf, e.Start)
		if n > 0 {
			fn(e.Start, buf[:n])
		}
		var fault *mem.FaultError
		if err == nil || !errors.As(err, &fault) {
			return
		}
		next := (mem.Phys(n) + e.Start + mem.PageSize) &^ (mem.PageSize - 1)
		skip := uint64(next - e.Start)
		if skip >= uint64(len(buf)) {
			return
		}
		e.Start, buf = next, buf[skip:]
	}
}

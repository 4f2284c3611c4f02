package kdump

import (
	"errors"
	"fmt"
	"iter"
	"math/bits"
	"runtime"
	"sync"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"

	"github.com/kinquest/inquest/dump/format"
	"github.com/kinquest/inquest/internal/inflate"
	"github.com/kinquest/inquest/internal/lzo"
	"github.com/kinquest/inquest/mem"
)

const (
	// runPages bounds the pages whose data is read from the file at once.
	runPages = 64
	// parallelRead is the size from which one read is unpacked on all cores.
	parallelRead = 64 << 10
)

// worker is the state that one goroutine needs to unpack pages.
type worker struct {
	in   []byte // compressed data of a run of pages
	page []byte // for reads of part of a page
	zlib inflate.Decoder
	zstd *zstd.Decoder
	run  [runPages]desc
}

func newWorker(pageSize int) *worker {
	return &worker{in: make([]byte, runPages*pageSize), page: make([]byte, pageSize)}
}

// member gives the file that holds pfn's part of memory.
func (f *File) member(pfn uint64) *member {
	for _, m := range f.members {
		if pfn >= m.hdr.start && pfn < m.hdr.end {
			return m
		}
	}
	return nil
}

// locate gives the descriptor of a page, or the reason why there is none.
func (f *File) locate(pfn uint64) (*member, desc, error) {
	m := f.member(pfn)
	if m == nil {
		if pfn < f.members[0].pfns { // of a missing file, or behind the end of a cut bitmap
			return nil, desc{}, f.lost(pfn)
		}
		return nil, desc{}, mem.ErrNotStored
	}
	i, stored, err := m.index(pfn)
	if err != nil {
		return nil, desc{}, format.Cause(err)
	}
	if !stored {
		return nil, desc{}, m.absence(pfn)
	}
	d, err := m.descriptor(i)
	if err != nil {
		return nil, desc{}, format.Cause(err)
	}
	return m, d, m.check(d)
}

// lost is why a page of no file at hand cannot be read: it is missing, unless
// the bitmaps of the files that are there say that it never was stored.
func (f *File) lost(pfn uint64) error {
	m := f.members[0]
	if c, err := m.chunk(m.bitmap2, pfn); err == nil && !c.has(pfn) {
		return m.absence(pfn)
	}
	return mem.ErrTruncated
}

// absence is why pfn, which the second bitmap lacks, is not stored.
func (m *member) absence(pfn uint64) error {
	if m.bitmap1 == m.bitmap2 {
		return mem.ErrNotStored
	}
	c, err := m.chunk(m.bitmap1, pfn)
	if err != nil {
		return format.Cause(err)
	}
	if c.has(pfn) {
		return mem.ErrExcluded
	}
	return mem.ErrNotStored
}

// check says whether a descriptor can be followed.
func (m *member) check(d desc) error {
	bs := m.hdr.blockSize
	switch {
	case d.off == 0: // the writer ran out of space before this page
		return mem.ErrTruncated
	case d.size == 0 || d.size > bs || d.flags&flagCodecs == 0 && d.size != bs || bits.OnesCount32(d.flags&flagCodecs) > 1:
		return fmt.Errorf("%w: descriptor of %d bytes with flags %#x", mem.ErrCorruptPage, d.size, d.flags)
	case d.off > uint64(m.size) || uint64(d.size) > uint64(m.size)-d.off:
		return mem.ErrTruncated
	}
	return nil
}

// PageState says what the dump knows of the page at addr. It reads the page's
// descriptor, but not the page. Of a page of zeroes it knows when the writer
// shared one among all of them.
func (f *File) PageState(addr mem.Phys) format.PageState {
	m, d, err := f.locate(uint64(addr) >> f.shift)
	switch {
	case errors.Is(err, mem.ErrNotStored):
		return format.NotStored
	case errors.Is(err, mem.ErrExcluded):
		return format.Excluded
	case err != nil:
		return format.Lost
	case m.isZero(d):
		return format.Zero
	}
	return format.Stored
}

// ReadMem reads physical memory, unpacking the pages that it touches; nothing
// is cached. Faults: mem.ErrExcluded, mem.ErrNotStored, mem.ErrTruncated,
// mem.ErrCorruptPage, mem.ErrIO.
func (f *File) ReadMem(p []byte, addr mem.Phys) (int, error) {
	if len(p) < parallelRead || runtime.GOMAXPROCS(0) == 1 {
		return f.read(p, addr)
	}
	n := runtime.GOMAXPROCS(0)
	share := (len(p)/n | (1<<f.shift - 1)) + 1
	type result struct {
		n   int
		err error
	}
	results := make([]result, (len(p)+share-1)/share)
	var wg sync.WaitGroup
	for i := range results {
		at := i * share
		wg.Go(func() {
			r := &results[i]
			r.n, r.err = f.read(p[at:min(at+share, len(p))], addr+mem.Phys(at))
		})
	}
	wg.Wait()
	for i, r := range results {
		if r.err != nil {
			return i*share + r.n, r.err
		}
	}
	return len(p), nil
}

func (f *File) read(p []byte, addr mem.Phys) (int, error) {
	w := f.workers.Get().(*worker)
	defer f.workers.Put(w)
	size := 1 << f.shift
	done := 0
	for done < len(p) {
		at := uint64(addr) + uint64(done)
		if at < uint64(addr) { // past 2^64
			return done, mem.Fault(mem.Phys(at), mem.ErrNotStored)
		}
		pfn, off := at>>f.shift, int(at&(1<<f.shift-1))
		if off != 0 || len(p)-done < size {
			if _, err := f.pages(w, w.page, pfn); err != nil {
				return done, mem.Fault(mem.Phys(at), err)
			}
			done += copy(p[done:], w.page[off:])
			continue
		}
		n, err := f.pages(w, p[done:len(p)-(len(p)-done)%size], pfn)
		done += n
		if err != nil {
			return done, mem.Fault(addr+mem.Phys(done), err)
		}
	}
	return done, nil
}

// pages unpacks whole pages into p, as many as lie behind each other in the
// file, at least one.
func (f *File) pages(w *worker, p []byte, pfn uint64) (int, error) {
	m, d, err := f.locate(pfn)
	if err != nil {
		return 0, err
	}
	size := 1 << f.shift
	if m.isZero(d) {
		clear(p[:size])
		return size, nil
	}
	n, end := 1, d.off+uint64(d.size)
	w.run[0] = d
	for n < min(len(p)/size, runPages) {
		mm, next, err := f.locate(pfn + uint64(n))
		if err != nil || mm != m {
			break
		}
		if !m.isZero(next) {
			if next.off != end {
				break
			}
			end += uint64(next.size)
		}
		w.run[n] = next
		n++
	}
	in := w.in[:end-d.off]
	if _, err := readAt(m.src, in, int64(d.off)); err != nil {
		return 0, format.Cause(err)
	}
	for i, d := range w.run[:n] {
		dst := p[i*size : (i+1)*size]
		if m.isZero(d) {
			clear(dst)
			continue
		}
		if err := f.unpack(w, dst, in[:d.size], d.flags); err != nil {
			return i * size, err
		}
		in = in[d.size:]
	}
	return n * size, nil
}

// unpack writes one page, which must come out whole.
func (f *File) unpack(w *worker, dst, src []byte, flags uint32) error {
	codec := flags & flagCodecs
	if codec&^f.seen.Load() != 0 {
		f.seen.Or(codec)
	}
	n := 0
	var err error
	switch codec {
	case 0:
		n = copy(dst, src)
	case flagZlib:
		n, err = w.zlib.Zlib(dst, src)
	case flagLZO:
		n, err = lzo.Decompress(dst, src)
	case flagSnappy:
		n, err = unsnap(dst, src)
	case flagZstd:
		n, err = w.unzstd(dst, src)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", mem.ErrCorruptPage, err)
	}
	if n != len(dst) {
		return fmt.Errorf("%w: it unpacks to %d bytes, not %d", mem.ErrCorruptPage, n, len(dst))
	}
	return nil
}

func unsnap(dst, src []byte) (int, error) {
	n, err := snappy.DecodedLen(src)
	if err != nil || n != len(dst) { // Decode would allocate a larger buffer
		return n, err
	}
	out, err := snappy.Decode(dst, src)
	return len(out), err
}

func (w *worker) unzstd(dst, src []byte) (int, error) {
	if w.zstd == nil {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxMemory(maxBlockSize), zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			return 0, err
		}
		w.zstd = d
	}
	out, err := w.zstd.DecodeAll(src, dst[:0:len(dst)])
	return len(out), err
}

// Extents gives the runs of stored pages in ascending order. Pages whose data
// was lost with a truncated file's end are among them.
func (f *File) Extents() iter.Seq[mem.Extent] {
	return func(yield func(mem.Extent) bool) {
		var run mem.Extent
		for _, m := range f.members {
			for pfn := m.hdr.start; pfn < m.hdr.end; {
				start, end, ok := m.nextRun(pfn)
				if !ok {
					break
				}
				e := mem.Extent{Start: mem.Phys(start << f.shift), Size: (end - start) << f.shift}
				pfn = end
				if run.Size > 0 && run.End() == e.Start {
					run.Size += e.Size
					continue
				}
				if run.Size > 0 && !yield(run) {
					return
				}
				run = e
			}
		}
		if run.Size > 0 {
			yield(run)
		}
	}
}

// nextRun finds the next run of stored pages from pfn on, within one chunk of
// the bitmap.
func (m *member) nextRun(pfn uint64) (start, end uint64, ok bool) {
	for pfn < m.hdr.end {
		if i := pfn/chunkPFNs - m.first; i+1 < uint64(len(m.ranks)) && m.ranks[i] == m.ranks[i+1] { // none in this chunk
			pfn = (pfn/chunkPFNs + 1) * chunkPFNs
			continue
		}
		c, err := m.chunk(m.bitmap2, pfn)
		if err != nil {
			return 0, 0, false
		}
		base := pfn / chunkPFNs * chunkPFNs
		limit := min(base+chunkPFNs, m.hdr.end)
		if start = base + c.next(pfn-base, false); start < limit {
			return start, min(base+c.next(start-base, true), limit), true
		}
		pfn = limit
	}
	return 0, 0, false
}

// next gives the first position from i on whose bit is set, or clear.
func (c *chunk) next(i uint64, clear bool) uint64 {
	for i < chunkPFNs {
		w := c.bits[i/64]
		if clear {
			w = ^w
		}
		if w >>= i % 64; w != 0 {
			return i + uint64(bits.TrailingZeros64(w))
		}
		i = i/64*64 + 64
	}
	return chunkPFNs
}

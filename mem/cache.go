package mem

import (
	"sync"

	"github.com/kinquest/inquest/internal/setcache"
)

// Cache sizes.
const (
	// directRead is the size from which a read goes to the source itself:
	// copying through the cache would cost more than it saves.
	directRead = 128 << 10
	// maxLine bounds a line's size: its pages' states fit 64 bits.
	maxLine = 64 * PageSize
)

// Cache keeps recently read physical memory. It is safe for concurrent use,
// and a read of cached memory takes no lock and allocates nothing. Faults are
// never cached as data: a read of memory that the source cannot give asks the
// source again and returns its fault.
type Cache struct {
	src   Reader[Phys]
	lines *setcache.Cache[*line]
	size  uint64    // of a line, bytes, a power of two
	spare sync.Pool // *line, of reads that failed
}

// line is an aligned run of memory. A page whose bit in bad is set could not
// be read whole.
type line struct {
	data []byte
	bad  uint64
}

// NewCache puts a cache of about total bytes in front of src. It reads src in
// aligned lines of lineSize bytes, a power of two from one page to 64 pages:
// small for a source that decompresses pages, larger for one that pays for
// each call.
func NewCache(src Reader[Phys], total, lineSize int) *Cache {
	size := PageSize
	for size < lineSize && size < maxLine {
		size *= 2
	}
	return &Cache{src: src, lines: setcache.New[*line](total / size), size: uint64(size)}
}

// ReadMem reads physical memory through the cache; large reads bypass it.
func (c *Cache) ReadMem(p []byte, addr Phys) (int, error) {
	if len(p) >= directRead {
		return c.src.ReadMem(p, addr)
	}
	done := 0
	for done < len(p) {
		at := uint64(addr) + uint64(done)
		off := at & (c.size - 1)
		l, err := c.line(at - off)
		if err != nil {
			return c.uncached(p, addr, done)
		}
		end := min(off+uint64(len(p)-done), c.size)
		if l.bad != 0 && l.badIn(off, end) {
			return c.uncached(p, addr, done)
		}
		done += copy(p[done:], l.data[off:end])
	}
	return done, nil
}

// badIn says whether a page of [off, end) could not be read.
func (l *line) badIn(off, end uint64) bool {
	for pg := off / PageSize; pg <= (end-1)/PageSize; pg++ {
		if l.bad>>pg&1 != 0 {
			return true
		}
	}
	return false
}

// uncached reads the rest of p from the source.
func (c *Cache) uncached(p []byte, addr Phys, done int) (int, error) {
	n, err := c.src.ReadMem(p[done:], addr+Phys(done))
	return done + n, err
}

// line gives the line at base; the error means that nothing in it can be read.
func (c *Cache) line(base uint64) (*line, error) {
	if l, ok := c.lines.Get(base / c.size); ok {
		return l, nil
	}
	return c.lines.Load(base/c.size, func() (*line, error) { return c.fill(base) })
}

// fill reads the line at base. One that has no whole page is not kept, so that
// faults displace nothing.
func (c *Cache) fill(base uint64) (*line, error) {
	l, ok := c.spare.Get().(*line)
	if !ok {
		l = &line{data: make([]byte, c.size)}
	}
	n, err := c.src.ReadMem(l.data, Phys(base))
	if err == nil {
		return l, nil
	}
	good := n >= PageSize
	for off := uint64(n) &^ (PageSize - 1); c.size > PageSize && off < c.size; off += PageSize {
		if _, e := c.src.ReadMem(l.data[off:off+PageSize], Phys(base+off)); e != nil {
			l.bad |= 1 << (off / PageSize)
		} else {
			good = true
		}
	}
	if !good {
		l.bad = 0
		c.spare.Put(l)
		return nil, err
	}
	return l, nil
}

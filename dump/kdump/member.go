package kdump

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"

	"github.com/kinquest/inquest/dump/format"
	"github.com/kinquest/inquest/internal/setcache"
)

// Geometry of what is read and kept.
const (
	chunkBytes = 4096           // of a bitmap, kept as one piece
	chunkPFNs  = chunkBytes * 8 // pages that a chunk describes: 128 MiB of 4 KiB pages
	groupBytes = 64             // of a chunk, with a count of their own
	groupPFNs  = groupBytes * 8
	scanBytes  = 1 << 20 // of the bitmap, read at once while counting

	descSize   = 24
	blockDescs = 128 // descriptors kept as one piece

	// cachedChunks bounds the bitmap kept in memory: 4 MiB, which describe
	// 128 GiB of memory; parts of larger dumps are read again when needed.
	cachedChunks = 1024
	// cachedDescs bounds the descriptors kept: 3 MiB, for 512 MiB of memory.
	cachedDescs = 1024

	// maxPFN bounds physical memory: 2^56 bytes, more than any machine has.
	maxPFN = 1 << 44
)

// member is one file of a dump: all of it, or one of a split set.
type member struct {
	src  io.ReaderAt
	name string
	size int64
	hdr  header

	pfns     uint64 // pages that the bitmaps describe
	bitmap1  int64  // file offsets
	bitmap2  int64
	descs    int64
	base     uint64   // stored pages below hdr.start, which other files hold
	ranks    []uint64 // stored pages below each chunk, from chunk first on
	first    uint64
	total    uint64 // stored pages of this file
	zero     int64  // where the page of zeroes lies that all such pages share; 0 when there is none
	chunks   *setcache.Cache[*chunk]
	blocks   *setcache.Cache[*[blockDescs * descSize]byte]
	problems []string
	cut      bool // the file ends early
}

// chunk is a piece of a bitmap with the counts of its groups.
type chunk struct {
	bits  [chunkBytes / 8]uint64
	below [chunkBytes / groupBytes]uint16 // bits set in the groups before
}

func (c *chunk) has(pfn uint64) bool {
	i := pfn % chunkPFNs
	return c.bits[i/64]>>(i%64)&1 != 0
}

// rank is the number of bits set before pfn's in the chunk.
func (c *chunk) rank(pfn uint64) uint64 {
	i := pfn % chunkPFNs
	n := int(c.below[i/groupPFNs])
	for w := i / groupPFNs * (groupPFNs / 64); w < i/64; w++ {
		n += bits.OnesCount64(c.bits[w])
	}
	return uint64(n + bits.OnesCount64(c.bits[i/64]&(1<<(i%64)-1)))
}

func (m *member) errAt(off int64, msg string, err error) error {
	return &format.FormatError{Format: "kdump", File: m.name, Off: off, Msg: msg, Err: err}
}

func (m *member) problem(s string, args ...any) {
	const most = 10
	if m.name != "" {
		s = m.name + ": " + s
	}
	if len(m.problems) < most {
		m.problems = append(m.problems, fmt.Sprintf(s, args...))
	}
}

// openMember reads a file's headers and counts its bitmap.
func openMember(ctx context.Context, src io.ReaderAt, size int64, name string) (*member, error) {
	m := &member{src: src, name: name, size: size}
	if err := m.parseHeader(); err != nil {
		return nil, err
	}
	if err := m.layout(); err != nil {
		return nil, err
	}
	m.chunks = setcache.New[*chunk](cachedChunks)
	m.blocks = setcache.New[*[blockDescs * descSize]byte](cachedDescs)
	if err := m.count(ctx); err != nil {
		return nil, err
	}
	m.findZero()
	return m, nil
}

// bitmapSizes gives the ways to read the number of bitmap blocks and of pages:
// as the header has them, or, when they contradict each other, after either.
func (m *member) bitmapSizes() []struct{ blocks, pfns uint64 } {
	h := &m.hdr
	perBlock := uint64(h.blockSize) * 8
	need := (min(h.maxPFN, maxPFN) + perBlock - 1) / perBlock // blocks of one bitmap
	given := uint64(h.bitmapBlocks)
	type sizes = struct{ blocks, pfns uint64 }
	if h.maxPFN <= maxPFN && (given == 2*need || given == need) && given > 0 {
		return []sizes{{given, h.maxPFN}}
	}
	return []sizes{{given, given / 2 * perBlock}, {2 * need, min(h.maxPFN, maxPFN)}}
}

// layout finds where the bitmaps and descriptors lie. Of contradicting headers
// the reading is taken whose first descriptor makes sense.
func (m *member) layout() error {
	h := &m.hdr
	bs := int64(h.blockSize)
	start := (1 + int64(h.subBlocks)) * bs
	ways := m.bitmapSizes()
	chosen := -1
	for i, w := range ways {
		end := start + int64(w.blocks)*bs
		if w.blocks > 0 && w.pfns > 0 && end <= m.size && (chosen < 0 || m.plausible(end)) {
			chosen = i
			if m.plausible(end) {
				break
			}
		}
	}
	if chosen < 0 {
		return m.errAt(int64(h.statusOff+relBitmapBlocks), fmt.Sprintf(
			"the bitmaps (%d blocks of %d bytes, for %d pages) do not fit the file of %d bytes", h.bitmapBlocks, bs, h.maxPFN, m.size), nil)
	}
	w := ways[chosen]
	if len(ways) > 1 {
		m.problem("bitmap_blocks %d does not fit max_mapnr %d; read as %d blocks", h.bitmapBlocks, h.maxPFN, w.blocks)
	}
	m.bitmap1, m.bitmap2 = start, start
	bitmapLen := int64(w.blocks) * bs
	if need := (w.pfns + 7) / 8; uint64(bitmapLen) >= 2*need { // else only one bitmap is stored
		bitmapLen /= 2
		m.bitmap2 = start + bitmapLen
	}
	m.pfns = min(w.pfns, uint64(bitmapLen)*8)
	m.descs = start + int64(w.blocks)*bs
	return nil
}

// plausible says whether a page descriptor may lie at off.
func (m *member) plausible(off int64) bool {
	var b [descSize]byte
	if _, err := readAt(m.src, b[:], off); err != nil {
		return false
	}
	d := m.decodeDesc(b[:])
	return d.off >= uint64(off) && d.off < uint64(m.size) && d.size > 0 && d.size <= m.hdr.blockSize && d.flags&^flagCodecs == 0
}

// count sums up the second bitmap, in pieces of bounded size.
func (m *member) count(ctx context.Context) error {
	h := &m.hdr
	if h.split && (h.start > h.end || h.start > m.pfns) {
		return m.errAt(int64(h.blockSize), fmt.Sprintf("split file of PFNs %#x to %#x, of %#x pages in all", h.start, h.end, m.pfns), nil)
	}
	h.end = min(h.end, m.pfns)
	if h.start == h.end { // makedumpfile --split of little memory leaves files empty
		return nil
	}
	m.first = h.start / chunkPFNs
	byteEnd := (h.end + 7) / 8
	buf := make([]byte, min(scanBytes, byteEnd))
	n := uint64(0)
	for at := m.first * chunkBytes; at < byteEnd; at += scanBytes {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := buf[:min(scanBytes, byteEnd-at)]
		if _, err := readAt(m.src, b, m.bitmap2+int64(at)); err != nil {
			m.cut = true
			m.problem("the bitmap at offset %#x cannot be read: %v", m.bitmap2+int64(at), format.Cause(err))
			h.end = at * 8
			break
		}
		for i := 0; i < len(b); i += chunkBytes {
			m.ranks = append(m.ranks, n)
			n += popcount(b[i:min(i+chunkBytes, len(b))])
		}
	}
	m.total = n
	if h.split {
		if c, err := m.chunk(m.bitmap2, h.start); err == nil {
			m.base = c.rank(h.start)
		}
		m.total -= min(m.base, m.total)
	}
	return nil
}

func popcount(b []byte) (n uint64) {
	for ; len(b) >= 8; b = b[8:] {
		n += uint64(bits.OnesCount64(binary.LittleEndian.Uint64(b)))
	}
	for _, c := range b {
		n += uint64(bits.OnesCount8(c))
	}
	return n
}

// findZero looks whether the data begins with the page of zeroes that
// makedumpfile and QEMU write first, for all such pages to share.
func (m *member) findZero() {
	at := m.descs + int64(m.total)*descSize
	b := make([]byte, m.hdr.blockSize)
	if _, err := readAt(m.src, b, at); err != nil {
		return
	}
	for _, c := range b {
		if c != 0 {
			return
		}
	}
	m.zero = at
}

// chunk gives the piece of the bitmap at off that describes pfn.
func (m *member) chunk(off int64, pfn uint64) (*chunk, error) {
	i := pfn / chunkPFNs
	key := i<<1 | 1
	if off == m.bitmap2 {
		key = i << 1
	}
	if c, ok := m.chunks.Get(key); ok {
		return c, nil
	}
	return m.chunks.Load(key, func() (*chunk, error) {
		b := make([]byte, chunkBytes)
		b = b[:min(chunkBytes, (m.pfns+7)/8-i*chunkBytes)]
		if _, err := readAt(m.src, b, off+int64(i*chunkBytes)); err != nil {
			return nil, err
		}
		b = append(b, make([]byte, chunkBytes-len(b))...)
		c := &chunk{}
		n := 0
		for w := range c.bits {
			if w%(groupBytes/8) == 0 {
				c.below[w/(groupBytes/8)] = uint16(n)
			}
			// Bit n of byte n/8 on every architecture (makedumpfile set_bitmap).
			c.bits[w] = binary.LittleEndian.Uint64(b[w*8:])
			n += bits.OnesCount64(c.bits[w])
		}
		return c, nil
	})
}

// desc is a page descriptor (page_desc_t).
type desc struct {
	off         uint64
	size, flags uint32
}

func (m *member) decodeDesc(b []byte) desc {
	o := m.hdr.order
	return desc{o.Uint64(b), o.Uint32(b[8:]), o.Uint32(b[12:])}
}

// isZero says whether d is the shared page of zeroes.
func (m *member) isZero(d desc) bool {
	return m.zero != 0 && d.off == uint64(m.zero) && d.flags == 0 && d.size == m.hdr.blockSize
}

// index gives the number of pfn's descriptor; stored is false when the file
// does not hold the page.
func (m *member) index(pfn uint64) (i uint64, stored bool, err error) {
	c, err := m.chunk(m.bitmap2, pfn)
	if err != nil || !c.has(pfn) {
		return 0, false, err
	}
	return m.ranks[pfn/chunkPFNs-m.first] + c.rank(pfn) - m.base, true, nil
}

// descriptor reads descriptor i.
func (m *member) descriptor(i uint64) (desc, error) {
	if off := m.descs + int64(i)*descSize; off > m.size-descSize {
		return desc{}, io.ErrUnexpectedEOF // the file ends before it
	}
	key := i / blockDescs
	b, ok := m.blocks.Get(key)
	if !ok {
		var err error
		b, err = m.blocks.Load(key, func() (*[blockDescs * descSize]byte, error) {
			b := new([blockDescs * descSize]byte)
			off := m.descs + int64(key*blockDescs*descSize)
			left := uint64(m.size-off) / descSize // the file may end within the block
			_, err := readAt(m.src, b[:min(blockDescs, m.total-key*blockDescs, left)*descSize], off)
			return b, err
		})
		if err != nil {
			return desc{}, err
		}
	}
	return m.decodeDesc(b[i%blockDescs*descSize:]), nil
}

// readAt is src.ReadAt with io.ErrUnexpectedEOF for a short read and nil for a full one.
func readAt(src io.ReaderAt, p []byte, off int64) (int, error) {
	n, err := src.ReadAt(p, off)
	if n == len(p) {
		return n, nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

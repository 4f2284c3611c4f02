package convert

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"

	"github.com/klauspost/compress/snappy"
)

// The kdump-compressed format (makedumpfile's IMPLEMENTATION and
// diskdump_mod.h): header, sub-header, two bitmaps, page descriptors, pages.
const (
	kdumpMagic = "KDUMP   "

	offStatus    = 424
	offBlockSize = 428
	offSubHdr    = 432
	offBitmap    = 436
	kdumpHeader  = 464

	descSize  = 24 // offset u64, size u32, flags u32, page flags u64
	flagZlib  = 1  // of a page descriptor, and of the header's status
	flagSnap  = 4
	compressd = 1 | 2 | 4 | 0x20 // zlib, LZO, snappy, zstd
)

// maxBitmap bounds the bitmaps: 64 MiB are 1 TiB of memory.
const maxBitmap = 64 << 20

// A kdumpLayout is where the parts of a kdump file lie.
type kdumpLayout struct {
	block   int64
	bitmaps int64 // file offset
	descs   int64
	pages   int // stored ones
}

// SnappyPages copies a kdump file with zlib pages into one with snappy pages.
func SnappyPages(w io.WriterAt, r io.ReaderAt) error {
	lay, head, err := readKdump(r)
	if err != nil {
		return fmt.Errorf("re-encode a kdump: %w", err)
	}
	le := binary.LittleEndian
	le.PutUint32(head[offStatus:], le.Uint32(head[offStatus:])&^compressd|flagSnap)
	descs := make([]byte, lay.pages*descSize)
	if _, err := r.ReadAt(descs, lay.descs); err != nil {
		return fmt.Errorf("re-encode a kdump: page descriptors: %w", err)
	}
	end := lay.descs + int64(len(descs))
	moved := map[uint64][16]byte{} // pages that several descriptors share, by old offset
	for i := range lay.pages {
		d := descs[i*descSize:][:descSize]
		old := le.Uint64(d)
		if same, ok := moved[old]; ok {
			copy(d[:16], same[:])
			continue
		}
		page, err := readPage(r, d, lay.block)
		if err != nil {
			return fmt.Errorf("re-encode a kdump: page %d: %w", i, err)
		}
		flags := uint32(0)
		if z := snappy.Encode(nil, page); len(z) < len(page) {
			page, flags = z, flagSnap
		}
		if _, err := w.WriteAt(page, end); err != nil {
			return fmt.Errorf("re-encode a kdump: page %d: %w", i, err)
		}
		le.PutUint64(d, uint64(end))
		le.PutUint32(d[8:], uint32(len(page)))
		le.PutUint32(d[12:], flags)
		moved[old] = [16]byte(d[:16])
		end += int64(len(page))
	}
	if _, err := w.WriteAt(append(head, descs...), 0); err != nil {
		return fmt.Errorf("re-encode a kdump: %w", err)
	}
	return nil
}

// readKdump gives the layout and everything before the page descriptors.
func readKdump(r io.ReaderAt) (kdumpLayout, []byte, error) {
	h := make([]byte, kdumpHeader)
	if _, err := r.ReadAt(h, 0); err != nil {
		return kdumpLayout{}, nil, fmt.Errorf("header: %w", err)
	}
	le := binary.LittleEndian
	if string(h[:len(kdumpMagic)]) != kdumpMagic {
		return kdumpLayout{}, nil, fmt.Errorf("not a kdump-compressed file")
	}
	block := int64(le.Uint32(h[offBlockSize:]))
	sub, bitmap := int64(le.Uint32(h[offSubHdr:])), int64(le.Uint32(h[offBitmap:]))
	if block != pageSize || sub > maxBitmap/block || bitmap > maxBitmap/block {
		return kdumpLayout{}, nil, fmt.Errorf("blocks of %d bytes, sub-header of %d, bitmaps of %d", block, sub, bitmap)
	}
	lay := kdumpLayout{block: block, bitmaps: (1 + sub) * block, descs: (1 + sub + bitmap) * block}
	head := make([]byte, lay.descs)
	if _, err := r.ReadAt(head, 0); err != nil {
		return kdumpLayout{}, nil, fmt.Errorf("bitmaps: %w", err)
	}
	for _, b := range head[lay.bitmaps+bitmap*block/2:] { // the second bitmap: pages in the file
		lay.pages += bits.OnesCount8(b)
	}
	return lay, head, nil
}

func readPage(r io.ReaderAt, desc []byte, block int64) ([]byte, error) {
	le := binary.LittleEndian
	off, size, flags := le.Uint64(desc), le.Uint32(desc[8:]), le.Uint32(desc[12:])
	if int64(size) > block {
		return nil, fmt.Errorf("%d bytes", size)
	}
	b := make([]byte, size)
	if _, err := r.ReadAt(b, int64(off)); err != nil {
		return nil, err
	}
	switch flags & compressd {
	case 0:
		return b, nil
	case flagZlib:
		z, err := zlib.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		page := make([]byte, block)
		_, err = io.ReadFull(z, page)
		return page, err
	}
	return nil, fmt.Errorf("compression flags %#x", flags)
}

package dumptest

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"

	"github.com/kinquest/inquest/dump/elfnote"
	"github.com/kinquest/inquest/dump/format"
)

// Page codecs, by their flag in a page descriptor.
const (
	Plain  uint32 = 0
	Zlib   uint32 = 0x01
	LZO    uint32 = 0x02
	Snappy uint32 = 0x04
	Zstd   uint32 = 0x20
)

// Page is one page of a kdump. A page that is described nowhere is not stored.
type Page struct {
	PFN   uint64
	State format.PageState // Stored, Zero, Excluded, or Lost (descriptor without data)
	Data  []byte           // padded with zeroes to a page
	Codec uint32
	Raw   []byte // the bytes in the file, instead of packed Data
}

// Kdump describes a kdump-compressed file. The zero value but for Pages is a
// version 6 file of a 64-bit machine with pages of 4 KiB.
type Kdump struct {
	Version    int
	Bits32     bool
	Big        bool
	BlockSize  int
	Machine    string
	Release    string
	Time       uint64
	Status     uint32
	DumpLevel  uint32
	MaxPFN     uint64 // the last page's + 1 when 0
	Split      bool
	Start, End uint64 // PFNs, of a split file
	Pages      []Page // ascending
	Notes      []format.Note
	VMCOREINFO string // kept apart from the notes
	EraseInfo  string
}

// Layout says where the parts of the file that Bytes made lie.
type Layout struct {
	SubHeader, Bitmap1, Bitmap2, Descs, ZeroPage, Data int
}

// Bytes gives the file.
func (k Kdump) Bytes() []byte {
	b, _ := k.Build()
	return b
}

// Build gives the file and its layout.
func (k Kdump) Build() ([]byte, Layout) {
	bs := or(k.BlockSize, 4096)
	maxPFN := k.MaxPFN
	for _, p := range k.Pages {
		maxPFN = max(maxPFN, p.PFN+1)
	}
	bitmapBlocks := int(maxPFN+uint64(bs)*8-1) / (bs * 8)
	l := Layout{SubHeader: bs, Bitmap1: 2 * bs}
	l.Bitmap2 = l.Bitmap1 + bitmapBlocks*bs
	l.Descs = l.Bitmap2 + bitmapBlocks*bs
	own := k.Pages
	bitmaps := make([]byte, 2*bitmapBlocks*bs)
	for _, p := range k.Pages {
		bitmaps[p.PFN/8] |= 1 << (p.PFN % 8)
		if p.State != format.Excluded {
			bitmaps[bitmapBlocks*bs+int(p.PFN/8)] |= 1 << (p.PFN % 8)
		}
	}
	if k.Split {
		own = nil
		for _, p := range k.Pages {
			if p.PFN >= k.Start && p.PFN < k.End {
				own = append(own, p)
			}
		}
	}
	descs, data := k.pages(own, &l, bs)
	b := k.header(bs, bitmapBlocks, maxPFN)
	sub, extra := k.subHeader(l.Data+len(data), maxPFN)
	b = append(b, pad(sub, bs)...)
	b = append(append(append(b, bitmaps...), descs...), data...)
	return append(b, extra...), l
}

func pad(b []byte, size int) []byte { return append(b, make([]byte, max(0, size-len(b)))...) }

func (k Kdump) writer() *writer {
	w := &writer{order: binary.LittleEndian, wide: !k.Bits32}
	if k.Big {
		w.order = binary.BigEndian
	}
	return w
}

func (k Kdump) header(bs, bitmapBlocks int, maxPFN uint64) []byte {
	w := k.writer()
	w.b = append(w.b, "KDUMP   "...)
	w.u32(uint32(or(k.Version, 6)))
	for _, s := range []string{"Linux", "host", k.Release, "#1 SMP", or(k.Machine, "x86_64"), ""} {
		w.b = append(w.b, pad([]byte(s), 65)...)
	}
	if k.Bits32 {
		w.b = append(w.b, 0, 0)
	} else {
		w.b = append(w.b, make([]byte, 6)...)
	}
	w.word(k.Time, 0)
	w.u32(k.Status, uint32(bs), 1, uint32(2*bitmapBlocks), uint32(maxPFN), 0, 0, 0, 0, 1)
	return pad(w.b, bs)
}

// subHeader gives the sub-header and what it points to, which lies at end.
func (k Kdump) subHeader(end int, maxPFN uint64) (sub, extra []byte) {
	w := k.writer()
	w.word(0xdeadbeef)
	w.u32(k.DumpLevel)
	split := uint32(0)
	if k.Split {
		split = 1
	}
	w.u32(split)
	w.word(k.Start, k.End)
	var order binary.ByteOrder = binary.LittleEndian
	if k.Big {
		order = binary.BigEndian
	}
	var notes []byte
	for _, n := range k.Notes {
		notes = elfnote.Append(notes, order, n)
	}
	for _, part := range [][]byte{[]byte(k.VMCOREINFO), notes, []byte(k.EraseInfo)} {
		off := uint64(end + len(extra))
		if len(part) == 0 {
			off = 0
		}
		w.b = w.order.AppendUint64(w.b, off)
		w.word(uint64(len(part)))
		extra = append(extra, part...)
	}
	for _, v := range []uint64{k.Start, k.End, maxPFN} {
		w.b = w.order.AppendUint64(w.b, v)
	}
	return w.b, extra
}

// pages gives the descriptors and the data behind them.
func (k Kdump) pages(pages []Page, l *Layout, bs int) (descs, data []byte) {
	stored, zeroes := 0, false
	for _, p := range pages {
		if p.State != format.Excluded {
			stored++
		}
		zeroes = zeroes || p.State == format.Zero
	}
	l.ZeroPage = l.Descs + stored*24
	l.Data = l.ZeroPage
	if zeroes {
		data = make([]byte, bs)
	}
	w := k.writer()
	for _, p := range pages {
		off, size, flags := uint64(l.Data+len(data)), 0, p.Codec
		switch p.State {
		case format.Excluded:
			continue
		case format.Zero:
			off, size, flags = uint64(l.ZeroPage), bs, 0
		case format.Lost:
			off, size = 0, 0
		default:
			raw := p.Raw
			if raw == nil {
				raw = Pack(pad(bytes.Clone(p.Data), bs), p.Codec)
			}
			size = len(raw)
			data = append(data, raw...)
		}
		w.b = w.order.AppendUint64(w.b, off)
		w.u32(uint32(size), flags)
		w.b = w.order.AppendUint64(w.b, 0)
	}
	return w.b, data
}

// Pack compresses a page with a codec.
func Pack(page []byte, codec uint32) []byte {
	switch codec {
	case Zlib:
		var buf bytes.Buffer
		w, err := zlib.NewWriterLevel(&buf, 1)
		if err == nil {
			_, err = w.Write(page)
		}
		if err != nil || w.Close() != nil {
			return nil
		}
		return buf.Bytes()
	case LZO:
		return packLZO(page)
	case Snappy:
		return snappy.Encode(nil, page)
	case Zstd:
		e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return nil
		}
		return e.EncodeAll(page, nil)
	}
	return page
}

// packLZO writes the page's first byte as a literal and each run of a byte
// that repeats as a match: valid LZO1X, well packed only for pages of runs.
func packLZO(page []byte) []byte {
	i := 0
	var out []byte
	literals := func(n int) { // n >= 4 but for the first ones
		if len(out) == 0 && n < 238 {
			out = append(out, byte(17+n))
		} else if n <= 18 {
			out = append(out, byte(n-3))
		} else {
			out = append(out, 0)
			for n -= 18; n > 255; n -= 255 {
				out = append(out, 0)
			}
			out = append(out, byte(n))
		}
	}
	run := func(at int) int {
		n := 1
		for at+n < len(page) && page[at+n] == page[at] {
			n++
		}
		return n
	}
	for i < len(page) {
		start := i
		for i < len(page) && (i-start < 4 || run(i) < 40) {
			i++
		}
		if i < len(page) {
			i++ // the run's first byte
		}
		literals(i - start)
		out = append(out, page[start:i]...)
		if i < len(page) {
			n := run(i-1) - 1
			if tail := len(page) - i - n; tail > 0 && tail < 4 {
				n -= 4 - tail // a run of literals has at least 4
			}
			i += n
			out = append(out, 32) // long match at distance 1
			for n -= 33; n > 255; n -= 255 {
				out = append(out, 0)
			}
			out = append(out, byte(n), 0, 0)
		}
	}
	return append(out, 0x11, 0, 0)
}

// Block is one block of a flattened stream.
type Block struct {
	Off  int64
	Data []byte
}

// Flatten gives the flattened form of a file as blocks of size bytes. The
// header (464 bytes) comes first as zeroes, and again with its content at the
// end, as makedumpfile does.
func Flatten(file []byte, size int) []byte {
	head := min(464, len(file))
	blocks := []Block{{0, make([]byte, head)}}
	for off := head; off < len(file); off += size {
		blocks = append(blocks, Block{int64(off), file[off:min(off+size, len(file))]})
	}
	return Stream(append(blocks, Block{0, file[:head]}, Block{-1, nil}))
}

// Stream gives a flattened stream of blocks. A Block at -1 is the end mark.
func Stream(blocks []Block) []byte {
	out := []byte("makedumpfile\x00\x00\x00\x00")
	out = binary.BigEndian.AppendUint64(out, 1)
	out = pad(binary.BigEndian.AppendUint64(out, 1), 4096)
	for _, b := range blocks {
		size := int64(len(b.Data))
		if b.Off == -1 {
			size = -1
		}
		out = binary.BigEndian.AppendUint64(out, uint64(b.Off))
		out = binary.BigEndian.AppendUint64(out, uint64(size))
		out = append(out, b.Data...)
	}
	return out
}

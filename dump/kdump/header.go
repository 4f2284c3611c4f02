package kdump

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/kinquest/inquest/dump/format"
	"github.com/kinquest/inquest/mem"
)

// Layout of struct disk_dump_header (makedumpfile diskdump_mod.h): signature,
// version, struct new_utsname, then struct timeval, aligned to its words.
const (
	signature  = "KDUMP   "
	offVersion = 8
	offUtsname = 12
	utsField   = 65
	offTime64  = 408
	offTime32  = 404
	offStat64  = offTime64 + 16
	offStat32  = offTime32 + 8
)

// Offsets from the status field.
const (
	relBlockSize    = 4
	relSubHdr       = 8
	relBitmapBlocks = 12
	relMaxMapnr     = 16
	headerEnd       = 40
)

// Limits on what a header may ask for.
const (
	minBlockSize = 4096    // smallest page of any kernel that makedumpfile supports
	maxBlockSize = 1 << 18 // largest page that any Linux has (hexagon)
	maxSubHeader = 1 << 10 // blocks; one is enough for everything defined so far
	maxNoteBytes = 64 << 20
	maxTextBytes = 1 << 20 // of VMCOREINFO; the kernel's has one page
	maxVersion   = 0xffff  // tells the byte order
)

// Status flags, the same in the header and in page descriptors.
const (
	flagZlib            = 0x01
	flagLZO             = 0x02
	flagSnappy          = 0x04
	flagIncomplete      = 0x08
	flagExcludedVmemmap = 0x10
	flagZstd            = 0x20
	flagCodecs          = flagZlib | flagLZO | flagSnappy | flagZstd
)

var codecNames = []struct {
	flag uint32
	name string
}{{flagZlib, "zlib"}, {flagLZO, "lzo"}, {flagSnappy, "snappy"}, {flagZstd, "zstd"}}

// header is what the header and sub-header of one file say.
type header struct {
	order        binary.ByteOrder
	wide         bool // 64-bit layout
	version      int
	uts          format.Utsname
	sec          uint64 // timestamp
	status       uint32
	blockSize    uint32
	subBlocks    uint32
	bitmapBlocks uint32
	maxPFN       uint64 // first PFN behind memory
	statusOff    int

	dumpLevel  int32
	split      bool
	start, end uint64 // PFNs of this file of a split set: [start, end)

	vmcoreinfo, notes, eraseinfo area
}

// area is a part of the file that the sub-header points to.
type area struct{ off, size uint64 }

// parseHeader reads the header of m's file.
func (m *member) parseHeader() error {
	b := make([]byte, minBlockSize)
	if n, err := readAt(m.src, b, 0); n < offStat64+headerEnd {
		return m.errAt(int64(n), "the file ends within the header", format.Cause(err))
	}
	if string(b[:len(signature)]) != signature {
		return m.errAt(0, "no KDUMP signature", format.ErrUnknownFormat)
	}
	h := &m.hdr
	h.order = binary.LittleEndian
	if v := binary.BigEndian.Uint32(b[offVersion:]); v <= maxVersion && h.order.Uint32(b[offVersion:]) > maxVersion {
		h.order = binary.BigEndian
	}
	f := format.Fields{B: b, Order: h.order}
	h.version = int(f.U32(offVersion))
	h.uts = utsname(b[offUtsname:])
	if err := m.chooseWidth(f); err != nil {
		return err
	}
	at := h.statusOff
	h.status, h.blockSize = f.U32(at), f.U32(at+relBlockSize)
	h.subBlocks, h.bitmapBlocks = f.U32(at+relSubHdr), f.U32(at+relBitmapBlocks)
	h.maxPFN = uint64(f.U32(at + relMaxMapnr))
	if h.subBlocks > maxSubHeader {
		return m.errAt(int64(at+relSubHdr), fmt.Sprintf("the sub-header has %d blocks; more than %d are not credible", h.subBlocks, maxSubHeader), nil)
	}
	return m.parseSubHeader()
}

// chooseWidth finds out whether the header is of the 32- or 64-bit layout: in
// which of them the block size is one.
func (m *member) chooseWidth(f format.Fields) error {
	h := &m.hdr
	for _, w := range []struct {
		wide      bool
		stat, sec int
	}{{true, offStat64, offTime64}, {false, offStat32, offTime32}} {
		size := f.U32(w.stat + relBlockSize)
		if size >= minBlockSize && size <= maxBlockSize && size&(size-1) == 0 {
			h.wide, h.statusOff, h.sec = w.wide, w.stat, f.Word(w.sec, w.wide)
			return nil
		}
	}
	return m.errAt(offStat64+relBlockSize, fmt.Sprintf("the block size is %d, not a power of two from %d to %d",
		f.U32(offStat64+relBlockSize), minBlockSize, maxBlockSize), nil)
}

func utsname(b []byte) format.Utsname {
	field := func(i int) string { return clean(mem.Fixed(b[i*utsField : (i+1)*utsField])) }
	return format.Utsname{
		Sysname: field(0), Nodename: field(1), Release: field(2),
		Version: field(3), Machine: field(4), Domainname: field(5),
	}
}

// clean drops what is no text from a header's string.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
}

// subLayout gives the offsets of struct kdump_sub_header's fields.
type subLayout struct {
	level, split, start, end             int
	vmcoreinfo, notes, erase             int // each an offset (64 bits) and a size (a word)
	start64, end64, maxMapnr64, sizeNext int
}

var (
	sub64 = subLayout{8, 12, 16, 24, 32, 48, 64, 80, 88, 96, 8}
	// i386 aligns 64-bit fields to 4 bytes.
	sub32 = subLayout{4, 8, 12, 16, 20, 32, 44, 56, 64, 72, 8}
	// ARM and MIPS align them to 8.
	sub32Aligned = subLayout{4, 8, 12, 16, 24, 40, 56, 72, 80, 88, 8}
)

// parseSubHeader reads struct kdump_sub_header as far as the version has it.
func (m *member) parseSubHeader() error {
	h := &m.hdr
	h.dumpLevel, h.end = -1, ^uint64(0)
	if h.subBlocks == 0 || h.version < 1 {
		return nil
	}
	b := make([]byte, minBlockSize)
	if n, err := readAt(m.src, b, int64(h.blockSize)); err != nil && n < 104 {
		return m.errAt(int64(h.blockSize)+int64(n), "the file ends within the sub-header", format.Cause(err))
	}
	l := sub64
	if !h.wide {
		l = sub32
		if mach := h.uts.Machine; strings.HasPrefix(mach, "arm") || strings.HasPrefix(mach, "mips") {
			l = sub32Aligned
		}
	}
	f := format.Fields{B: b, Order: h.order}
	get := func(off int) area { return area{f.U64(off), f.Word(off+l.sizeNext, h.wide)} }
	h.dumpLevel = int32(f.U32(l.level))
	if h.version >= 2 && f.U32(l.split) != 0 {
		h.split, h.start, h.end = true, f.Word(l.start, h.wide), f.Word(l.end, h.wide)
	}
	if h.version >= 3 {
		h.vmcoreinfo = get(l.vmcoreinfo)
	}
	if h.version >= 4 {
		h.notes = get(l.notes)
	}
	if h.version >= 5 {
		h.eraseinfo = get(l.erase)
	}
	if h.version >= 6 {
		if h.split {
			h.start, h.end = f.U64(l.start64), f.U64(l.end64)
		}
		if n := f.U64(l.maxMapnr64); n != 0 {
			h.maxPFN = n
		}
	}
	return nil
}

package elfcore

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/kinquest/inquest/arch"
	"github.com/kinquest/inquest/dump/format"
)

// Limits on what a header may ask for.
const (
	// maxSegments: QEMU with paging writes one per mapped range; a guest of
	// many processes has some 100,000.
	maxSegments = 1 << 20
	// maxNoteBytes: 8192 CPUs need 7 MB; device dumps (VMCOREDD) may add tens.
	maxNoteBytes = 64 << 20
)

// ELF numbers (gABI chapters 4 and 5).
const (
	etCore  = 4
	ptLoad  = 1
	ptNote  = 4
	pnXNUM  = 0xffff // the number is in sh_info of section header 0
	magic   = "\x7fELF"
	offData = 5
)

var etNames = map[uint16]string{1: "a relocatable object file", 2: "an executable", 3: "a shared object"}

// class holds what differs between 32- and 64-bit files: sizes and offsets.
type class struct {
	wide                                                bool
	ehdr, phdr, shdr                                    int
	ePhoff, eShoff, ePhentsize, ePhnum, eShnum          int
	pOffset, pVaddr, pPaddr, pFilesz, pMemsz, shInfoOff int
}

var (
	class32 = class{false, 52, 32, 40, 28, 32, 42, 44, 48, 4, 8, 12, 16, 20, 28}
	class64 = class{true, 64, 56, 64, 32, 40, 54, 56, 60, 8, 16, 24, 32, 40, 44}
)

// header is what the ELF header says.
type header struct {
	class
	order        binary.ByteOrder
	machine      arch.Machine
	phoff, shoff uint64
	phnum        uint64
	shnum        uint16
}

// segment is one program header.
type segment struct {
	typ                              uint32
	off, vaddr, paddr, filesz, memsz uint64
	at                               int64 // where the program header lies in the file
}

func (f *File) errAt(off int64, msg string, err error) error {
	return &format.FormatError{Format: "ELF core", File: f.name, Off: off, Msg: msg, Err: err}
}

// notDump is the error of a file that is something else.
func (f *File) notDump(off int64, msg string) error {
	return &format.FormatError{File: f.name, Off: off, Msg: msg, Err: format.ErrUnknownFormat}
}

// readHeader reads and checks the ELF header.
func (f *File) readHeader() error {
	var b [64]byte
	n, err := readAt(f.src, b[:], 0)
	if n < class32.ehdr {
		return f.errAt(int64(n), "the file ends within the ELF header", err)
	}
	if string(b[:4]) != magic {
		return f.notDump(0, "this is no ELF file")
	}
	h := &f.hdr
	switch b[4] {
	case 1:
		h.class = class32
	case 2:
		h.class = class64
	default:
		return f.errAt(4, fmt.Sprintf("EI_CLASS is %d, not 1 (32-bit) or 2 (64-bit)", b[4]), nil)
	}
	switch b[offData] {
	case 1:
		h.order = binary.LittleEndian
	case 2:
		h.order = binary.BigEndian
	default:
		return f.errAt(offData, fmt.Sprintf("EI_DATA is %d, not 1 (little-endian) or 2 (big-endian)", b[offData]), nil)
	}
	if n < h.ehdr {
		return f.errAt(int64(n), "the file ends within the ELF header", err)
	}
	e := format.Fields{B: b[:h.ehdr], Order: h.order}
	if t := e.U16(16); t != etCore {
		return f.notDump(16, notCore(t))
	}
	h.machine = arch.Machine(e.U16(18))
	h.phoff, h.shoff = e.Word(h.ePhoff, h.wide), e.Word(h.eShoff, h.wide)
	h.phnum, h.shnum = uint64(e.U16(h.ePhnum)), e.U16(h.eShnum)
	if size := e.U16(h.ePhentsize); int(size) != h.phdr && h.phnum != 0 {
		return f.errAt(int64(h.ePhentsize), fmt.Sprintf("e_phentsize is %d, not %d", size, h.phdr), nil)
	}
	return f.readXNUM()
}

func notCore(etype uint16) string {
	s := "an ELF file of another kind"
	if n, ok := etNames[etype]; ok {
		s = n
	}
	return fmt.Sprintf("this is %s (e_type %d), not a dump; give the vmcore", s, etype)
}

// readXNUM finds the number of segments when it does not fit e_phnum.
func (f *File) readXNUM() error {
	h := &f.hdr
	if h.phnum != pnXNUM {
		return nil
	}
	b := make([]byte, h.shdr)
	off, ok := offset(h.shoff)
	if !ok || h.shoff == 0 {
		return f.errAt(int64(h.eShoff), fmt.Sprintf("e_phnum is PN_XNUM but e_shoff is %#x", h.shoff), nil)
	}
	if _, err := readAt(f.src, b, off); err != nil {
		return f.errAt(off, "read section header 0, which holds the number of segments", format.Cause(err))
	}
	h.phnum = uint64(format.Fields{B: b, Order: h.order}.U32(h.shInfoOff))
	return nil
}

// readSegments reads the program headers that the file holds, in file order.
func (f *File) readSegments() ([]segment, error) {
	h := &f.hdr
	off, ok := offset(h.phoff)
	if !ok || off >= f.size {
		return nil, f.errAt(int64(h.ePhoff), fmt.Sprintf("e_phoff %#x lies beyond the end of the file (%d bytes)", h.phoff, f.size), nil)
	}
	n := h.phnum
	if n > maxSegments {
		return nil, f.errAt(int64(h.ePhnum), fmt.Sprintf("%d segments; more than %d are not credible", n, maxSegments), nil)
	}
	if fit := uint64(f.size-off) / uint64(h.phdr); n > fit {
		f.truncated("the file ends within the program headers: %d of %d segments are known", fit, n)
		n = fit
	}
	b := make([]byte, n*uint64(h.phdr))
	if _, err := readAt(f.src, b, off); err != nil {
		return nil, f.errAt(off, "read program headers", format.Cause(err))
	}
	segs := make([]segment, 0, n)
	for i := range int(n) {
		p := format.Fields{B: b[i*h.phdr : (i+1)*h.phdr], Order: h.order}
		segs = append(segs, segment{
			typ: p.U32(0), off: p.Word(h.pOffset, h.wide), vaddr: p.Word(h.pVaddr, h.wide),
			paddr: p.Word(h.pPaddr, h.wide), filesz: p.Word(h.pFilesz, h.wide),
			memsz: p.Word(h.pMemsz, h.wide), at: off + int64(i*h.phdr),
		})
	}
	return segs, nil
}

// noPaddr is the p_paddr of a segment that has no physical address.
func (h *header) noPaddr(p uint64) bool {
	return p == math.MaxUint64 || !h.wide && p == math.MaxUint32
}

func offset(v uint64) (int64, bool) { return int64(v), v <= math.MaxInt64 }

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

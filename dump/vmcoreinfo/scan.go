package vmcoreinfo

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"github.com/kinquest/inquest/dump"
	"github.com/kinquest/inquest/mem"
)

// Candidate is a VMCOREINFO text found in RAM.
type Candidate struct {
	Info   *Info
	Addr   mem.Phys   // of the text, in the copy found first
	Copies []mem.Phys // every place with this text, ascending
	Note   bool       // one copy stands in an ELF note that the kernel prepared for /proc/vmcore
}

// String says what was found where, for the bootstrap's trail of evidence.
func (c *Candidate) String() string {
	return fmt.Sprintf("VMCOREINFO of %s at phys %s (%d copies)", c.Info.OSRelease, c.Addr, len(c.Copies))
}

// maxHits bounds the places that are looked at more closely: user memory may be
// full of copies of the text or of the note's name.
const maxHits = 1024

var (
	textMagic = []byte("OSRELEASE=")
	noteName  = []byte("VMCOREINFO\x00")
)

// Elf64_Nhdr of the note: namesz 11, descsz, type 0 (include/linux/vmcore_info.h,
// CRASH_CORE_NOTE_NAME); then the name, padded to 12 bytes.
const (
	noteHeader   = 12
	notePrologue = noteHeader + 12
)

// hit is a place where the text may begin.
type hit struct {
	addr mem.Phys
	size int // bytes that the note's header promises; 0 at the start of a page
}

// Scan looks for VMCOREINFO in all memory of a dump: the kernel keeps it at the
// start of a page (vmcoreinfo_data) and in a note (vmcoreinfo_note). Texts that
// no kernel could have finished are dropped. There may be several, of a kdump
// kernel or one that ran before: the likeliest comes first, and whether its
// page tables map its _stext is for the caller to check. No candidate is no
// error; the error is ctx's.
func Scan(ctx context.Context, img dump.Image) ([]Candidate, error) {
	var mu sync.Mutex
	var hits []hit
	err := dump.Scan(ctx, img, notePrologue, func(chunk []byte, at mem.Phys) error {
		found := findIn(at, chunk)
		mu.Lock()
		defer mu.Unlock()
		hits = append(hits, found[:min(len(found), maxHits-len(hits))]...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("scan memory for VMCOREINFO: %w", err)
	}
	slices.SortFunc(hits, func(a, b hit) int { return cmp.Compare(a.addr, b.addr) })
	return collect(img, slices.Compact(hits)), nil
}

// findIn gives the places in b, which lies at addr, where the text may begin.
func findIn(addr mem.Phys, b []byte) (hits []hit) {
	first := int(-addr & (mem.PageSize - 1))
	for i := first; i+len(textMagic) <= len(b); i += mem.PageSize {
		if bytes.Equal(b[i:i+len(textMagic)], textMagic) {
			hits = append(hits, hit{addr: addr + mem.Phys(i)})
		}
	}
	for i := 0; ; i++ {
		n := bytes.Index(b[i:], noteName)
		if n < 0 {
			return hits
		}
		i += n
		if i < noteHeader {
			continue
		}
		h := b[i-noteHeader:]
		size := binary.LittleEndian.Uint32(h[4:])
		if binary.LittleEndian.Uint32(h) == uint32(len(noteName)) && binary.LittleEndian.Uint32(h[8:]) == 0 &&
			size >= uint32(len(textMagic)) && size <= MaxText {
			hits = append(hits, hit{addr: addr + mem.Phys(i-noteHeader+notePrologue), size: int(size)})
		}
	}
}

// collect reads the texts at hits and puts the likeliest kernel first.
func collect(img dump.Image, hits []hit) []Candidate {
	var out []Candidate
	at := map[string]int{}
	buf := make([]byte, MaxText)
	for _, h := range hits {
		info := readText(img, h, buf)
		if info == nil || !complete(info) {
			continue
		}
		i, ok := at[info.text]
		if !ok {
			i = len(out)
			at[info.text] = i
			out = append(out, Candidate{Info: info, Addr: h.addr})
		}
		out[i].Copies = append(out[i].Copies, h.addr)
		out[i].Note = out[i].Note || h.size > 0
	}
	slices.SortStableFunc(out, func(a, b Candidate) int { return cmp.Compare(b.rank(), a.rank()) })
	return out
}

// readText parses the text at h; nil when there is none.
func readText(img dump.Image, h hit, buf []byte) *Info {
	size := len(buf)
	if h.size > 0 {
		size = min(size, h.size)
	}
	n, _ := img.ReadMem(buf[:size], h.addr) // a text before a hole is as good as any
	b := buf[:n]
	if !bytes.HasPrefix(b, textMagic) {
		return nil
	}
	for i, c := range b { // what follows the text in the page is not always NUL
		if c != '\n' && (c < ' ' || c > '~') {
			b = b[:i]
			break
		}
	}
	info, err := Parse(b)
	if err != nil {
		return nil
	}
	return info
}

// kernelHalf is the lowest address of any supported kernel: arm64 with 52-bit
// addresses begins here, x86_64 with 5 levels above it.
const kernelHalf = 0xfff0_0000_0000_0000

// complete says whether a kernel wrote the text and finished it: every kernel
// since 2.6.24 names its page size, _stext and swapper_pg_dir
// (Documentation/admin-guide/kdump/vmcoreinfo.rst).
func complete(v *Info) bool {
	stext, ok := v.Symbol("_stext")
	if !ok || stext < kernelHalf || v.PageSize == 0 {
		return false
	}
	if _, ok := v.Symbol("swapper_pg_dir"); !ok {
		return false
	}
	return v.Len() > 20 && v.malformed == 0
}

// rank orders candidates: a kernel that crashed, then one that made its note,
// then the text with most copies (data page and note agree), then the longest.
func (c *Candidate) rank() int {
	r := min(len(c.Copies), 8)*maxEntries + c.Info.Len()
	if c.Note {
		r += 1 << 20
	}
	if !c.Info.CrashTime.IsZero() {
		r += 1 << 21
	}
	return r
}

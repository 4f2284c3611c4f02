package kallsyms

import (
	"bytes"
	"encoding/binary"

	"github.com/kinquest/inquest/dump"
	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/sym"
)

const (
	// imageAlign is the smallest alignment that kernels load their image at, so
	// that virtual and physical addresses agree in the bits below: 64 KiB on
	// arm64, 2 MiB on x86_64.
	imageAlign = 64 << 10

	// bannerRange is how far from the symbol table linux_banner can be; both are
	// read-only data of one image.
	bannerRange = 32 << 20

	// maxBanner bounds linux_banner (init/version.c): release, builder, compiler.
	maxBanner = 1024

	// sampleBytes is how much read-only data is looked through for pointers, and
	// maxSample how many are tried.
	sampleBytes = 4 << 20
	maxSample   = 2048

	// minVotes is how many pointers must agree on the image's place.
	minVotes = 32
)

var bannerText = []byte("Linux version ")

// bannerAt says whether linux_banner lies at its address.
func bannerAt(r mem.Reader[mem.Virt], groups []group, addrs []mem.Virt) bool {
	i := findName(groups, "linux_banner")
	return i >= 0 && isBanner(r, addrs[i])
}

func isBanner(r mem.Reader[mem.Virt], addr mem.Virt) bool {
	b := make([]byte, len(bannerText))
	_, err := r.ReadMem(b, addr)
	return err == nil && bytes.Equal(b, bannerText)
}

// anchorByBanner finds the image's place in physical memory, unless it is known
// already: there linux_banner reads "Linux version …", linux_proc_banner its
// format string, and the symbol table lies in the read-only data. It also
// counts the pointers that fit.
func (f *Found) anchorByBanner(img dump.Image, r mem.Reader[mem.Virt], t *sym.Table) {
	banner, err := t.Addr("linux_banner")
	if err != nil {
		return
	}
	if f.Anchored {
		f.settle(r, t, banner)
		return
	}
	near := mem.Phys(min(uint64(f.TokenTable), bannerRange))
	for e := range img.Extents() {
		lo, hi := max(e.Start, f.TokenTable-near), min(e.End(), f.TokenTable+bannerRange)
		f.anchorIn(r, t, banner, lo, hi)
	}
}

// anchorIn tries the banners in a range of physical memory.
func (f *Found) anchorIn(r mem.Reader[mem.Virt], t *sym.Table, banner mem.Virt, lo, hi mem.Phys) {
	const step = 1 << 20
	buf := make([]byte, step+len(bannerText))
	for at := lo; at < hi; at += step {
		n, _ := r.ReadMem(buf[:min(uint64(hi-at), uint64(len(buf)))], mem.Virt(at))
		for i := 0; ; i++ {
			k := bytes.Index(buf[i:n], bannerText)
			if k < 0 {
				break
			}
			i += k
			f.tryAnchor(r, t, banner, mem.Virt(at)+mem.Virt(i))
		}
	}
}

// tryAnchor keeps the place where linux_banner would be at phys, if it fits
// better than the one that f has.
func (f *Found) tryAnchor(r mem.Reader[mem.Virt], t *sym.Table, banner, phys mem.Virt) {
	try := *f
	try.Offset, try.Anchored = uint64(phys-banner), true
	if try.Offset%imageAlign != 0 {
		return
	}
	if region, ok := t.Region(mem.Virt(uint64(f.TokenTable) - try.Offset)); !ok || region.Section != ".rodata" && region.Section != "" {
		return
	}
	if proc, err := t.Addr("linux_proc_banner"); err == nil {
		var b [2]byte
		if _, err := r.ReadMem(b[:], mem.Virt(try.Phys(proc))); err != nil || string(b[:]) != "%s" {
			return
		}
	}
	try.settle(r, t, banner)
	if !f.Anchored || try.rank() > f.rank() {
		*f = try
	}
}

// settle reads what an anchored image has: its banner and its pointers to text.
func (f *Found) settle(r mem.Reader[mem.Virt], t *sym.Table, banner mem.Virt) {
	text, _ := mem.CString(r, mem.Virt(f.Phys(banner)), maxBanner)
	f.Banner = string(bytes.TrimRight([]byte(text), "\n"))
	words := samplePointers(r, t.Text, func(name string) (mem.Virt, bool) {
		a, err := t.Addr(name)
		return mem.Virt(f.Phys(a)), err == nil
	})
	f.Sampled, f.Pointers = len(words), 0
	for _, w := range words {
		if s, off, err := t.At(w); err == nil && off == 0 && s.Text() {
			f.Pointers++
		}
	}
}

// samplePointers gives different words of the image's read-only data that can
// be addresses of its text. where gives the physical address of a symbol.
func samplePointers(r mem.Reader[mem.Virt], can func(mem.Virt) bool, where func(name string) (mem.Virt, bool)) (words []mem.Virt) {
	start, ok := where("__start_rodata")
	if !ok {
		if start, ok = where("linux_banner"); !ok {
			return nil
		}
	}
	buf := make([]byte, sampleBytes)
	n, _ := r.ReadMem(buf, start&^7)
	seen := map[mem.Virt]bool{}
	for i := 0; i+8 <= n && len(words) < maxSample; i += 8 {
		w := mem.Virt(binary.LittleEndian.Uint64(buf[i:]))
		if can(w) && !seen[w] {
			seen[w] = true
			words = append(words, w)
		}
	}
	return words
}

// anchorByPointers finds at which virtual address an image runs whose symbols
// are known by physical address: every pointer in its read-only data votes for
// the distances at which it would lead to a function.
func (f *Found) anchorByPointers(r mem.Reader[mem.Virt], groups []group, phys []mem.Virt) bool {
	words := samplePointers(r, canBeText, func(name string) (mem.Virt, bool) {
		i := findName(groups, name)
		if i < 0 {
			return 0, false
		}
		return phys[i], true
	})
	votes := map[uint64]int{}
	starts := functionsByLowBits(groups, phys)
	for _, w := range words {
		for _, p := range starts[w%imageAlign] {
			votes[uint64(p-w)]++
		}
	}
	first, second := 0, 0
	for off, n := range votes {
		switch {
		case n > first:
			first, second = n, first
			f.Offset = off
		case n > second:
			second = n
		}
	}
	f.Anchored = first >= minVotes && first >= 2*second
	return f.Anchored
}

// canBeText says whether a kernel can have text at addr: kernels lie in the
// topmost 2^47 bytes, of which the last page is left to error codes.
func canBeText(addr mem.Virt) bool {
	return addr >= 0xffff_8000_0000_0000 && addr < ^mem.Virt(0)-mem.PageSize
}

// functionsByLowBits groups the addresses of functions by the bits that loading
// does not change.
func functionsByLowBits(groups []group, addrs []mem.Virt) map[mem.Virt][]mem.Virt {
	out := map[mem.Virt][]mem.Virt{}
	i := 0
	for _, g := range groups {
		for _, typ := range g.types {
			if (typ == 't' || typ == 'T') && (i == 0 || addrs[i] != addrs[i-1]) {
				out[addrs[i]%imageAlign] = append(out[addrs[i]%imageAlign], addrs[i])
			}
			i++
		}
	}
	return out
}

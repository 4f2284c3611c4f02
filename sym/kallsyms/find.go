package kallsyms

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
	"github.com/kinquest/inquest/sym"
)

// Found is a kernel whose tables were found by their content.
type Found struct {
	Kernel
	TokenTable mem.Phys // where kallsyms_token_table lies

	// Offset added to a virtual address of the kernel image gives the physical
	// one, modulo 2^64; meaningful when Anchored.
	Offset   uint64
	Anchored bool
	Banner   string // linux_banner, without its newline; "" unless Anchored

	// Pointers is how many of the Sampled pointers to text in the image's
	// read-only data lead to the start of a function: most in the kernel that ran.
	Pointers, Sampled int
}

// Phys gives the physical address of a virtual one in the kernel image.
func (f *Found) Phys(addr mem.Virt) mem.Phys { return mem.Phys(uint64(addr) + f.Offset) }

// String says what was found, for the bootstrap's trail of evidence.
func (f *Found) String() string {
	s := fmt.Sprintf("%s; token table at phys %s", f.Kernel.String(), f.TokenTable)
	if !f.Anchored {
		return s + "; the image's place is unknown"
	}
	return s + fmt.Sprintf("; linux_banner %q, %d of %d pointers lead to functions", clip(f.Banner), f.Pointers, f.Sampled)
}

func clip(s string) string {
	const most = 60
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

// maxFinds bounds the places that look like a token table, of which a dump has
// one or two.
const maxFinds = 16

// digits is the part of every token table that symbols cannot do without: each
// digit stands for itself, as some symbol has it.
var digits = []byte("0\x001\x002\x003\x004\x005\x006\x007\x008\x009\x00")

// Find looks for kallsyms tables in all memory of a dump, with no help from
// VMCOREINFO. There may be several: of a kdump kernel, or what the
// decompressor left. The likeliest comes first; whether its page tables map its
// _stext is for the caller to check. None is no error; the error is ctx's.
func Find(ctx context.Context, img dump.Image) ([]Found, error) {
	var mu sync.Mutex
	var hits []mem.Phys
	err := dump.Scan(ctx, img, len(digits)-1, func(chunk []byte, at mem.Phys) error {
		for off := 0; ; off++ {
			n := bytes.Index(chunk[off:], digits)
			if n < 0 {
				return nil
			}
			off += n
			mu.Lock()
			if len(hits) < maxFinds {
				hits = append(hits, at+mem.Phys(off))
			}
			mu.Unlock()
		}
	})
	if err != nil {
		return nil, fmt.Errorf("scan memory for kallsyms: %w", err)
	}
	slices.Sort(hits)
	var out []Found
	for _, hit := range slices.Compact(hits) {
		f, err := findAt(ctx, img, hit)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("kallsyms: %w", ctx.Err())
		}
		if err == nil {
			out = append(out, *f)
		}
	}
	slices.SortStableFunc(out, func(a, b Found) int { return cmp.Compare(b.rank(), a.rank()) })
	return slices.CompactFunc(out, func(a, b Found) bool { // two copies of one kernel's tables
		return a.Anchored && b.Anchored && a.Offset == b.Offset && a.Banner == b.Banner
	}), nil
}

// rank orders what was found: relocated kernels first.
func (f *Found) rank() int {
	r := f.Pointers * 100 / max(f.Sampled, 1)
	if f.Anchored {
		r += 1000
	}
	return r
}

// physical is physical memory read by "virtual" addresses of the same value,
// for decoders of tables that lie in one piece.
type physical struct{ mem.Reader[mem.Phys] }

// ReadMem implements mem.Reader.
func (p physical) ReadMem(b []byte, addr mem.Virt) (int, error) {
	return p.Reader.ReadMem(b, mem.Phys(addr))
}

// findAt decodes the tables around the digits of a token table.
func findAt(ctx context.Context, img dump.Image, digitsAt mem.Phys) (*Found, error) {
	r := physical{img}
	var t Tables
	tok, err := locateTokens(r, mem.Virt(digitsAt), &t)
	if err != nil {
		return nil, err
	}
	names, err := locateNames(ctx, r, tok, &t)
	if err != nil {
		return nil, err
	}
	groups, err := names.decode(ctx, tok)
	if err != nil {
		return nil, err
	}
	f := &Found{TokenTable: mem.Phys(t.TokenTable)}
	form, addrs, err := locateAddresses(r, t, groups, names.count)
	if err != nil {
		return nil, err
	}
	f.Form = form
	if form == PlaceRelative { // what was decoded is where the symbols lie in physical memory
		if !f.anchorByPointers(r, groups, addrs) {
			return nil, fmt.Errorf("%w: nothing says at which virtual address the kernel ran", ErrBadTables)
		}
		for i := range addrs {
			addrs[i] -= mem.Virt(f.Offset)
		}
	}
	list, err := merge(groups, addrs)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadTables, err)
	}
	f.Symbols = list
	f.anchorByBanner(img, r, sym.New(list))
	return f, nil
}

// locateTokens finds the token index behind the token table that has its
// digits at digitsAt; the index then says where the table begins.
func locateTokens(r mem.Reader[mem.Virt], digitsAt mem.Virt, t *Tables) (*tokens, error) {
	const after = 16 << 10 // most bytes of the tokens from '0' on, and of the index
	b := make([]byte, after)
	n, _ := r.ReadMem(b, digitsAt)
	b = b[:n]
	end := 0
	for range numTokens - '0' {
		i := bytes.IndexByte(b[end:], 0)
		if i < 0 {
			return nil, fmt.Errorf("%w: token table does not end", ErrBadTables)
		}
		end += i + 1
	}
	for _, align := range []mem.Virt{4, 8} {
		t.TokenIndex = (digitsAt + mem.Virt(end) + align - 1) &^ (align - 1)
		idx := int(t.TokenIndex - digitsAt)
		if idx+2*numTokens > len(b) {
			continue
		}
		t.TokenTable = digitsAt - mem.Virt(binary.LittleEndian.Uint16(b[idx+2*'0':]))
		if tok, err := readTokens(r, t.TokenTable, t.TokenIndex); err == nil {
			return tok, nil
		}
	}
	return nil, fmt.Errorf("%w: no index behind the token table", ErrBadTables)
}

const (
	// maxBack is how far before the token table kallsyms_num_syms can be: five
	// times as far as in the largest kernel known.
	maxBack = 32 << 20

	// minSymbols is fewer than any kernel has.
	minSymbols = 256

	// probeNames is how many names are tried before all are.
	probeNames = 16

	// maxProbes and maxWalks bound how often some or all names are tried before
	// one token table. Real kernels needed 87 and 11.
	maxProbes = 1 << 14
	maxWalks  = 64
)

// locateNames finds kallsyms_num_syms and kallsyms_names before the token
// table: a number that so many names follow, whose places every
// kallsyms_markers element confirms.
func locateNames(ctx context.Context, r mem.Reader[mem.Virt], tok *tokens, t *Tables) (*packed, error) {
	const step = 1 << 20
	const overlap = 64 // enough of the next piece to reject nearly everything
	s := nameSearch{ctx: ctx, r: r, tok: tok, t: t}
	end := t.TokenTable &^ 3
	for back := mem.Virt(0); back < maxBack && end > back; back += step {
		start := end - min(end, back+step)
		b := make([]byte, min(end-start, step+overlap))
		whole := len(b)
		b = readTail(r, b, start)
		start += mem.Virt(whole - len(b))
		for i := (len(b) - 12) &^ 3; i >= 0; i -= 4 {
			count := binary.LittleEndian.Uint32(b[i:])
			if count < minSymbols || count > sym.MaxSymbols || 2*uint64(count) > uint64(end-start)-uint64(i) {
				continue
			}
			if p, err := s.try(b[i:], start+mem.Virt(i), int(count)); p != nil || err != nil {
				return p, err
			}
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if len(b) < whole {
			break
		}
	}
	return nil, fmt.Errorf("%w: no names before the token table", ErrBadTables)
}

// nameSearch tries places for kallsyms_num_syms.
type nameSearch struct {
	ctx           context.Context
	r             mem.Reader[mem.Virt]
	tok           *tokens
	t             *Tables
	probes, walks int
}

// try gives the names behind the number at addr, whose memory b begins with;
// nil when there are none. The error ends the search.
func (s *nameSearch) try(b []byte, addr mem.Virt, count int) (*packed, error) {
	for _, gap := range []int{8, 4} {
		if gap == 8 && binary.LittleEndian.Uint32(b[4:]) != 0 || !canBegin(b[gap:], s.tok) {
			continue
		}
		if err := s.ctx.Err(); err != nil {
			return nil, err
		}
		if s.probes++; s.probes > maxProbes || s.walks >= maxWalks {
			return nil, fmt.Errorf("%w: too many places could be names", ErrBadTables)
		}
		names := addr + mem.Virt(gap)
		if _, err := readNames(s.r, names, min(count, probeNames), s.tok); err != nil {
			continue
		}
		s.walks++
		s.t.NumSyms, s.t.Names = addr, names
		if p, err := tryNames(s.r, s.t, count, s.tok); err == nil {
			return p, nil
		}
	}
	return nil, nil
}

// readTail reads memory at addr into b and gives the part of b behind the last
// page that cannot be read.
func readTail(r mem.Reader[mem.Virt], b []byte, addr mem.Virt) []byte {
	for len(b) > 0 {
		n, err := r.ReadMem(b, addr)
		if err == nil {
			return b
		}
		skip := (addr+mem.Virt(n))&^(mem.PageSize-1) + mem.PageSize - addr
		skip = min(skip, mem.Virt(len(b)))
		b, addr = b[skip:], addr+skip
	}
	return b
}

// canBegin says whether b can be the start of kallsyms_names.
func canBegin(b []byte, tok *tokens) bool {
	n, size := nameLength(b, true)
	if b[0] >= 0x80 && (n == 0 || n > maxName) {
		n, size = nameLength(b, false)
	}
	return n != 0 && (size >= len(b) || tok.kind[b[size]])
}

// tryNames decodes the names at t.Names if the markers behind them agree.
func tryNames(r mem.Reader[mem.Virt], t *Tables, count int, tok *tokens) (*packed, error) {
	p, err := readNames(r, t.Names, count, tok)
	if err != nil {
		return nil, err
	}
	end := t.Names + mem.Virt(len(p.b))
	if end > t.TokenTable {
		return nil, fmt.Errorf("%w: names reach into the token table", ErrBadTables)
	}
	for _, align := range []mem.Virt{4, 8} {
		for _, width := range []int{4, 8} {
			if p.markersAt(r, (end+align-1)&^(align-1), width) {
				return p, nil
			}
		}
	}
	return nil, fmt.Errorf("%w: no markers behind the names", ErrBadTables)
}

// markersAt says whether kallsyms_markers, with elements of width bytes, is at addr.
func (p *packed) markersAt(r mem.Reader[mem.Virt], addr mem.Virt, width int) bool {
	b := make([]byte, len(p.marks)*width)
	if _, err := r.ReadMem(b, addr); err != nil {
		return false
	}
	for i, mark := range p.marks {
		if int(binary.LittleEndian.Uint32(b[i*width:])) != mark || width == 8 && binary.LittleEndian.Uint32(b[i*width+4:]) != 0 {
			return false
		}
	}
	return true
}

// locateAddresses tries each place where kernels have had the addresses: before
// kallsyms_num_syms, in newer ones behind the token index.
func locateAddresses(r mem.Reader[mem.Virt], t Tables, groups []group, count int) (Form, []mem.Virt, error) {
	n := mem.Virt(count)
	var tries []Tables
	for _, align := range []mem.Virt{8, 4} {
		up := func(a mem.Virt) mem.Virt { return (a + align - 1) &^ (align - 1) }
		tries = append(tries, Tables{Offsets: up(t.TokenIndex + 2*numTokens), RelativeBase: up(up(t.TokenIndex+2*numTokens) + 4*n)})
		base := (t.NumSyms - 8) &^ (align - 1)
		tries = append(tries, Tables{Offsets: (base - 4*n) &^ (align - 1), RelativeBase: base})
	}
	tries = append(tries, Tables{Addresses: (t.NumSyms - 8*n) &^ 7})
	for _, try := range tries {
		if try.RelativeBase != 0 {
			// The base is _text or the like: a page's start in the kernel's half.
			if base, err := mem.U64(r, try.RelativeBase); err != nil || base < 1<<63 || base%mem.PageSize != 0 {
				continue
			}
		}
		if form, addrs, err := chooseForm(r, try, groups, count); err == nil {
			return form, addrs, nil
		}
	}
	for _, align := range []mem.Virt{4, 8} {
		at := (t.TokenIndex + 2*numTokens + align - 1) &^ (align - 1)
		a, ok, err := readAddressTable(r, Tables{Offsets: at}, PlaceRelative, count, nil)
		if !ok || err != nil {
			continue
		}
		if addrs, descents := a.decode(PlaceRelative); descents <= count/maxDescents && bannerAt(r, groups, addrs) {
			return PlaceRelative, addrs, nil
		}
	}
	return 0, nil, fmt.Errorf("%w: no addresses around the names", ErrBadTables)
}

package kallsyms

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"runtime"
	"sync"

	"github.com/kinquest/inquest/mem"
)

const (
	numTokens = 256

	// maxToken bounds one token: it is part of a name, and names have less than
	// KSYM_NAME_LEN bytes (512 since v6.1, before 128).
	maxToken = 512

	// maxName is where a decoded name is cut: four times KSYM_NAME_LEN.
	maxName = 2048

	// maxPacked bounds kallsyms_names: 20 times the largest known.
	maxPacked = 64 << 20
)

// tokens is the table that names are packed with: each byte stands for a text.
type tokens struct {
	text [numTokens][]byte
	kind [numTokens]bool // the text begins with a symbol type: it can begin a name
}

// readTokens reads kallsyms_token_table and kallsyms_token_index.
func readTokens(r mem.Reader[mem.Virt], table, index mem.Virt) (*tokens, error) {
	var idx [2 * numTokens]byte
	if _, err := r.ReadMem(idx[:], index); err != nil {
		return nil, fmt.Errorf("kallsyms_token_index: %w", err)
	}
	last := int(binary.LittleEndian.Uint16(idx[len(idx)-2:]))
	b := make([]byte, last+maxToken)
	n, err := r.ReadMem(b, table)
	if n <= last {
		return nil, fmt.Errorf("kallsyms_token_table: %w", err)
	}
	tok, ok := parseTokens(b[:n], idx[:])
	if !ok {
		return nil, fmt.Errorf("%w: kallsyms_token_index does not fit kallsyms_token_table", ErrBadTables)
	}
	return tok, nil
}

// parseTokens cuts table at the offsets in index: they ascend, and each text
// ends with the NUL byte before the next.
func parseTokens(table, index []byte) (*tokens, bool) {
	tok := new(tokens)
	at := 0
	for i := range tok.text {
		if int(binary.LittleEndian.Uint16(index[2*i:])) != at || at >= len(table) {
			return nil, false
		}
		n := bytes.IndexByte(table[at:min(at+maxToken, len(table))], 0)
		if n < 0 {
			return nil, false
		}
		tok.text[i] = table[at : at+n]
		tok.kind[i] = n > 0 && isType(table[at])
		at += n + 1
	}
	return tok, true
}

// isType says whether c is a symbol type of nm(1).
func isType(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '?' }

// packed is kallsyms_names: for each symbol a length and so many bytes, each of
// which is a token; the first character of the first token is the type.
type packed struct {
	b     []byte
	long  bool // lengths of 128 and more take further bytes
	count int
	marks []int // where every markEvery-th symbol begins
}

// markEvery is the distance of kallsyms_markers, in symbols.
const markEvery = 256

// usualLength is how many bytes a packed name takes, on average, in kernels of
// distributions.
const usualLength = 12

// readNames finds the end of count names at addr, and which form of length
// they have: since v6.1, 73bbb94466fd ("kallsyms: support "big" kernel
// symbols"), bit 7 says that another byte follows; before, all 8 bits count.
func readNames(r mem.Reader[mem.Virt], addr mem.Virt, count int, tok *tokens) (*packed, error) {
	s := &stream{r: r, at: addr, step: count * usualLength}
	var first error
	for _, long := range []bool{true, false} {
		p := &packed{long: long, count: count}
		if err := p.walk(s, tok); err == nil {
			return p, nil
		} else if first == nil {
			first = err
		}
	}
	return nil, fmt.Errorf("kallsyms_names: %w", first)
}

// walk steps over all names and keeps them.
func (p *packed) walk(s *stream, tok *tokens) error {
	at := 0
	p.marks = make([]int, 0, p.count/markEvery+1)
	for i := range p.count {
		if i%markEvery == 0 {
			p.marks = append(p.marks, at)
		}
		if err := s.need(at + maxLength); err != nil && len(s.b) <= at {
			return err
		}
		n, size := nameLength(s.b[at:], p.long)
		if n == 0 {
			return fmt.Errorf("%w: symbol %d of %d has no name", ErrBadTables, i, p.count)
		}
		if err := s.need(at + size + n); err != nil {
			return err
		}
		if !tok.kind[s.b[at+size]] {
			return fmt.Errorf("%w: symbol %d of %d has no type", ErrBadTables, i, p.count)
		}
		at += size + n
	}
	p.b = s.b[:at]
	return nil
}

// maxLength is the most bytes that a length takes.
const maxLength = 3

// nameLength reads the number of tokens at the start of b and how many bytes
// the number takes. Long forms are ULEB128.
func nameLength(b []byte, long bool) (n, size int) {
	if !long {
		return int(b[0]), 1
	}
	for size < min(maxLength, len(b)) {
		n |= int(b[size]&0x7f) << (7 * size)
		size++
		if b[size-1]&0x80 == 0 {
			return n, size
		}
	}
	return 0, size
}

// stream reads memory as far as it is needed.
type stream struct {
	r  mem.Reader[mem.Virt]
	at mem.Virt // where b begins
	b  []byte
	// step is how much is read at first: in one piece, because pages of a
	// compressed dump are then unpacked on all cores.
	step int
}

// need makes sure that b has at least n bytes.
func (s *stream) need(n int) error {
	const least, most = 4 << 10, 1 << 20
	for len(s.b) < n {
		if n > maxPacked {
			return fmt.Errorf("%w: more than %d bytes", ErrBadTables, maxPacked)
		}
		old := len(s.b)
		s.b = append(s.b, make([]byte, min(max(old, s.step, least), most))...)
		got, err := s.r.ReadMem(s.b[old:], s.at+mem.Virt(old))
		s.b = s.b[:old+got]
		if err != nil && len(s.b) < n {
			return err
		}
	}
	return nil
}

// group is a run of decoded names.
type group struct {
	text  []byte   // names back to back
	ends  []uint32 // where each ends in text
	types []byte
}

// decode unpacks all names on all processors; the groups are in order.
func (p *packed) decode(ctx context.Context, tok *tokens) ([]group, error) {
	workers := min(runtime.GOMAXPROCS(0), len(p.marks))
	groups := make([]group, workers)
	var wg sync.WaitGroup
	for w := range workers {
		from, to := w*len(p.marks)/workers, (w+1)*len(p.marks)/workers
		wg.Go(func() { groups[w] = p.decodeMarks(ctx, tok, from, to) })
	}
	wg.Wait()
	return groups, ctx.Err()
}

// decodeMarks unpacks the names from one mark to another.
func (p *packed) decodeMarks(ctx context.Context, tok *tokens, from, to int) group {
	count := min(to*markEvery, p.count) - from*markEvery
	const typical = 32 // bytes of a name
	g := group{
		text:  make([]byte, 0, min(count*typical, maxPacked)),
		ends:  make([]uint32, 0, count),
		types: make([]byte, 0, count),
	}
	at := p.marks[from]
	for i := range count {
		if i%markEvery == 0 && ctx.Err() != nil {
			return group{}
		}
		n, size := nameLength(p.b[at:], p.long)
		at += size
		start := len(g.text)
		first := tok.text[p.b[at]]
		g.types = append(g.types, first[0])
		g.text = append(g.text, first[1:]...)
		for _, t := range p.b[at+1 : at+n] {
			g.text = append(g.text, tok.text[t]...)
			if len(g.text)-start > maxName {
				g.text = g.text[:start+maxName]
				break
			}
		}
		at += n
		g.ends = append(g.ends, uint32(len(g.text)))
	}
	return g
}

package kallsyms

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/kinquest/inquest/mem"
)

// symbol is one line of nm(1).
type symbol struct {
	addr mem.Virt
	typ  byte
	name string
}

// symbols reads lines of address, type and name.
func symbols(lines string) (out []symbol) {
	for line := range strings.SplitSeq(strings.TrimSpace(lines), "\n") {
		var s symbol
		var typ string
		if _, err := fmt.Sscanf(line, "%x %s %s", (*uint64)(&s.addr), &typ, &s.name); err != nil {
			panic(fmt.Sprintf("%q: %v", line, err))
		}
		s.typ = typ[0]
		out = append(out, s)
	}
	return out
}

// kernel is a recipe for kallsyms tables in memory, as scripts/kallsyms.c of
// some release writes them.
type kernel struct {
	form  Form
	long  bool // lengths in ULEB128
	wide  bool // num_syms and markers of 64 bits
	late  bool // the addresses come behind the token index
	seqs  bool // there is kallsyms_seqs_of_names
	align int  // of each table
	base  mem.Virt
}

// The shapes of distributions' kernels.
var kernels = map[string]kernel{
	"3.10":  {form: Absolute, wide: true, align: 8},
	"4.19":  {form: RelativePercpu, wide: true, align: 8},
	"5.10":  {form: RelativePercpu, align: 8},
	"6.1":   {form: RelativePercpu, long: true, align: 8, seqs: true},
	"6.12":  {form: RelativePercpu, long: true, align: 8, late: true, seqs: true},
	"6.15":  {form: Relative, long: true, align: 8, late: true, seqs: true},
	"7.2":   {form: PlaceRelative, long: true, align: 4, late: true, seqs: true},
	"arm64": {form: Relative, align: 8},
}

// tokensOf gives every character that names use its own token and fills the
// codes that are left with frequent pieces.
func tokensOf(syms []symbol) (tok [numTokens]string) {
	for _, s := range syms {
		for _, c := range []byte(string(s.typ) + s.name) {
			tok[c] = string(c)
		}
	}
	for c := '0'; c <= '9'; c++ {
		tok[c] = string(c)
	}
	pieces := []string{"tsys_", "T_", "init_", "task", "ker", "nel", "dfoo"}
	for i := 0x80; i < numTokens && len(pieces) > 0; i++ {
		tok[i], pieces = pieces[0], pieces[1:]
	}
	return tok
}

// pack replaces pieces of s by tokens, longest first.
func pack(s string, tok *[numTokens]string) (out []byte) {
	for s != "" {
		best := int(s[0])
		for i, t := range tok {
			if len(t) > len(tok[best]) && strings.HasPrefix(s, t) {
				best = i
			}
		}
		out = append(out, byte(best))
		s = s[len(tok[best]):]
	}
	return out
}

// image is memory from base on; the rest is not stored.
type image struct {
	base mem.Virt
	b    []byte
}

func (m *image) ReadMem(p []byte, addr mem.Virt) (int, error) {
	if addr < m.base || addr >= m.base+mem.Virt(len(m.b)) {
		return 0, mem.Fault(addr, mem.ErrUnmapped)
	}
	n := copy(p, m.b[addr-m.base:])
	if n < len(p) {
		return n, mem.Fault(addr+mem.Virt(n), mem.ErrUnmapped)
	}
	return n, nil
}

// label aligns the end of the image and gives its address.
func (m *image) label(align int) mem.Virt {
	for len(m.b)%align != 0 {
		m.b = append(m.b, 0)
	}
	return m.base + mem.Virt(len(m.b))
}

func (m *image) u32(v uint32) { m.b = binary.LittleEndian.AppendUint32(m.b, v) }
func (m *image) u64(v uint64) { m.b = binary.LittleEndian.AppendUint64(m.b, v) }

// put32 appends v in 64 bits when wide.
func (m *image) put(v int, wide bool) {
	m.u32(uint32(v))
	if wide {
		m.u32(0)
	}
}

// build appends the tables of syms to m.
func (k kernel) build(m *image, syms []symbol) (t Tables) {
	if !k.late {
		k.addresses(m, syms, &t)
	}
	t.NumSyms = m.label(k.align)
	m.put(len(syms), k.wide)
	tok := tokensOf(syms)
	marks := k.names(m, syms, &tok, &t)
	m.label(k.align)
	for _, mark := range marks {
		m.put(mark, k.wide)
	}
	if k.seqs && !k.late {
		k.seqsOfNames(m, syms)
	}
	t.TokenTable = m.label(k.align)
	var index []int
	for _, s := range tok {
		index = append(index, len(m.b)-int(t.TokenTable-m.base))
		m.b = append(append(m.b, s...), 0)
	}
	t.TokenIndex = m.label(k.align)
	for _, i := range index {
		m.b = binary.LittleEndian.AppendUint16(m.b, uint16(i))
	}
	if k.late {
		k.addresses(m, syms, &t)
		k.seqsOfNames(m, syms)
	}
	m.label(8)
	return t
}

func (k kernel) names(m *image, syms []symbol, tok *[numTokens]string, t *Tables) (marks []int) {
	t.Names = m.label(k.align)
	start := len(m.b)
	for i, s := range syms {
		if i%markEvery == 0 {
			marks = append(marks, len(m.b)-start)
		}
		p := pack(string(s.typ)+s.name, tok)
		n := len(p)
		for ; k.long && n > 0x7f; n >>= 7 {
			m.b = append(m.b, byte(n&0x7f|0x80))
		}
		m.b = append(append(m.b, byte(n)), p...)
		if s.name == "_stext" {
			t.Stext = s.addr
		}
	}
	return marks
}

func (k kernel) addresses(m *image, syms []symbol, t *Tables) {
	at := m.label(k.align)
	if k.form == Absolute {
		t.Addresses = at
	} else {
		t.Offsets = at
	}
	for i, s := range syms {
		switch k.form {
		case Absolute:
			m.u64(uint64(s.addr))
		case Relative:
			m.u32(uint32(s.addr - k.base))
		case PlaceRelative:
			m.u32(uint32(s.addr - at - mem.Virt(4*i)))
		case RelativePercpu:
			if s.typ == 'A' {
				m.u32(uint32(s.addr))
			} else {
				m.u32(uint32(k.base - 1 - s.addr))
			}
		}
	}
	if k.form == Relative || k.form == RelativePercpu {
		t.RelativeBase = m.label(k.align)
		m.u64(uint64(k.base))
	}
}

func (k kernel) seqsOfNames(m *image, syms []symbol) {
	m.label(k.align)
	for i := range syms {
		m.b = append(m.b, byte(i>>16), byte(i>>8), byte(i))
	}
}

// sampleBase is where the kernel of sampleSymbols begins; the image's tables lie above.
const (
	sampleBase   mem.Virt = 0xffffffff8c400000
	sampleTables mem.Virt = sampleBase + 0x200000
)

// sampleSymbols is a kernel with count functions and some boundary symbols;
// percpu adds absolute symbols.
func sampleSymbols(tb testing.TB, count int, percpu bool) []symbol {
	tb.Helper()
	var out []symbol
	if percpu {
		out = symbols("0 A __per_cpu_start\n2000 A gdt_page")
	}
	out = append(out, symbols("ffffffff8c400000 T startup_64\nffffffff8c400000 T _stext\nffffffff8c400000 T _text")...)
	for i := range count {
		s := symbol{addr: sampleBase + mem.Virt(16*i+16), typ: 't', name: fmt.Sprintf("sys_init_task_%d", i)}
		if i%100 == 7 {
			s.name += strings.Repeat("Q", 100+i%200) // as long as Rust names
		}
		out = append(out, s)
	}
	return append(out, symbols(`
ffffffff8c5ff000 T _etext
ffffffff8c600000 D __start_rodata
ffffffff8c600000 D linux_banner
ffffffff8c600100 D linux_proc_banner
ffffffff8c600200 d table_of_functions
ffffffff8c900000 R __end_rodata
ffffffff8ca00000 B _end`)...)
}

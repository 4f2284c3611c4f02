package orc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kinquest/inquest/arch"
	"github.com/kinquest/inquest/ctype"
	"github.com/kinquest/inquest/mem"
)

// region is memory at one place.
type region struct {
	at mem.Virt
	b  []byte
}

type memory []region

func (m memory) ReadMem(p []byte, addr mem.Virt) (int, error) {
	n := 0
	for n < len(p) {
		k := 0
		for _, r := range m {
			if a := addr + mem.Virt(n); a >= r.at && a-r.at < mem.Virt(len(r.b)) {
				k = copy(p[n:], r.b[a-r.at:])
			}
		}
		if k == 0 {
			return n, mem.Fault(addr+mem.Virt(n), mem.ErrUnmapped)
		}
		n += k
	}
	return n, nil
}

const (
	ipsAt     = 0xffffffff82c5f3f4 // as in a 6.1 kernel: not on a page boundary
	entriesAt = 0xffffffff82dd6380
	textAt    = 0xffffffff81000000
)

// build makes the two sections of rows (address, bits of the third word).
func build(ips []mem.Virt, bits []uint16) memory {
	pad := func(at mem.Virt, n int) region { // whole pages around n bytes at at
		start := at &^ (mem.PageSize - 1)
		end := (at + mem.Virt(n) + mem.PageSize - 1) &^ (mem.PageSize - 1)
		return region{start, make([]byte, end-start)}
	}
	a, e := pad(ipsAt, 4*len(ips)), pad(entriesAt, 6*len(ips))
	for i, ip := range ips {
		place := ipsAt + mem.Virt(4*i)
		binary.LittleEndian.PutUint32(a.b[place-a.at:], uint32(ip-place))
		at := entriesAt + mem.Virt(6*i) - e.at
		binary.LittleEndian.PutUint16(e.b[at:], uint16(8+8*i)) // sp_offset tells the row
		binary.LittleEndian.PutUint16(e.b[at+2:], 0xfff0)
		binary.LittleEndian.PutUint16(e.b[at+4:], bits[i])
	}
	return memory{a, e}
}

func repeat(n int, bits uint16) (ips []mem.Virt, out []uint16) {
	for i := range n {
		ips, out = append(ips, textAt+mem.Virt(16*i)), append(out, bits)
	}
	return ips, out
}

func TestDecode(t *testing.T) {
	raw := func(bits uint16) []byte { return []byte{0x10, 0, 0xf0, 0xff, byte(bits), byte(bits >> 8)} }
	for _, c := range []struct {
		f        Format
		bits     uint16
		sp, bp   Reg
		typ      Type
		signal   bool
		distinct string
	}{
		{Format4_14, 0x015, RegSP, RegPrevSP, TypeCall, false, "call"},
		{Format4_14, 0x105, RegSP, RegUndefined, TypeRegs, true, "regs are always interrupted"},
		{Format4_14, 0x209, RegSPIndirect, RegUndefined, TypeRegsPartial, true, "partial"},
		{Format4_14, 0x400, RegUndefined, RegUndefined, TypeEnd, false, "end bit"},
		{Format4_14, 0x000, RegUndefined, RegUndefined, TypeUndefined, false, "nothing"},
		{Format4_14, 0x305, RegSP, RegUndefined, TypeInvalid, true, "type 3"},
		{Format4_14, 0x00a, RegAX, RegUndefined, TypeCall, false, "clang's RAX"},
		{Format6_3, 0x015, RegSP, RegPrevSP, TypeCall, false, "call"},
		{Format6_3, 0x405, RegSP, RegUndefined, TypeCall, true, "signal bit"},
		{Format6_3, 0x800, RegUndefined, RegUndefined, TypeEnd, false, "end bit"},
		{Format6_3, 0x400, RegUndefined, RegUndefined, TypeUndefined, false, "signal is not end"},
		{Format6_3, 0x505, RegSP, RegUndefined, TypeRegs, true, "regs"},
		{Format6_4, 0x215, RegSP, RegPrevSP, TypeCall, false, "call"},
		{Format6_4, 0xb05, RegSP, RegUndefined, TypeRegs, true, "regs"},
		{Format6_4, 0x100, RegUndefined, RegUndefined, TypeEnd, false, "end type"},
		{Format6_4, 0x705, RegSP, RegUndefined, TypeInvalid, false, "type 7"},
		{Format7_1, 0x283, RegSP, RegPrevSP, TypeCall, false, "call"},
		{Format7_1, 0x284, RegBP, RegPrevSP, TypeCall, false, "call by RBP"},
		{Format7_1, 0xb09, RegSPIndirect, RegUndefined, TypeRegs, true, "regs"},
		{Format7_1, 0x20f, RegInvalid, RegUndefined, TypeCall, false, "register 15"},
	} {
		e := c.f.Decode(raw(c.bits))
		want := Entry{16, -16, c.sp, c.bp, c.typ, c.signal}
		if e != want {
			t.Errorf("%v %s: %+v, want %+v", c.f, c.distinct, e, want)
		}
	}
}

func TestFind(t *testing.T) {
	// Two entries for one address: the weak terminator first, then the real one.
	ips := []mem.Virt{textAt, textAt + 0x10, textAt + 0x10, textAt + 0x30, textAt + 0x2000}
	m := build(ips, []uint16{0x15, 0, 0x15, 0x15, 0})
	tab, err := NewTable(m, ipsAt, entriesAt, len(ips), Format4_14)
	if err != nil {
		t.Fatal(err)
	}
	for pc, row := range map[mem.Virt]int{
		textAt: 0, textAt + 0xf: 0, textAt + 0x10: 2, textAt + 0x2f: 2, textAt + 0x30: 3,
		textAt + 0x1fff: 3, textAt + 0x2000: 4, textAt + 0x900000: 4,
	} {
		if e, err := tab.Find(pc); err != nil || int(e.SPOffset) != 8+8*row {
			t.Errorf("%v: row %d, want %d (%v)", pc, (e.SPOffset-8)/8, row, err)
		}
	}
	if _, err := tab.Find(textAt - 1); !errors.Is(err, ErrNoEntry) {
		t.Errorf("below the first entry: %v", err)
	}
}

// TestFindReadsOnlyWhatItNeeds: tables with missing pages answer for the rest,
// across page boundaries too.
func TestFindAcrossPages(t *testing.T) {
	const n = 5000
	ips, bits := repeat(n, 0x215)
	m := build(ips, bits)
	tab, err := NewTable(m, ipsAt, entriesAt, n, Format6_4)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		e, err := tab.Find(ips[i] + 7)
		if err != nil || uint16(e.SPOffset) != uint16(8+8*i) {
			t.Fatalf("row %d: %+v, %v", i, e, err)
		}
	}
	m[1].b = m[1].b[:2*mem.PageSize] // the entries' last pages are gone
	tab, _ = NewTable(m, ipsAt, entriesAt, n, Format6_4)
	if _, err := tab.Find(ips[5]); err != nil {
		t.Errorf("entry on a page that is there: %v", err)
	}
	_, err = tab.Find(ips[n-1])
	if _, ok := errors.AsType[*mem.FaultError](err); !ok {
		t.Errorf("entry on a lost page: %v", err)
	}
}

func TestTableLimits(t *testing.T) {
	for _, n := range []int{-1, maxEntries + 1} {
		if _, err := NewTable(memory{}, ipsAt, entriesAt, n, Format6_4); err == nil {
			t.Errorf("%d entries are accepted", n)
		}
	}
	if _, err := NewTable(memory{}, ^mem.Virt(99), entriesAt, 1000, Format6_4); err == nil {
		t.Error("a table over the end of memory is accepted")
	}
	tab, err := NewTable(memory{}, ipsAt, entriesAt, 0, Format6_4)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tab.Find(textAt); !errors.Is(err, ErrNoEntry) {
		t.Errorf("empty table: %v", err)
	}
}

func TestSet(t *testing.T) {
	ips, bits := repeat(4, 0x215)
	tab, _ := NewTable(build(ips, bits), ipsAt, entriesAt, len(ips), Format6_4)
	var s Set
	for _, sp := range [][2]mem.Virt{{textAt + 0x100, textAt + 0x200}, {textAt, textAt + 0x80}, {textAt + 0x300, textAt + 0x400}} {
		if err := s.Add(sp[0], sp[1], tab); err != nil {
			t.Fatal(err)
		}
	}
	for _, sp := range [][2]mem.Virt{{textAt + 0x70, textAt + 0x90}, {textAt + 0x180, textAt + 0x190}, {textAt + 0x290, textAt + 0x301}, {textAt + 0x250, textAt + 0x250}} {
		if err := s.Add(sp[0], sp[1], tab); err == nil {
			t.Errorf("span %v is accepted", sp)
		}
	}
	for pc, want := range map[mem.Virt]bool{
		textAt - 1: false, textAt: true, textAt + 0x7f: true, textAt + 0x80: false,
		textAt + 0x1ff: true, textAt + 0x200: false, textAt + 0x3ff: true, textAt + 0x400: false,
	} {
		if _, err := s.Find(pc); (err == nil) != want || !want && !errors.Is(err, ErrNoEntry) {
			t.Errorf("%v: %v", pc, err)
		}
	}
}

func TestProbe(t *testing.T) {
	st := func(names string) *ctype.Struct {
		s := &ctype.Struct{Name: "orc_entry"}
		for _, n := range strings.Fields(names) {
			s.Members = append(s.Members, ctype.Member{Name: n})
		}
		return s
	}
	plain := map[Format]uint16{Format4_14: 0x15, Format6_3: 0x15, Format6_4: 0x215, Format7_1: 0x283}
	for _, c := range []struct {
		name  string
		plain uint16
		n     int
		odd   map[int]uint16 // rows that differ
		btf   *ctype.Struct
		want  Format
	}{
		{"4.14", plain[Format4_14], 100, map[int]uint16{7: 0x400}, nil, Format4_14},
		{"4.14 with all kinds", plain[Format4_14], 9000, map[int]uint16{8500: 0x400, 30: 0x105, 31: 0x209}, nil, Format4_14},
		{"6.3 by a far entry", plain[Format6_3], 9000, map[int]uint16{8500: 0x505}, nil, Format6_3},
		{"6.3 by its end bit", plain[Format6_3], 100, map[int]uint16{50: 0x800}, nil, Format6_3},
		{"6.3 by BTF", plain[Format6_3], 100, nil, st("sp_offset type signal end"), Format6_3},
		{"4.14 by BTF", plain[Format4_14], 100, nil, st("sp_offset type end"), Format4_14},
		{"6.4", plain[Format6_4], 9000, map[int]uint16{1: 0xb05}, nil, Format6_4},
		{"6.4 by BTF", plain[Format6_4], 100, nil, st("type signal"), Format6_4},
		{"7.1", plain[Format7_1], 9000, nil, nil, Format7_1},
		{"7.1: BTF cannot tell the numbers", plain[Format7_1], 100, nil, st("type signal"), Format7_1},
		{"BTF against the table", plain[Format4_14], 100, nil, st("type signal"), FormatUnknown},
		{"noise", 0xffff, 100, nil, nil, FormatUnknown},
		{"zeros", 0, 100, nil, nil, FormatUnknown},
	} {
		ips, bits := repeat(c.n, c.plain)
		for i, b := range c.odd {
			bits[i] = b
		}
		tab, err := NewTable(build(ips, bits), ipsAt, entriesAt, c.n, FormatUnknown)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Probe(tab, c.btf)
		if got != c.want || (err == nil) != (c.want != FormatUnknown) {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
		if c.want == FormatUnknown && !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v is not ErrFormat", c.name, err)
		}
	}
	tab, _ := NewTable(memory{}, ipsAt, entriesAt, 100, FormatUnknown)
	if _, err := Probe(tab, nil); !errors.Is(err, mem.ErrUnmapped) {
		t.Errorf("table that cannot be read: %v", err)
	}
}

// stackOf is a Stack of words from base on.
type stackOf struct {
	base  uint64
	words []uint64
}

func (s stackOf) Word(addr uint64) (uint64, error) {
	if i := (addr - s.base) / 8; addr >= s.base && i < uint64(len(s.words)) {
		return s.words[i], nil
	}
	return 0, fmt.Errorf("%#x is on no stack", addr)
}

func (s stackOf) bytes(addr uint64, n int) ([]byte, error) {
	var b []byte
	for i := 0; i < n; i += 8 {
		w, err := s.Word(addr + uint64(i))
		if err != nil {
			return nil, err
		}
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b, nil
}

func (s stackOf) PtRegs(addr uint64) (arch.Regs, error) {
	b, err := s.bytes(addr, arch.PtRegsSize)
	if err != nil {
		return arch.Regs{}, err
	}
	return arch.PtRegs(b), nil
}

func (s stackOf) IRetRegs(addr uint64) (arch.Regs, error) {
	b, err := s.bytes(addr, arch.IRetSize)
	if err != nil {
		return arch.Regs{}, err
	}
	return arch.IRetRegs(b), nil
}

func TestStep(t *testing.T) {
	const top = 0xffffc90000004000
	const base = top - 0x100
	st := stackOf{base, make([]uint64, 32)}
	for i := range st.words {
		st.words[i] = 0x1000 + uint64(i)
	}
	st.words[2] = base + 0x20 // a saved stack pointer
	all := func() arch.Regs {
		var r arch.Regs
		for reg := arch.RAX; reg < arch.NumRegs; reg++ {
			r.Set(reg, base+0x40)
		}
		r.Set(arch.RSP, base)
		r.Set(arch.RBP, base+0x10)
		return r
	}
	for _, c := range []struct {
		name         string
		e            Entry
		pc, sp, bp   uint64 // bp 0: unknown
		slot         uint64
		regs, signal bool
	}{
		{"call by SP", Entry{24, -16, RegSP, RegPrevSP, TypeCall, false}, base + 0x20, base + 24, 0x1001, base + 16, false, false},
		{"RBP unchanged", Entry{8, 0, RegSP, RegUndefined, TypeCall, false}, 0x1000, base + 8, base + 0x10, base, false, false},
		{"call by BP", Entry{16, -16, RegBP, RegPrevSP, TypeCall, false}, 0x1003, base + 0x20, base + 0x20, base + 0x18, false, false},
		{"RBP by BP", Entry{16, 8, RegBP, RegBP, TypeCall, false}, 0x1003, base + 0x20, 0x1003, base + 0x18, false, false},
		{"realigned by R10", Entry{0, 0, RegR10, RegUndefined, TypeCall, false}, 0x1007, base + 0x40, base + 0x10, base + 0x38, false, false},
		{"BP indirect", Entry{0, -16, RegBPIndirect, RegPrevSP, TypeCall, false}, 0x1003, base + 0x20, base + 0x20, base + 0x18, false, false},
		{"signal of a call", Entry{8, 0, RegSP, RegUndefined, TypeCall, true}, 0x1000, base + 8, base + 0x10, base, false, true},
		{"pt_regs", Entry{8, 0, RegSP, RegUndefined, TypeRegs, true}, 0x1011, 0x1014, 0x1005, 0, true, true},
		{"iret part", Entry{8, 0, RegSP, RegUndefined, TypeRegsPartial, true}, 0x1001, 0x1004, base + 0x10, 0, true, true},
	} {
		r := all()
		got, err := c.e.Step(&r, st)
		bp, _ := r.Get(arch.RBP)
		if err != nil || r.Val(arch.RIP) != c.pc || r.Val(arch.RSP) != c.sp || bp != c.bp {
			t.Errorf("%s: pc %#x sp %#x bp %#x, %v", c.name, r.Val(arch.RIP), r.Val(arch.RSP), bp, err)
		}
		if got.Slot != c.slot || got.Regs != c.regs || got.Signal != c.signal {
			t.Errorf("%s: %+v", c.name, got)
		}
		if !c.regs && r.Known(arch.R10) {
			t.Errorf("%s: R10 survives a call", c.name)
		}
	}
}

func TestStepSPIndirect(t *testing.T) {
	const base = 0xffffc90000003f00
	st := stackOf{base, make([]uint64, 32)}
	st.words[0], st.words[1], st.words[7] = base+0x30, base+0x80, 0xabc
	var r arch.Regs
	r.Set(arch.RSP, base)
	e := Entry{SPOffset: 16, SPReg: RegSPIndirect, Type: TypeCall}
	if _, err := e.Step(&r, st); err != nil || r.Val(arch.RSP) != base+0x40 || r.Val(arch.RIP) != 0xabc {
		t.Errorf("(SP)+offset: %#x, %v", r.Val(arch.RSP), err)
	}
	st.words[0] = 0xdead // only (SP+offset) leads to a stack
	r.Set(arch.RSP, base)
	e.SPOffset = 8
	if _, err := e.Step(&r, st); err != nil || r.Val(arch.RSP) != base+0x80 {
		t.Errorf("(SP+offset): %#x, %v", r.Val(arch.RSP), err)
	}
}

func TestStepErrors(t *testing.T) {
	st := stackOf{0x1000, make([]uint64, 4)}
	for name, c := range map[string]struct {
		e    Entry
		want error
	}{
		"no base":        {Entry{Type: TypeCall}, ErrFormat},
		"invalid base":   {Entry{SPReg: RegInvalid, Type: TypeCall}, ErrFormat},
		"end":            {Entry{SPReg: RegSP, Type: TypeEnd}, ErrFormat},
		"invalid type":   {Entry{SPReg: RegSP, Type: TypeInvalid}, ErrFormat},
		"invalid BP":     {Entry{SPOffset: 8, SPReg: RegSP, BPReg: RegR13, Type: TypeCall}, ErrFormat},
		"lost R13":       {Entry{SPReg: RegR13, Type: TypeCall}, ErrMissingReg},
		"lost BP":        {Entry{SPOffset: 8, SPReg: RegSP, BPReg: RegBP, Type: TypeCall}, ErrMissingReg},
		"off the stack":  {Entry{SPOffset: 0x100, SPReg: RegSP, Type: TypeCall}, nil},
		"regs cut short": {Entry{SPReg: RegSP, Type: TypeRegs}, nil},
		"iret cut short": {Entry{SPReg: RegSP, Type: TypeRegsPartial}, nil},
		"lost RBP slot":  {Entry{SPOffset: 8, BPOffset: 0x100, SPReg: RegSP, BPReg: RegPrevSP, Type: TypeCall}, nil},
		"saved SP":       {Entry{SPOffset: 0x100, SPReg: RegSPIndirect, Type: TypeCall}, nil},
	} {
		var r arch.Regs
		r.Set(arch.RSP, 0x1000)
		before := r
		_, err := c.e.Step(&r, st)
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if r != before {
			t.Errorf("%s: registers changed", name)
		}
	}
}

func FuzzTable(f *testing.F) {
	ips, bits := repeat(9, 0x215)
	m := build(ips, bits)
	f.Add(m[0].b, m[1].b, 9, uint64(textAt+3))
	f.Fuzz(func(t *testing.T, a, e []byte, n int, pc uint64) {
		m := memory{{ipsAt &^ 0xfff, a}, {entriesAt &^ 0xfff, e}}
		tab, err := NewTable(m, ipsAt, entriesAt, n, Format6_4)
		if (tab == nil) == (err == nil) {
			t.Fatalf("table %v and error %v", tab, err)
		}
		if err != nil {
			return
		}
		if f, err := Probe(tab, nil); (f == FormatUnknown) == (err == nil) {
			t.Fatalf("format %v and error %v", f, err)
		}
		ent, err := tab.Find(mem.Virt(pc))
		_, fault := errors.AsType[*mem.FaultError](err)
		if err != nil && !fault && !errors.Is(err, ErrNoEntry) {
			t.Fatalf("%T %v", err, err)
		}
		r := arch.Regs{}
		r.Set(arch.RSP, 0x1000)
		before := r
		if _, err := ent.Step(&r, stackOf{0x1000, make([]uint64, 30)}); err != nil && r != before {
			t.Fatal("a failed step changed the registers")
		}
	})
}

func BenchmarkFind(b *testing.B) {
	const n = 385000 // as many as a 6.1 kernel has
	ips, bits := repeat(n, 0x215)
	tab, err := NewTable(build(ips, bits), ipsAt, entriesAt, n, Format6_4)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i = (i + 104729) % n
		if _, err := tab.Find(ips[i] + 3); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStep(b *testing.B) {
	st := stackOf{0xffffc90000003f00, make([]uint64, 32)}
	e := Entry{24, -16, RegSP, RegPrevSP, TypeCall, false}
	var start arch.Regs
	start.Set(arch.RSP, st.base)
	b.ReportAllocs()
	for b.Loop() {
		r := start
		if _, err := e.Step(&r, st); err != nil {
			b.Fatal(err)
		}
	}
}

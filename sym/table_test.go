package sym

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kinquest/inquest/mem"
)

// listOf makes a list from lines as nm(1) writes them: address type name.
func listOf(t testing.TB, lines string) *List {
	t.Helper()
	l := new(List)
	for line := range strings.SplitSeq(strings.TrimSpace(lines), "\n") {
		var addr uint64
		var typ, name string
		if _, err := fmt.Sscanf(line, "%x %s %s", &addr, &typ, &name); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if err := l.Add([]byte(name), mem.Virt(addr), typ[0]); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

const kernelLines = `
0 A fixed_percpu_data
0 A __per_cpu_start
2000 A gdt_page
ffffffff81000000 T startup_64
ffffffff81000000 T _stext
ffffffff81000000 T _text
ffffffff81000070 T secondary_startup_64
ffffffff81000200 t show
ffffffff81000230 t show
ffffffff81000300 T _etext
ffffffff81400000 D __start_rodata
ffffffff81400010 D linux_banner
ffffffff81400100 R __end_rodata
ffffffff81600000 D init_task
ffffffff81700000 T _sinittext
ffffffff81700020 T start_kernel
ffffffff81700080 T _einittext
ffffffff81800000 B _end
ffffffff81900000 A above_end`

func kernelTable(t testing.TB) *Table { return New(listOf(t, kernelLines)) }

func TestAt(t *testing.T) {
	table := kernelTable(t)
	tests := []struct {
		addr      mem.Virt
		name      string
		off, size uint64
	}{
		{0xffffffff81000000, "startup_64", 0, 0x70}, // the first of three aliases
		{0xffffffff8100006f, "startup_64", 0x6f, 0x70},
		{0xffffffff81000070, "secondary_startup_64", 0, 0x190},
		{0xffffffff81000231, "show", 1, 0xd0},
		{0xffffffff81700021, "start_kernel", 1, 0x60},
		{0xffffffff817fffff, "_einittext", 0xfff7f, 0xfff80},
	}
	for _, tt := range tests {
		s, off, err := table.At(tt.addr)
		if err != nil || s.Name != tt.name || off != tt.off || s.Size != tt.size {
			t.Errorf("At(%s) = %+v+%#x, %v; want %s+%#x/%#x", tt.addr, s, off, err, tt.name, tt.off, tt.size)
		}
	}
	for _, addr := range []mem.Virt{0, 0x2000, 0x10, 0xffffffff80ffffff, 0xffffffff81800000, 0xffffffff81900000, ^mem.Virt(0)} {
		if s, off, err := table.At(addr); !errors.Is(err, ErrNotFound) {
			t.Errorf("At(%s) = %+v+%#x, %v", addr, s, off, err)
		}
	}
}

func TestLookup(t *testing.T) {
	table := kernelTable(t)
	got, err := table.Lookup("show")
	if err != nil || len(got) != 2 || got[0].Addr != 0xffffffff81000200 || got[0].Size != 0x30 || got[1].Addr != 0xffffffff81000230 {
		t.Errorf("show: %+v, %v", got, err)
	}
	if got, err := table.Lookup("gdt_page"); err != nil || got[0].Addr != 0x2000 || got[0].Type != 'A' || got[0].Size != 0 {
		t.Errorf("gdt_page: %+v, %v", got, err)
	}
	if got, err := table.Lookup("fixed_percpu_data"); err != nil || got[0].Size != 0x2000 {
		t.Errorf("fixed_percpu_data: %+v, %v", got, err)
	}
	if a, err := table.Addr("init_task"); err != nil || a != 0xffffffff81600000 {
		t.Errorf("init_task: %s, %v", a, err)
	}
	for _, name := range []string{"", "sho", "show2", "nothing"} {
		if got, err := table.Lookup(name); got != nil || !errors.Is(err, ErrNotFound) {
			t.Errorf("Lookup(%q) = %+v, %v", name, got, err)
		}
		if _, err := table.Addr(name); !errors.Is(err, ErrNotFound) || table.Has(name) {
			t.Errorf("Addr(%q): %v", name, err)
		}
	}
}

func TestTextAndSections(t *testing.T) {
	table := kernelTable(t)
	tests := []struct {
		addr    mem.Virt
		text    bool
		section string
		ok      bool
	}{
		{0xffffffff81000000, true, ".text", true},
		{0xffffffff810002ff, true, ".text", true},
		{0xffffffff81000300, false, "", true}, // between sections, in the image
		{0xffffffff81400010, false, ".rodata", true},
		{0xffffffff81700000, true, ".init.text", true},
		{0xffffffff81800000, false, "", false},
		{0x2000, false, "", false},
	}
	for _, tt := range tests {
		r, ok := table.Region(tt.addr)
		if table.Text(tt.addr) != tt.text || r.Section != tt.section || ok != tt.ok {
			t.Errorf("%s: text %v, region %+v, %v", tt.addr, table.Text(tt.addr), r, ok)
		}
	}
}

func TestKernelWithoutDataSymbols(t *testing.T) {
	table := New(listOf(t, `
ffffffff81000000 T _stext
ffffffff81000100 T schedule
ffffffff81000300 T _etext
ffffffff81700000 T _sinittext
ffffffff81700080 T _einittext`))
	if s, _, err := table.At(0xffffffff810002ff); err != nil || s.Name != "schedule" || s.Size != 0x200 {
		t.Errorf("%+v, %v", s, err)
	}
	if s, _, err := table.At(0xffffffff81000300); err == nil {
		t.Errorf("address behind the text is in %+v", s)
	}
}

func TestTableWithoutBoundaries(t *testing.T) {
	table := New(listOf(t, "10 A percpu\nffffffffc0001000 t b\nffffffffc0000000 t a"))
	if s, off, err := table.At(0xffffffffc0000fff); err != nil || s.Name != "a" || off != 0xfff || s.Size != 0x1000 {
		t.Errorf("%+v+%#x, %v", s, off, err)
	}
	if _, _, err := table.At(0x10); err == nil {
		t.Error("an absolute symbol covers an address")
	}
	empty := New(new(List))
	if _, _, err := empty.At(0); err == nil || empty.Has("x") || empty.Len() != 0 || empty.Text(0) {
		t.Error("an empty table answers")
	}
}

func withModules(t testing.TB) *Table {
	t.Helper()
	table, err := kernelTable(t).WithModules([]Module{
		{Name: "e1000", Symbols: listOf(t, `
ffffffffc0002010 t e1000_probe
ffffffffc0002000 t e1000_init
ffffffffc0002000 t init_module
ffffffffc0004000 d e1000_driver
30008 a percpu_thing
ffffffffc0002040 t show`), Regions: []Region{
			{Start: 0xffffffffc0002000, End: 0xffffffffc0003000, Section: ".text", Text: true},
			{Start: 0xffffffffc0004000, End: 0xffffffffc0005000},
		}},
		{Name: "loop", Symbols: listOf(t, "ffffffffc0003100 t loop_init"), Regions: []Region{
			{Start: 0xffffffffc0003000, End: 0xffffffffc0004000, Section: ".text", Text: true},
			{Start: 5, End: 5},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestModules(t *testing.T) {
	table := withModules(t)
	tests := []struct {
		addr         mem.Virt
		name, module string
		size         uint64
	}{
		{0xffffffffc0002000, "e1000_init", "e1000", 0x10}, // the first alias of the module's own order
		{0xffffffffc0002fff, "show", "e1000", 0xfc0},      // ends with the module's text
		{0xffffffffc0004008, "e1000_driver", "e1000", 0x1000},
		{0xffffffffc0003fff, "loop_init", "loop", 0xf00},
		{0xffffffff81600001, "init_task", "", 0x100000},
	}
	for _, tt := range tests {
		if s, _, err := table.At(tt.addr); err != nil || s.Name != tt.name || s.Module != tt.module || s.Size != tt.size {
			t.Errorf("At(%s) = %+v, %v", tt.addr, s, err)
		}
	}
	// No symbol of loop is at or below this address: e1000's must not stand in.
	if s, _, err := table.At(0xffffffffc0003000); !errors.Is(err, ErrNotFound) {
		t.Errorf("start of loop is %+v", s)
	}
	if !table.Text(0xffffffffc0002000) || table.Text(0xffffffffc0004000) || table.Text(0xffffffffc0005000) {
		t.Error("text of modules")
	}
	got, err := table.Lookup("show")
	if err != nil || len(got) != 3 || got[2].Module != "e1000" {
		t.Errorf("show: %+v, %v", got, err)
	}
	if got, _ := table.Lookup("percpu_thing"); len(got) != 1 || got[0].Size != 0 {
		t.Errorf("percpu_thing: %+v", got)
	}
	if n := len(slices.Collect(table.All())); n != table.Len() || n != 19+7 {
		t.Errorf("%d symbols of %d", n, table.Len())
	}
	if kernelTable(t).Has("loop_init") {
		t.Error("WithModules changed its receiver")
	}
}

func TestManySymbolsOfOneName(t *testing.T) {
	l := new(List)
	for i := range 100000 {
		if err := l.Add([]byte("__func__.0"), 0xffffffff81000000+mem.Virt(i), 'r'); err != nil {
			t.Fatal(err)
		}
	}
	got, err := New(l).Lookup("__func__.0")
	if err != nil || len(got) != 100000 || got[7].Addr != 0xffffffff81000007 {
		t.Errorf("%d symbols, %v", len(got), err)
	}
}

func TestListIsBounded(t *testing.T) {
	full := &List{addrs: make([]mem.Virt, MaxSymbols)}
	if err := full.Add([]byte("x"), 0, 't'); err == nil || full.Len() != MaxSymbols {
		t.Error("a list took more symbols than MaxSymbols")
	}
}

// big makes a table as large as a distribution's kernel.
func big(tb testing.TB) *List {
	tb.Helper()
	l := new(List)
	for i := range 100000 {
		if err := l.Add(fmt.Appendf(nil, "some_kernel_symbol_%d", i*7919%100000), 0xffffffff81000000+mem.Virt(i)*64, 't'); err != nil {
			tb.Fatal(err)
		}
	}
	return l
}

func BenchmarkNew(b *testing.B) {
	l := big(b)
	b.ReportAllocs()
	for b.Loop() {
		New(l).Has("x")
	}
}

func BenchmarkAt(b *testing.B) {
	t := New(big(b))
	b.ReportAllocs()
	i := mem.Virt(0)
	for b.Loop() {
		i = (i + 4999999) % 6400000
		if _, _, err := t.At(0xffffffff81000000 + i); err != nil && i < 6399936 {
			b.Fatal(err)
		}
	}
}

func BenchmarkAddr(b *testing.B) {
	t := New(big(b))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := t.Addr("some_kernel_symbol_4711"); err != nil {
			b.Fatal(err)
		}
	}
}

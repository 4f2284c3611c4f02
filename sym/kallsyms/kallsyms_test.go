package kallsyms

import (
	"context"
	"errors"
	"testing"

	"github.com/kinquest/inquest/dump/vmcoreinfo"
	"github.com/kinquest/inquest/mem"
)

// same fails unless k has exactly syms.
func same(t *testing.T, k *Kernel, syms []symbol) {
	t.Helper()
	if k.Symbols.Len() != len(syms) {
		t.Fatalf("%d symbols, want %d", k.Symbols.Len(), len(syms))
	}
	for i, s := range syms {
		if k.Symbols.Name(i) != s.name || k.Symbols.Addr(i) != s.addr || k.Symbols.Type(i) != s.typ {
			t.Fatalf("symbol %d is %s %c %s, want %+v", i, k.Symbols.Addr(i), k.Symbols.Type(i), k.Symbols.Name(i), s)
		}
	}
}

func TestLoadEveryShape(t *testing.T) {
	for name, k := range kernels {
		t.Run(name, func(t *testing.T) {
			k.base = sampleBase
			syms := sampleSymbols(t, 3000, k.form == RelativePercpu || k.form == Absolute)
			m := &image{base: sampleTables}
			tables := k.build(m, syms)
			got, err := Load(context.Background(), m, tables)
			if err != nil {
				t.Fatal(err)
			}
			if got.Form != k.form {
				t.Errorf("form %s, want %s", got.Form, k.form)
			}
			same(t, got, syms)

			tables.Stext = 0 // VMCOREINFO missing: order and address half decide
			if got, err = Load(context.Background(), m, tables); err != nil || got.Form != k.form {
				t.Errorf("without _stext: %v, %v", got, err)
			}
		})
	}
}

func TestLoadRefusesWrongStext(t *testing.T) {
	k := kernels["6.12"]
	k.base = sampleBase
	m := &image{base: sampleTables}
	tables := k.build(m, sampleSymbols(t, 500, true))
	tables.Stext += 0x1000
	if got, err := Load(context.Background(), m, tables); got != nil || !errors.Is(err, ErrBadTables) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestLoadNamesWhatCannotBeRead(t *testing.T) {
	k := kernels["6.1"]
	k.base = sampleBase
	m := &image{base: sampleTables}
	tables := k.build(m, sampleSymbols(t, 500, true))
	whole := m.b
	for n := 0; n < len(whole)-8; n += 97 {
		m.b = whole[:n]
		got, err := Load(context.Background(), m, tables)
		var fault *mem.FaultError
		if got != nil || !errors.As(err, &fault) || !errors.Is(err, mem.ErrUnmapped) {
			t.Fatalf("cut to %d bytes: %v, %v", n, got, err)
		}
	}
}

func TestLoadIsCancelled(t *testing.T) {
	k := kernels["6.1"]
	k.base = sampleBase
	m := &image{base: sampleTables}
	tables := k.build(m, sampleSymbols(t, 500, true))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if got, err := Load(ctx, m, tables); got != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestTablesOf(t *testing.T) {
	text := "OSRELEASE=7.2.13\nSYMBOL(_stext)=ffffffff81000000\nSYMBOL(kallsyms_names)=ffffffff82000000\n" +
		"SYMBOL(kallsyms_num_syms)=ffffffff82000001\nSYMBOL(kallsyms_token_table)=ffffffff82000002\nSYMBOL(kallsyms_token_index)=ffffffff82000003\n"
	for _, tt := range []struct {
		more string
		ok   bool
	}{{"", false}, {"SYMBOL(kallsyms_offsets)=ffffffff82000004\n", true}, {"SYMBOL(kallsyms_addresses)=ffffffff82000004\n", true}} {
		v, err := vmcoreinfo.Parse([]byte(text + tt.more))
		if err != nil {
			t.Fatal(err)
		}
		got, ok := TablesOf(v)
		if ok != tt.ok || got.Stext != 0xffffffff81000000 || got.NumSyms != 0xffffffff82000001 || got.Offsets+got.Addresses != 0xffffffff82000004 && ok {
			t.Errorf("%q: %+v, %v", tt.more, got, ok)
		}
	}
}

func FuzzLoad(f *testing.F) {
	for _, k := range kernels {
		k.base = sampleBase
		m := &image{base: sampleTables}
		tables := k.build(m, sampleSymbols(f, 20, k.form == RelativePercpu))
		f.Add(m.b, uint32(tables.NumSyms-m.base), uint32(tables.Names-m.base), uint32(tables.TokenTable-m.base),
			uint32(tables.TokenIndex-m.base), uint32(max(tables.Offsets, tables.Addresses)-m.base), uint8(k.form))
	}
	f.Fuzz(func(t *testing.T, b []byte, num, names, table, index, addrs uint32, form uint8) {
		m := &image{base: sampleTables, b: b}
		at := m.base + mem.Virt(addrs)
		tables := Tables{NumSyms: m.base + mem.Virt(num), Names: m.base + mem.Virt(names), TokenTable: m.base + mem.Virt(table), TokenIndex: m.base + mem.Virt(index)}
		switch Form(form) {
		case Absolute:
			tables.Addresses = at
		case Relative, RelativePercpu:
			tables.Offsets, tables.RelativeBase = at, at+8
		default:
			tables.Offsets = at
		}
		got, err := Load(context.Background(), m, tables)
		if (got == nil) == (err == nil) {
			t.Fatalf("kernel %v and error %v", got, err)
		}
		var fault *mem.FaultError
		if err != nil && !errors.Is(err, ErrBadTables) && !errors.As(err, &fault) {
			t.Fatalf("%v is no known error", err)
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	k := kernels["6.1"]
	k.base = sampleBase
	m := &image{base: sampleTables}
	tables := k.build(m, sampleSymbols(b, 100000, true))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Load(context.Background(), m, tables); err != nil {
			b.Fatal(err)
		}
	}
}

package kallsyms

import (
	"context"
	"encoding/binary"
	"errors"
	"iter"
	"testing"

	"github.com/kinquest/inquest/dump"
	"github.com/kinquest/inquest/mem"
)

// ram is a dump whose memory is one extent.
type ram struct {
	base mem.Phys
	b    []byte
	lost mem.Phys // page that cannot be read; 0 for none
}

func (m *ram) ReadMem(p []byte, addr mem.Phys) (int, error) {
	if addr < m.base || addr >= m.base+mem.Phys(len(m.b)) {
		return 0, mem.Fault(addr, mem.ErrNotStored)
	}
	whole := m.b[:len(m.b):len(m.b)]
	if m.lost >= addr && m.lost != 0 {
		whole = whole[:m.lost-m.base]
	} else if m.lost != 0 && addr < m.lost+mem.PageSize {
		return 0, mem.Fault(addr, mem.ErrExcluded)
	}
	n := copy(p, whole[addr-m.base:])
	if n < len(p) {
		return n, mem.Fault(addr+mem.Phys(n), mem.ErrExcluded)
	}
	return n, nil
}

func (m *ram) Extents() iter.Seq[mem.Extent] {
	return func(yield func(mem.Extent) bool) {
		yield(mem.Extent{Start: m.base, Size: uint64(len(m.b))})
	}
}

func (m *ram) Info() dump.Info            { return dump.Info{} }
func (m *ram) Notes() iter.Seq[dump.Note] { return func(func(dump.Note) bool) {} }
func (m *ram) Close() error               { return nil }

// rodata makes the read-only data of a kernel from sampleTables on: banners,
// pointers to functions, moved by slide, and the tables.
func (k kernel) rodata(syms []symbol, slide uint64) (*image, Tables) {
	m := &image{base: sampleTables, b: make([]byte, 0x4000)}
	copy(m.b, "Linux version 6.1.0 (builder) #1 SMP\n\x00")
	copy(m.b[0x100:], "%s version %s (builder) %s\n\x00")
	at := 0x200
	for i, s := range syms {
		if s.typ == 't' && i%3 == 0 && at < len(m.b) {
			binary.LittleEndian.PutUint64(m.b[at:], uint64(s.addr)+slide)
			at += 8
		}
	}
	return m, k.build(m, syms)
}

// rodataAt is where the tests' memory has the read-only data.
const rodataAt mem.Phys = 0x5600000

// ramOf makes memory in which that read-only data lies at rodataAt.
func ramOf(rodata []byte) *ram {
	m := &ram{base: rodataAt - 0x10000, b: make([]byte, 0x20000+len(rodata))}
	copy(m.b[0x10000:], rodata)
	return m
}

func TestFindEveryShape(t *testing.T) {
	for name, k := range kernels {
		t.Run(name, func(t *testing.T) {
			k.base = sampleBase
			syms := sampleSymbols(t, 3000, k.form == RelativePercpu || k.form == Absolute)
			image, tables := k.rodata(syms, 0)
			got, err := Find(context.Background(), ramOf(image.b))
			if err != nil || len(got) != 1 {
				t.Fatalf("%d found, %v", len(got), err)
			}
			f := got[0]
			same(t, &f.Kernel, syms)
			if !f.Anchored || f.Phys(sampleTables) != rodataAt {
				t.Errorf("anchored %v with the read-only data at %s", f.Anchored, f.Phys(sampleTables))
			}
			if f.Form != k.form || f.TokenTable != f.Phys(tables.TokenTable) {
				t.Errorf("%s, token table at %s", f.Form, f.TokenTable)
			}
			if f.Banner != "Linux version 6.1.0 (builder) #1 SMP" || f.Pointers < f.Sampled*9/10 || f.Sampled < 900 {
				t.Errorf("banner %q, %d of %d pointers", f.Banner, f.Pointers, f.Sampled)
			}
		})
	}
}

func TestFindPrefersRelocatedCopy(t *testing.T) {
	k := kernels["6.12"]
	k.base = sampleBase
	syms := sampleSymbols(t, 1000, true)
	stale, _ := k.rodata(syms, 8) // its pointers lead nowhere
	live, _ := k.rodata(syms, 0)
	m := ramOf(stale.b)
	for len(m.b)%imageAlign != 0x10000%imageAlign {
		m.b = append(m.b, 0)
	}
	second := m.base + mem.Phys(len(m.b))
	m.b = append(m.b, live.b...)
	got, err := Find(context.Background(), m)
	if err != nil || len(got) != 2 {
		t.Fatalf("%d found, %v", len(got), err)
	}
	if f := got[0]; f.Phys(sampleTables) != second || f.Pointers != f.Sampled || f.rank() <= got[1].rank() {
		t.Errorf("first is %s, then %s", &f, &got[1])
	}
}

func TestFindWithoutBannerIsNotAnchored(t *testing.T) {
	k := kernels["5.10"]
	k.base = sampleBase
	syms := sampleSymbols(t, 1000, true)
	image, _ := k.rodata(syms, 0)
	copy(image.b, "overwritten")
	got, err := Find(context.Background(), ramOf(image.b))
	if err != nil || len(got) != 1 || got[0].Anchored || got[0].Banner != "" {
		t.Fatalf("%v, %v", got, err)
	}
	same(t, &got[0].Kernel, syms)
}

func TestFindNothing(t *testing.T) {
	k := kernels["7.2"]
	image, tables := k.rodata(sampleSymbols(t, 1000, false), 0)
	lost := ramOf(image.b)
	lost.lost = (rodataAt + mem.Phys(tables.Names-sampleTables) + mem.PageSize) &^ (mem.PageSize - 1)
	broken := ramOf(append([]byte(nil), image.b...))
	broken.b[0x10000+int(tables.TokenIndex-sampleTables)]++
	empty := ramOf(nil)
	copy(empty.b, digits)
	for name, m := range map[string]*ram{"lost page": lost, "broken index": broken, "digits only": empty} {
		if got, err := Find(context.Background(), m); err != nil || len(got) != 0 {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if got, err := Find(ctx, empty); got != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v, %v", got, err)
	}
}

func FuzzFind(f *testing.F) {
	for _, k := range kernels {
		k.base = sampleBase
		image, tables := k.rodata(sampleSymbols(f, 300, k.form == RelativePercpu), 0)
		f.Add(image.b, uint32(tables.NumSyms-image.base), byte(1))
	}
	f.Fuzz(func(t *testing.T, b []byte, at uint32, v byte) {
		m := ramOf(b)
		m.b[int(at)%len(m.b)] ^= v
		got, err := Find(context.Background(), m)
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			if got[i].Symbols.Len() < minSymbols || i > 0 && got[i].rank() > got[i-1].rank() {
				t.Fatalf("%d: %s", i, &got[i])
			}
		}
	})
}

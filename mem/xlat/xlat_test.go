package xlat

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/kinquest/inquest/mem"
)

// ram is sparse physical memory: pages by their frame number.
type ram map[mem.Phys]*[mem.PageSize]byte

func (r ram) ReadMem(p []byte, addr mem.Phys) (int, error) {
	for n := 0; n < len(p); {
		at := addr + mem.Phys(n)
		page := r[at&^(mem.PageSize-1)]
		if page == nil {
			return n, mem.Fault(at, mem.ErrNotStored)
		}
		n += copy(p[n:], page[at%mem.PageSize:])
	}
	return len(p), nil
}

func (r ram) put(at mem.Phys, v uint64) {
	page := at &^ (mem.PageSize - 1)
	if r[page] == nil {
		r[page] = new([mem.PageSize]byte)
	}
	binary.LittleEndian.PutUint64(r[page][at%mem.PageSize:], v)
}

// mapPage enters va into the tables at 0x1000, one table page for each level
// and prefix, down to level leaf (0 PTE, 1 PMD, 2 PUD).
func (r ram) mapPage(levels, leaf int, va mem.Virt, pa mem.Phys, next *mem.Phys) {
	table := mem.Phys(0x1000)
	for lvl := levels - 1; ; lvl-- {
		at := table + mem.Phys(uint64(va)>>x86Level[lvl].shift&0x1ff)*8
		if lvl == leaf {
			e := uint64(pa) | PagePresent | PageRW | PageNX
			if leaf > 0 {
				e |= PagePSE
			}
			r.put(at, e)
			return
		}
		if e, err := mem.U64(r, at); err == nil && e != 0 {
			table = mem.Phys(e & pageAddrMask)
			continue
		}
		*next += mem.PageSize
		r.put(at, uint64(*next)|PagePresent|PageRW|PageUser)
		r.put(*next, 0)
		table = *next
	}
}

func TestX86Walk(t *testing.T) {
	tests := []struct {
		name   string
		levels int
		leaf   int
		va     mem.Virt
		frame  mem.Phys
		want   mem.Phys
		size   uint64
	}{
		{"4 levels, 4 KiB", 4, 0, 0xffffc90000123456, 0x7000, 0x7456, 4 << 10},
		{"4 levels, 2 MiB", 4, 1, 0xffffffff81234567, 0x200000, 0x234567, 2 << 20},
		{"4 levels, 1 GiB", 4, 2, 0xffff888012345678, 0x40000000, 0x52345678, 1 << 30},
		{"5 levels, 4 KiB", 5, 0, 0xff11000000123abc, 0x9000, 0x9abc, 4 << 10},
		{"5 levels, 2 MiB", 5, 1, 0xffffffff81234567, 0x600000, 0x634567, 2 << 20},
		{"5 levels, user half", 5, 0, 0x00007fff12345678, 0xa000, 0xa678, 4 << 10},
	}
	for _, tt := range tests {
		r, next := ram{}, mem.Phys(0x10000)
		r.mapPage(tt.levels, tt.leaf, tt.va, tt.frame, &next)
		m, err := X86{Levels: tt.levels}.Walk(r, 0x1000, tt.va)
		if err != nil || m.Phys != tt.want || m.PageSize != tt.size {
			t.Errorf("%s: %v size %#x, %v", tt.name, m.Phys, m.PageSize, err)
		}
		if got, want := len(m.Steps()), tt.levels-tt.leaf; got != want {
			t.Errorf("%s: %d steps, want %d", tt.name, got, want)
		}
		if m.Steps()[0].Level != "PGD" {
			t.Errorf("%s: top level is %s", tt.name, m.Steps()[0].Level)
		}
	}
}

func TestX86WalkFaults(t *testing.T) {
	r, next := ram{}, mem.Phys(0x10000)
	r.mapPage(4, 0, 0xffffc90000123000, 0x7000, &next)
	w := X86{Levels: 4}
	tests := []struct {
		name string
		va   mem.Virt
		want error
	}{
		{"not present", 0xffffc90000124000, mem.ErrUnmapped},
		{"not canonical", 0x0000900000000000, mem.ErrUnmapped},
		{"5-level address in a 4-level table", 0xff11000000000000, mem.ErrUnmapped},
	}
	for _, tt := range tests {
		if _, err := w.Walk(r, 0x1000, tt.va); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	r.put(0x1000+8*0x1f0, 0xdead000|PagePresent) // a table that is not in the dump
	_, err := w.Walk(r, 0x1000, 0xfffff80000000000)
	if !errors.Is(err, mem.ErrNotStored) {
		t.Errorf("missing table: %v", err)
	}
}

func TestX86EncryptMaskIsNoAddress(t *testing.T) {
	const c = 1 << 47
	r, next := ram{}, mem.Phys(0x10000)
	r.mapPage(4, 0, 0xffffc90000123000, c|0x7000, &next)
	w := X86{Levels: 4, EncryptMask: c}
	m, err := w.Walk(r, w.Root(c|0x1000|0x003), 0xffffc90000123008)
	if err != nil || m.Phys != 0x7008 {
		t.Errorf("%v, %v", m.Phys, err)
	}
}

func TestSpaceReadsAcrossPages(t *testing.T) {
	r, next := ram{}, mem.Phys(0x10000)
	r.mapPage(4, 0, 0xffffc90000123000, 0x7000, &next)
	r.mapPage(4, 0, 0xffffc90000124000, 0x3000, &next)
	r.put(0x7ff8, 0x1111111111111111)
	r.put(0x3000, 0x2222222222222222)
	s := NewSpace(r, X86{Levels: 4}, 0x1000, Linear{Virt: 0xffff888000000000, Size: 1 << 30})
	for range 2 { // the second time through the translation cache
		v, err := mem.U64(s, mem.Virt(0xffffc90000123ffc))
		if err != nil || v != 0x2222222211111111 {
			t.Fatalf("%#x, %v", v, err)
		}
	}
	if v, err := mem.U64(s, mem.Virt(0xffff888000003000)); err != nil || v != 0x2222222222222222 {
		t.Errorf("direct map: %#x, %v", v, err)
	}
	buf := make([]byte, 16)
	n, err := s.ReadMem(buf, 0xffffc90000124ff8)
	var f *mem.FaultError
	if n != 8 || !errors.As(err, &f) || f.Addr != 0xffffc90000125000 || f.Space != "virt" {
		t.Errorf("read over the end: %d, %v", n, err)
	}
	_, err = mem.U64(s, mem.Virt(0xffff888000008000))
	if !errors.As(err, &f) || f.Space != "virt" || f.Addr != 0xffff888000008000 || !errors.Is(err, mem.ErrNotStored) {
		t.Errorf("direct map hole: %v", err)
	}
}

// counted counts the reads of page-sized and larger pieces.
type counted struct {
	ram
	n *int
}

func (c counted) ReadMem(p []byte, addr mem.Phys) (int, error) {
	if len(p) >= mem.PageSize {
		*c.n++
	}
	return c.ram.ReadMem(p, addr)
}

func TestSpaceReadsNeighbourPagesAtOnce(t *testing.T) {
	r, next := ram{}, mem.Phys(0x10000)
	for i := range mem.Virt(4) {
		r.mapPage(4, 0, 0xffffc90000123000+i*mem.PageSize, 0x40000+mem.Phys(i)*mem.PageSize, &next)
		r.put(0x40000+mem.Phys(i)*mem.PageSize, uint64(i))
	}
	n := 0
	s := NewSpace(counted{r, &n}, X86{Levels: 4}, 0x1000)
	buf := make([]byte, 4*mem.PageSize)
	if got, err := s.ReadMem(buf, 0xffffc90000123000); got != len(buf) || err != nil || n != 1 {
		t.Errorf("%d bytes in %d reads, %v", got, n, err)
	}
	if v := binary.LittleEndian.Uint64(buf[3*mem.PageSize:]); v != 3 {
		t.Errorf("last page holds %d", v)
	}
	// A page that is not mapped ends the read where it begins.
	got, err := s.ReadMem(make([]byte, 5*mem.PageSize), 0xffffc90000123000)
	if got != len(buf) || !errors.Is(err, mem.ErrUnmapped) {
		t.Errorf("read into a hole: %d, %v", got, err)
	}
}

// FuzzX86Walk walks tables made of the input: it must end, and answer with a
// mapping or a fault, never both.
func FuzzX86Walk(f *testing.F) {
	seed := make([]byte, mem.PageSize)
	binary.LittleEndian.PutUint64(seed, 0|PagePresent)
	f.Add(seed, uint64(0), true)
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0x80}, uint64(0xffffffff81000000), false)
	f.Fuzz(func(t *testing.T, table []byte, va uint64, five bool) {
		r := ram{0: new([mem.PageSize]byte)}
		copy(r[0][:], table)
		w := X86{Levels: 4}
		if five {
			w.Levels = 5
		}
		m, err := w.Walk(r, 0, mem.Virt(va))
		var fault *mem.FaultError
		if err != nil && !errors.As(err, &fault) {
			t.Fatalf("%T is not a fault", err)
		}
		if (m.PageSize == 0) != (err != nil) {
			t.Fatalf("page size %d and error %v", m.PageSize, err)
		}
	})
}

func BenchmarkSpaceU64(b *testing.B) {
	r, next := ram{}, mem.Phys(0x10000)
	r.mapPage(4, 0, 0xffffc90000123000, 0x7000, &next)
	r.put(0x7000, 1)
	s := NewSpace(r, X86{Levels: 4}, 0x1000)
	for b.Loop() {
		if _, err := mem.U64(s, mem.Virt(0xffffc90000123000)); err != nil {
			b.Fatal(err)
		}
	}
}

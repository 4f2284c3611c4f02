package vmcoreinfo

import (
	"context"
	"encoding/binary"
	"errors"
	"iter"
	"strings"
	"testing"

	"github.com/kinquest/inquest/dump/format"
	"github.com/kinquest/inquest/mem"
)

// image is RAM of one extent in which some pages cannot be read.
type image struct {
	base mem.Phys
	b    []byte
	lost map[mem.Phys]bool // pages
}

func (m *image) ReadMem(p []byte, addr mem.Phys) (int, error) {
	for n := range p {
		at := addr + mem.Phys(n)
		if at < m.base || at >= m.base+mem.Phys(len(m.b)) || m.lost[at&^(mem.PageSize-1)] {
			return n, mem.Fault(at, mem.ErrNotStored)
		}
		p[n] = m.b[at-m.base]
	}
	return len(p), nil
}

func (m *image) Extents() iter.Seq[mem.Extent] {
	return func(yield func(mem.Extent) bool) {
		yield(mem.Extent{Start: m.base, Size: uint64(len(m.b))})
	}
}

func (m *image) Info() format.Info            { return format.Info{} }
func (m *image) Notes() iter.Seq[format.Note] { return func(func(format.Note) bool) {} }
func (m *image) Close() error                 { return nil }

func (m *image) put(addr mem.Phys, s string) { copy(m.b[addr-m.base:], s) }

// putNote writes an ELF note as the kernel's vmcoreinfo_note and gives the
// address of its text.
func (m *image) putNote(addr mem.Phys, text string) mem.Phys {
	h := binary.LittleEndian.AppendUint32(nil, 11)
	h = binary.LittleEndian.AppendUint32(h, uint32(len(text)))
	h = binary.LittleEndian.AppendUint32(h, 0)
	m.put(addr, string(h)+"VMCOREINFO\x00\x00"+text)
	return addr + notePrologue
}

func newImage(size int) *image {
	return &image{base: 0x100000, b: make([]byte, size), lost: map[mem.Phys]bool{}}
}

func TestScanFindsTextAndNote(t *testing.T) {
	const mib = 1 << 20 // dump.Scan reads so much at once
	m := newImage(3 * mib)
	m.put(0x100000, "OSRELEASE=%s\nBUILD-ID=%20phN\nPAGESIZE=%ld\n")
	m.put(0x120000, "OSRELEASE=6.1\nPAGESIZE=4096\nSYMBOL(_stext)=ffffffff81000000\n") // unfinished
	m.put(0x130000, strings.Replace(sample, "ffffffffac400000", "400000", 1))          // no kernel address
	m.put(0x140010, sample)                                                            // not at a page's start
	m.put(0x150000, sample)
	noted := m.putNote(0x100000+mib-30, sample) // crosses two pieces
	m.lost[0x145000] = true
	got, err := Scan(context.Background(), m)
	if err != nil || len(got) != 1 {
		t.Fatalf("%v, %v", got, err)
	}
	c := got[0]
	if c.Addr != 0x150000 || len(c.Copies) != 2 || c.Copies[1] != noted || !c.Note || c.Info.OSRelease != "6.1.0-50-amd64" {
		t.Errorf("%+v", c)
	}
}

func TestScanRanksTheCrashedKernelFirst(t *testing.T) {
	m := newImage(1 << 20)
	running := strings.Split(strings.Replace(sample, "6.1.0-50", "5.10.0", 1), "CRASHTIME")[0]
	m.put(0x101000, running)
	m.putNote(0x102000, running)
	m.put(0x103000, sample)
	got, err := Scan(context.Background(), m)
	if err != nil || len(got) != 2 || got[0].Addr != 0x103000 || got[1].Info.OSRelease != "5.10.0-amd64" {
		t.Fatalf("%v, %v", got, err)
	}
}

func TestScanStopsAtLostPage(t *testing.T) {
	m := newImage(1 << 20)
	m.put(0x101ff0&^0xfff, sample)
	m.putNote(0x103000-200, sample) // goes on in a lost page
	m.lost[0x103000] = true
	got, err := Scan(context.Background(), m)
	if err != nil || len(got) != 1 || len(got[0].Copies) != 1 {
		t.Fatalf("%v, %v", got, err)
	}
}

func TestScanIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Scan(ctx, newImage(64<<20)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

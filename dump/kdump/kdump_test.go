package kdump

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kinquest/inquest/arch"
	"github.com/kinquest/inquest/dump/format"
	"github.com/kinquest/inquest/internal/dumptest"
	"github.com/kinquest/inquest/mem"
)

func part(b []byte, name string) Part {
	return Part{Src: bytes.NewReader(b), Size: int64(len(b)), Name: name}
}

func open(t *testing.T, k dumptest.Kdump) *File {
	t.Helper()
	f, err := Open(context.Background(), part(k.Bytes(), "vmcore"))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// content is the test page of a PFN: some runs, some text.
func content(pfn uint64) []byte {
	b := bytes.Repeat([]byte(fmt.Sprintf("page %d; ", pfn)), 20)
	return append(b, bytes.Repeat([]byte{byte(pfn)}, 3000)...)
}

func stored(pfn uint64, codec uint32) dumptest.Page {
	return dumptest.Page{PFN: pfn, State: format.Stored, Data: content(pfn), Codec: codec}
}

// wantPage checks that the page reads as content.
func wantPage(t *testing.T, f *File, pfn uint64) {
	t.Helper()
	size := f.Info().PageSize
	want := append(content(pfn), make([]byte, size)...)[:size]
	got := make([]byte, size)
	if _, err := f.ReadMem(got, mem.Phys(pfn*uint64(size))); err != nil || !bytes.Equal(got, want) {
		t.Errorf("page %d: %.20q…, %v", pfn, got, err)
	}
}

func TestVersionsAndLayouts(t *testing.T) {
	for version := 1; version <= 6; version++ {
		for _, l := range []struct{ bits32, big bool }{{false, false}, {true, false}, {false, true}} {
			for _, bs := range []int{4096, 65536} {
				k := dumptest.Kdump{
					Version: version, Bits32: l.bits32, Big: l.big, BlockSize: bs, Release: "6.1.0", Time: 1700000000,
					Notes: []format.Note{dumptest.PRStatus64(7)}, VMCOREINFO: "OSRELEASE=6.1.0\nCRASHTIME=1700000001\n", EraseInfo: "erased",
					Pages: []dumptest.Page{stored(1, dumptest.Zlib), stored(2, 0), stored(5, dumptest.Zlib)},
				}
				t.Run(fmt.Sprintf("v%d 32-bit %v big-endian %v, %d", version, l.bits32, l.big, bs), func(t *testing.T) {
					checkVersion(t, open(t, k), version)
				})
			}
		}
	}
}

func checkVersion(t *testing.T, f *File, version int) {
	wantPage(t, f, 1)
	wantPage(t, f, 2)
	wantPage(t, f, 5)
	i := f.Info()
	wantTime := int64(1700000000)
	names := []string{}
	for n := range f.Notes() {
		names = append(names, n.Name)
	}
	want := []string{}
	if version >= 4 {
		want = append(want, "CORE")
	}
	if version >= 3 {
		want = append(want, "VMCOREINFO")
		wantTime++
	}
	if !slices.Equal(names, want) || i.CrashTime.Unix() != wantTime || (f.EraseInfo() != nil) != (version >= 5) {
		t.Errorf("notes %q, crash time %v, erase info %q", names, i.CrashTime, f.EraseInfo())
	}
	if i.Version != version || i.Machine != arch.X86_64 || i.Utsname.Release != "6.1.0" || i.Truncated || len(i.Problems) > 0 || i.Variant != "makedumpfile" {
		t.Errorf("info %+v", i)
	}
}

func TestPageStates(t *testing.T) {
	damaged := stored(9, dumptest.Zlib)
	damaged.Raw = []byte("this is no zlib data")
	short := stored(10, 0)
	short.Raw = make([]byte, 100)
	packed := stored(11, dumptest.Snappy)
	packed.Raw = dumptest.Pack(make([]byte, 100), dumptest.Snappy)
	f := open(t, dumptest.Kdump{MaxPFN: 20, Pages: []dumptest.Page{
		stored(1, dumptest.LZO), {PFN: 2, State: format.Zero}, {PFN: 3, State: format.Excluded}, {PFN: 5, State: format.Lost},
		{PFN: 6, State: format.Zero}, stored(7, dumptest.Snappy), stored(8, dumptest.Zstd), damaged, short, packed,
	}})
	wantPage(t, f, 1)
	wantPage(t, f, 7)
	wantPage(t, f, 8)
	tests := []struct {
		pfn   mem.Phys
		state format.PageState
		err   error
	}{
		{0, format.NotStored, mem.ErrNotStored}, {2, format.Zero, nil}, {3, format.Excluded, mem.ErrExcluded},
		{4, format.NotStored, mem.ErrNotStored}, {5, format.Lost, mem.ErrTruncated}, {6, format.Zero, nil},
		{9, format.Stored, mem.ErrCorruptPage}, {10, format.Lost, mem.ErrCorruptPage}, {11, format.Stored, mem.ErrCorruptPage},
		{19, format.NotStored, mem.ErrNotStored}, {20, format.NotStored, mem.ErrNotStored}, {1 << 51, format.NotStored, mem.ErrNotStored},
	}
	for _, tt := range tests {
		addr := tt.pfn*4096 + 16
		v, err := mem.U64(f, addr)
		var fault *mem.FaultError
		if v != 0 || !errors.Is(err, tt.err) || err != nil && (!errors.As(err, &fault) || fault.Addr != uint64(addr)) {
			t.Errorf("page %d: %#x, %v; want %v", tt.pfn, v, err, tt.err)
		}
		if s := f.PageState(addr); s != tt.state {
			t.Errorf("page %d: state %v, want %v", tt.pfn, s, tt.state)
		}
	}
	want := []mem.Extent{{Start: 0x1000, Size: 0x2000}, {Start: 0x5000, Size: 0x7000}}
	if got := slices.Collect(f.Extents()); !slices.Equal(got, want) {
		t.Errorf("extents %v", got)
	}
	if c := f.Info().Compression; !slices.Equal(c, []string{"zlib", "lzo", "snappy", "zstd"}) {
		t.Errorf("codecs seen: %v", c)
	}
}

// TestManyPages reads across chunk and descriptor blocks, in one piece and
// page by page.
func TestManyPages(t *testing.T) {
	var pages []dumptest.Page
	for pfn := uint64(chunkPFNs - 300); pfn < chunkPFNs+300; pfn++ {
		p := stored(pfn, []uint32{dumptest.Zlib, dumptest.LZO, dumptest.Plain}[pfn%3])
		if pfn%50 == 0 {
			p = dumptest.Page{PFN: pfn, State: format.Zero}
		}
		pages = append(pages, p)
	}
	f := open(t, dumptest.Kdump{Pages: pages})
	all := make([]byte, 600*4096)
	if _, err := f.ReadMem(all, (chunkPFNs-300)*4096); err != nil {
		t.Fatal(err)
	}
	for i, p := range pages {
		want := append(bytes.Clone(p.Data), make([]byte, 4096-len(p.Data))...)
		if !bytes.Equal(all[i*4096:(i+1)*4096], want) {
			t.Fatalf("page %d differs in one large read", p.PFN)
		}
		if p.State == format.Stored {
			wantPage(t, f, p.PFN)
		}
	}
	over := make([]byte, 700*4096)
	n, err := f.ReadMem(over, (chunkPFNs-300)*4096)
	if n != len(all) || !errors.Is(err, mem.ErrNotStored) {
		t.Errorf("read over the end: %d bytes, %v", n, err)
	}
	n, err = f.ReadMem(over[:8192], (chunkPFNs-300)*4096+4090)
	if n != 8192 || err != nil || !bytes.Equal(over[:8192], all[4090:4090+8192]) {
		t.Errorf("unaligned read: %d bytes, %v", n, err)
	}
}

func split(pages []dumptest.Page, version int, from, to uint64) []byte {
	return dumptest.Kdump{Version: version, Split: true, Start: from, End: to, MaxPFN: 200, Pages: pages}.Bytes()
}

func TestSplitSet(t *testing.T) {
	pages := []dumptest.Page{stored(3, 0), stored(70, 1), {PFN: 71, State: format.Zero}, stored(130, 2), stored(190, 1)}
	for _, version := range []int{2, 6} {
		a, b, c := split(pages, version, 0, 70), split(pages, version, 70, 192), split(pages, version, 192, 200)
		f, err := Open(context.Background(), part(c, "c"), part(b, "b"), part(a, "a"))
		if err != nil {
			t.Fatal(err)
		}
		for _, pfn := range []uint64{3, 70, 130, 190} {
			wantPage(t, f, pfn)
		}
		if i := f.Info(); !i.Split || i.Truncated || len(i.Problems) != 0 || len(i.Files) != 3 {
			t.Errorf("info %+v", i)
		}
		f, err = Open(context.Background(), part(b, "b"))
		if err != nil {
			t.Fatal(err)
		}
		wantPage(t, f, 130)
		if _, err := mem.U8(f, 3*4096); !errors.Is(err, mem.ErrTruncated) {
			t.Errorf("page of a missing file: %v", err)
		}
		if _, err := mem.U8(f, 4*4096); !errors.Is(err, mem.ErrNotStored) {
			t.Errorf("hole in a missing file: %v", err)
		}
		if i := f.Info(); !i.Truncated || len(i.Problems) != 2 || !strings.Contains(i.Problems[0], "missing") {
			t.Errorf("info %+v", i)
		}
		for _, set := range [][]Part{{part(a, "a"), part(a, "a2")}, {part(a, "a"), part(dumptest.Kdump{Pages: pages}.Bytes(), "whole")}} {
			var fe *format.FormatError
			if _, err := Open(context.Background(), set...); !errors.As(err, &fe) {
				t.Errorf("impossible set: %v", err)
			}
		}
	}
}

func TestIncomplete(t *testing.T) {
	f := open(t, dumptest.Kdump{Status: flagIncomplete | flagExcludedVmemmap, Pages: []dumptest.Page{stored(1, 1), {PFN: 2, State: format.Lost}}})
	wantPage(t, f, 1)
	if i := f.Info(); !i.Incomplete || !f.ExcludedVmemmap() {
		t.Errorf("info %+v", i)
	}
}

func TestContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Open(ctx, part(dumptest.Kdump{Pages: []dumptest.Page{stored(1, 0)}}.Bytes(), "")); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

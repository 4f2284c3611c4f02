package dump_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/kinquest/inquest/dump"
	"github.com/kinquest/inquest/internal/dumptest"
	"github.com/kinquest/inquest/mem"
)

// Bounds on what a damaged file of some 100 KB may cost.
const (
	maxAlloc = 64 << 20
	maxTime  = 2 * time.Second
	// maxExtents: every other bit of a bitmap as large as the file.
	maxExtents = 1 << 20
)

// page is content that each codec packs.
func page(c byte) []byte {
	return append(bytes.Repeat([]byte{c, c + 1, 'x', 'y'}, 512), bytes.Repeat([]byte{c}, 2048)...)
}

func sampleNotes() []dump.Note {
	return []dump.Note{dumptest.PRStatus64(1, 1, 2, 3), dumptest.QEMUState(4, 5, 6), dumptest.VMCOREINFO("OSRELEASE=6.1.0\n")}
}

func sampleELF() []byte {
	return dumptest.ELF{Notes: sampleNotes(), Segments: []dumptest.Segment{
		{Paddr: 0x1000, Vaddr: 0xffff888000001000, Data: page('a'), Memsz: 0x3000},
		{Paddr: 0x8000, Data: slices.Concat(page('b'), page('c'))}, {Paddr: 0x9000, Data: page('d')},
	}}.Bytes()
}

func sampleKdump() ([]byte, dumptest.Layout) {
	k := dumptest.Kdump{Release: "6.1.0", Notes: sampleNotes(), VMCOREINFO: "OSRELEASE=6.1.0\n", EraseInfo: "erased", Time: 1700000000}
	for i := range uint64(12) {
		k.Pages = append(k.Pages, dumptest.Page{PFN: 2 * i, State: dump.Stored, Data: page(byte(i)), Codec: []uint32{0, 1, 2, 4, 32}[i%5]})
	}
	k.Pages[3].State, k.Pages[4].State = dump.Zero, dump.Excluded
	return k.Build()
}

// use reads everything an image offers and checks the contract of each answer.
// It gives what memory read as, page by page.
func use(t *testing.T, what string, img dump.Image) map[mem.Phys][]byte {
	t.Helper()
	pages := map[mem.Phys][]byte{}
	ctx, cancel := context.WithTimeout(context.Background(), maxTime)
	defer cancel()
	extents := 0
	for e := range img.Extents() {
		if extents++; extents > maxExtents || e.Size == 0 {
			t.Fatalf("%s: %d extents, %+v", what, extents, e)
		}
	}
	for at := mem.Phys(0); at < 0x20000; at += mem.PageSize {
		b := make([]byte, mem.PageSize)
		n, err := img.ReadMem(b, at)
		var fault *mem.FaultError
		if (n < len(b)) != (err != nil) || err != nil && (!errors.As(err, &fault) || fault.Addr != uint64(at)+uint64(n)) {
			t.Fatalf("%s: read %d bytes at %#x, %v", what, n, uint64(at), err)
		}
		if err == nil {
			pages[at] = b
		}
		state := img.(dump.PageClassifier).PageState(at)
		if err == nil && state != dump.Stored && state != dump.Zero {
			t.Fatalf("%s: page %#x can be read, but is %v", what, uint64(at), state)
		}
	}
	if err := dump.Scan(ctx, img, 16, func([]byte, mem.Phys) error { return nil }); err != nil {
		t.Fatalf("%s: scan: %v", what, err)
	}
	for range img.Notes() {
		continue
	}
	_, _ = img.(dump.CPUSource).CPUs()
	_ = img.Info()
	return pages
}

// try opens b and uses it, within bounds.
func try(t *testing.T, what string, b []byte) (map[mem.Phys][]byte, error) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	img, err := dump.OpenReader(context.Background(), bytes.NewReader(b), int64(len(b)), "vmcore")
	var fe *dump.FormatError
	if (img == nil) == (err == nil) || err != nil && !errors.As(err, &fe) {
		t.Fatalf("%s: %v and %v", what, img, err)
	}
	var pages map[mem.Phys][]byte
	if err == nil {
		pages = use(t, what, img)
	}
	runtime.ReadMemStats(&after)
	if d := time.Since(start); d > maxTime {
		t.Errorf("%s: took %v", what, d)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > maxAlloc {
		t.Errorf("%s: allocated %d MiB", what, n>>20)
	}
	return pages, err
}

// TestEveryFieldOverwritten replaces each word of each header, sub-header,
// descriptor and note header by 0, 1 and all ones.
func TestEveryFieldOverwritten(t *testing.T) {
	kd, l := sampleKdump()
	files := []struct {
		name  string
		b     []byte
		areas [][2]int // start and end of what is overwritten
	}{
		{"ELF", sampleELF(), [][2]int{{0, 64 + 4*56 + 32}}},
		{"kdump", kd, [][2]int{{0, 16}, {404, 472}, {l.SubHeader, l.SubHeader + 112}, {l.Bitmap2, l.Bitmap2 + 8}, {l.Descs, l.Descs + 11*24}}},
		{"flattened kdump", dumptest.Flatten(kd, 6000), [][2]int{{0, 32}, {4096, 4112}, {4112 + 464, 4112 + 464 + 16}}},
	}
	for _, f := range files {
		for _, area := range f.areas {
			for off := area[0]; off < area[1]; off += 4 {
				for _, size := range []int{4, 8} {
					for _, v := range []uint64{0, 1, ^uint64(0)} {
						bad := bytes.Clone(f.b)
						if size == 4 {
							binary.LittleEndian.PutUint32(bad[off:], uint32(v))
						} else {
							binary.LittleEndian.PutUint64(bad[off:], v)
						}
						_, _ = try(t, fmt.Sprintf("%s: %d bytes at %#x = %#x", f.name, size, off, v), bad)
					}
				}
			}
		}
	}
}

// TestTruncated cuts files everywhere: what still can be read must be right.
func TestTruncated(t *testing.T) {
	kd, l := sampleKdump()
	for _, f := range []struct {
		name   string
		b      []byte
		usable int // from this size on it must open
	}{
		{"ELF", sampleELF(), 64 + 4*56 + 1},
		{"kdump", kd, l.Descs},
		{"flattened kdump", dumptest.Flatten(kd, 6000), 1 << 30},
		{"flattened ELF", dumptest.Flatten(sampleELF(), 6000), 1 << 30},
	} {
		whole, err := try(t, f.name, f.b)
		if err != nil || len(whole) < 3 {
			t.Fatalf("%s: %d pages, %v", f.name, len(whole), err)
		}
		for cut := 0; cut < len(f.b); cut += 1 + cut/64 {
			what := fmt.Sprintf("%s cut to %d of %d bytes", f.name, cut, len(f.b))
			pages, err := try(t, what, f.b[:cut])
			if err != nil && cut >= f.usable {
				t.Errorf("%s: %v", what, err)
			}
			for at, b := range pages {
				if !bytes.Equal(b, whole[at]) {
					t.Fatalf("%s: page %#x reads differently", what, uint64(at))
				}
			}
		}
		img, err := dump.OpenReader(context.Background(), bytes.NewReader(f.b[:len(f.b)-40]), int64(len(f.b)-40), "vmcore")
		if err != nil || f.usable > len(f.b) && !img.Info().Truncated {
			t.Errorf("%s without its last 40 bytes: %v", f.name, err)
		}
	}
}

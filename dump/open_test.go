package dump_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kinquest/inquest/dump"
	"github.com/kinquest/inquest/internal/dumptest"
	"github.com/kinquest/inquest/mem"
)

// write puts files into a new directory and gives their paths.
func write(t testing.TB, files ...[]byte) []string {
	t.Helper()
	dir := t.TempDir()
	var paths []string
	for i, b := range files {
		p := filepath.Join(dir, string(rune('a'+i)))
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, p)
	}
	return paths
}

func TestOpenRefuses(t *testing.T) {
	tests := []struct {
		name string
		b    []byte
		say  string
	}{
		{"empty", nil, "the file is empty"},
		{"text", []byte("Linux version 6.1\n"), "no known format"},
		{"zeroes", make([]byte, 10000), "zeroes only"},
		{"gzip", []byte("\x1f\x8b\x08\x00rest"), "unpack it first (gunzip)"},
		{"xz", []byte("\xfd7zXZ\x00rest"), "unpack it first (unxz)"},
		{"zstd", []byte("\x28\xb5\x2f\xfdrest"), "unpack it first (unzstd)"},
		{"diskdump", []byte("DISKDUMP\x01\x00\x00\x00"), "diskdump"},
		{"vmlinux", dumptest.ELF{Type: 2}.Bytes(), "this is an executable (e_type 2), not a dump; give the vmcore"},
		{"module", dumptest.ELF{Type: 1}.Bytes(), "a relocatable object file"},
		{"flattened text", dumptest.Flatten(bytes.Repeat([]byte("text"), 1000), 512), "no known format"},
		{"flattened twice", dumptest.Flatten(dumptest.Flatten(sampleELF(), 4096), 4096), "within a flattened stream"},
	}
	for _, tt := range tests {
		path := write(t, tt.b)[0]
		img, err := dump.Open(context.Background(), path)
		if img != nil || !errors.Is(err, dump.ErrUnknownFormat) {
			t.Errorf("%s: %v, %v", tt.name, img, err)
			continue
		}
		s := err.Error()
		if !strings.Contains(s, tt.say) || !strings.HasPrefix(s, path+": ") || strings.Contains(s, "\n") {
			t.Errorf("%s: %q does not say %q", tt.name, s, tt.say)
		}
	}
}

func TestOpenPaths(t *testing.T) {
	dir := t.TempDir()
	if _, err := dump.Open(context.Background(), dir); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("directory: %v", err)
	}
	if _, err := dump.Open(context.Background(), filepath.Join(dir, "vmcore")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such file: %v", err)
	}
	if _, err := dump.Open(context.Background()); err == nil {
		t.Error("no path at all is accepted")
	}
	kd, _ := sampleKdump()
	paths := write(t, sampleELF(), kd, sampleELF())
	for _, set := range [][]string{{paths[0], paths[1]}, {paths[0], paths[2]}, {paths[1], paths[1]}} {
		if _, err := dump.Open(context.Background(), set...); err == nil {
			t.Errorf("%v are accepted as one dump", set)
		}
	}
}

func TestOpenFormats(t *testing.T) {
	kd, _ := sampleKdump()
	tests := []struct {
		name, format string
		b            []byte
		flat         bool
		page         byte // of the page at 0x8000
	}{
		{"ELF", "ELF core", sampleELF(), false, 'b'},
		{"kdump", "kdump", kd, false, 4},
		{"flattened ELF", "ELF core", dumptest.Flatten(sampleELF(), 1000), true, 'b'},
		{"flattened kdump", "kdump", dumptest.Flatten(kd, 1000), true, 4},
	}
	for _, tt := range tests {
		paths := write(t, tt.b)
		img, err := dump.Open(context.Background(), paths...)
		if err != nil {
			t.Fatal(err)
		}
		i := img.Info()
		if i.Format != tt.format || i.Flattened != tt.flat || i.FileSize != int64(len(tt.b)) || i.Truncated || !slices.Equal(i.Files, paths) {
			t.Errorf("%s: info %+v", tt.name, i)
		}
		if tt.format == "ELF core" {
			if v, err := mem.U8(img, 0x8000); v != tt.page || err != nil {
				t.Errorf("%s: %d, %v", tt.name, v, err)
			}
		} else if s := img.(dump.PageClassifier).PageState(0x8000); s != dump.Excluded {
			t.Errorf("%s: page 8 is %v", tt.name, s)
		}
		cpus, err := img.(dump.CPUSource).CPUs()
		if len(cpus) != 1 || cpus[0].Control == nil || err != nil {
			t.Errorf("%s: CPUs %v, %v", tt.name, cpus, err)
		}
		if err := img.Close(); err != nil {
			t.Errorf("%s: close: %v", tt.name, err)
		}
	}
}

// TestCutStreamWithHoles: QEMU writes 464 bytes of header and leaves the rest
// of its block out; a cut stream must open all the same.
func TestCutStreamWithHoles(t *testing.T) {
	kd, l := sampleKdump()
	b := dumptest.Stream([]dumptest.Block{
		{Off: 0, Data: kd[:464]}, {Off: int64(l.SubHeader), Data: kd[l.SubHeader : l.SubHeader+104]},
		{Off: int64(l.Bitmap1), Data: kd[l.Bitmap1 : len(kd)-2000]},
	})
	img, err := dump.OpenReader(context.Background(), bytes.NewReader(b), int64(len(b)), "")
	if err != nil {
		t.Fatal(err)
	}
	if v, err := mem.U8(img, 0x2001); v != 2 || err != nil {
		t.Errorf("page 2: %d, %v", v, err)
	}
	if i := img.Info(); !i.Truncated || i.Format != "kdump" {
		t.Errorf("info %+v", i)
	}
}

func TestFileThatShrinks(t *testing.T) {
	path := write(t, sampleELF())[0]
	img, err := dump.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer img.Close()
	if err := os.Truncate(path, 1000); err != nil {
		t.Fatal(err)
	}
	if _, err := mem.U64(img, 0x9000); !errors.Is(err, mem.ErrTruncated) {
		t.Errorf("read behind the new end: %v", err)
	}
}

func TestScanSeesEverything(t *testing.T) {
	big := make([]byte, 5<<20+123)
	for i := range big {
		big[i] = byte(i>>12 ^ i)
	}
	b := dumptest.ELF{Segments: []dumptest.Segment{{Paddr: 0x100000, Data: big}, {Paddr: 0x10, Data: page('q')}}}.Bytes()
	img, err := dump.OpenReader(context.Background(), bytes.NewReader(b), int64(len(b)), "")
	if err != nil {
		t.Fatal(err)
	}
	const overlap = 100
	var mu sync.Mutex
	seen := make([]int, len(big))
	err = dump.Scan(context.Background(), img, overlap, func(chunk []byte, at mem.Phys) error {
		mu.Lock()
		defer mu.Unlock()
		if at < 0x100000 {
			if !bytes.Equal(chunk, page('q')) {
				t.Errorf("chunk at %#x differs", uint64(at))
			}
			return nil
		}
		from := int(at - 0x100000)
		if !bytes.Equal(chunk, big[from:from+len(chunk)]) {
			t.Errorf("chunk at %#x differs", uint64(at))
		}
		for i := range chunk {
			seen[from+i]++
		}
		return nil
	})
	if err != nil || slices.Contains(seen, 0) {
		t.Errorf("some byte was not seen, %v", err)
	}
	twice := 0
	for _, n := range seen {
		if n == 2 {
			twice++
		}
	}
	if twice != 5*overlap {
		t.Errorf("%d bytes seen twice, want %d", twice, 5*overlap)
	}
	stop := errors.New("found")
	if err := dump.Scan(context.Background(), img, 0, func([]byte, mem.Phys) error { return stop }); err != stop {
		t.Errorf("scan stopped with %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := dump.Scan(ctx, img, 0, func([]byte, mem.Phys) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("scan of an ended context: %v", err)
	}
}

// TestScanSkipsDamage: a page that cannot be unpacked does not hide its neighbours.
func TestScanSkipsDamage(t *testing.T) {
	k := dumptest.Kdump{}
	for i := range uint64(20) {
		k.Pages = append(k.Pages, dumptest.Page{PFN: i, State: dump.Stored, Data: page('p'), Codec: dumptest.Zlib})
	}
	k.Pages[7].Raw = []byte("damage")
	b := k.Bytes()
	img, err := dump.OpenReader(context.Background(), bytes.NewReader(b), int64(len(b)), "")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	n := 0
	err = dump.Scan(context.Background(), img, 0, func(chunk []byte, _ mem.Phys) error {
		mu.Lock()
		defer mu.Unlock()
		n += len(chunk) / mem.PageSize
		return nil
	})
	if n != 19 || err != nil {
		t.Errorf("%d pages, %v", n, err)
	}
}

func TestConcurrentReaders(t *testing.T) {
	kd, _ := sampleKdump()
	img, err := dump.OpenReader(context.Background(), bytes.NewReader(kd), int64(len(kd)), "")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			b := make([]byte, 100)
			for i := range 2000 {
				pfn := uint64(i) % 24
				_, err := img.ReadMem(b, mem.Phys(pfn*4096+uint64(i)))
				if ok := pfn%2 == 0 && pfn != 8; ok != (err == nil) {
					t.Errorf("page %d: %v", pfn, err)
					return
				}
				if want := byte(pfn / 2); err == nil && pfn != 6 && b[(4-i%4)%4] != want {
					t.Errorf("page %d reads %d", pfn, b[(4-i%4)%4])
					return
				}
			}
		})
	}
	wg.Wait()
}

func FuzzOpen(f *testing.F) {
	kd, _ := sampleKdump()
	f.Add(sampleELF())
	f.Add(kd)
	f.Add(dumptest.Flatten(kd, 3000))
	f.Add(dumptest.Flatten(sampleELF(), 5000))
	f.Fuzz(func(t *testing.T, b []byte) { _, _ = try(t, "fuzz", b) })
}

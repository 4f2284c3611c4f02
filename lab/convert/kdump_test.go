package convert

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/klauspost/compress/snappy"
)

// file is an io.WriterAt in memory.
type file struct{ b []byte }

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	if grow := int(off) + len(p) - len(f.b); grow > 0 {
		f.b = append(f.b, make([]byte, grow)...)
	}
	return copy(f.b[off:], p), nil
}

func TestReassemble(t *testing.T) {
	var in bytes.Buffer
	in.WriteString(flatMagic)
	in.Write(make([]byte, flatHeaderSize-len(flatMagic)))
	block := func(off, size int64, body string) {
		binary.Write(&in, binary.BigEndian, []int64{off, size})
		in.WriteString(body)
	}
	block(6, 5, "world")
	block(0, 6, "hello ")
	block(0, 1, "J")
	whole := in.Len()
	block(-1, -1, "")
	var out file
	if err := Reassemble(&out, bytes.NewReader(in.Bytes())); err != nil || string(out.b) != "Jello world" {
		t.Errorf("got %q, %v", out.b, err)
	}
	for _, bad := range [][]byte{nil, make([]byte, flatHeaderSize), in.Bytes()[:whole], in.Bytes()[:whole-3]} {
		if err := Reassemble(&out, bytes.NewReader(bad)); err == nil {
			t.Errorf("no error for %d bytes", len(bad))
		}
	}
}

// kdump builds a kdump file with zlib pages; a page of "raw" flavour is stored as it is.
func kdump(pages []string, shared bool) []byte {
	le := binary.LittleEndian
	head := make([]byte, 4*pageSize) // header, sub-header, two bitmaps
	copy(head, kdumpMagic)
	le.PutUint32(head[offStatus:], flagZlib)
	le.PutUint32(head[offBlockSize:], pageSize)
	le.PutUint32(head[offSubHdr:], 1)
	le.PutUint32(head[offBitmap:], 2)
	var descs, data []byte
	at := uint64(len(head) + descSize*len(pages))
	for i, p := range pages {
		head[3*pageSize+i/8] |= 1 << (i % 8)
		var z bytes.Buffer
		flags := uint32(0)
		if strings.HasPrefix(p, "raw") {
			z.WriteString(p)
		} else {
			w := zlib.NewWriter(&z)
			w.Write([]byte(p))
			w.Close()
			flags = flagZlib
		}
		off := at + uint64(len(data))
		if shared && i > 0 && p == pages[0] {
			off = at
		} else {
			data = append(data, z.Bytes()...)
		}
		descs = le.AppendUint64(descs, off)
		descs = le.AppendUint32(descs, uint32(z.Len()))
		descs = le.AppendUint32(descs, flags)
		descs = le.AppendUint64(descs, uint64(i)<<4)
	}
	return append(append(head, descs...), data...)
}

func TestSnappyPages(t *testing.T) {
	le := binary.LittleEndian
	noise := make([]byte, pageSize)
	for i, x := 0, uint32(1); i < pageSize; i++ {
		x = x*1664525 + 1013904223
		noise[i] = byte(x >> 24)
	}
	pages := []string{strings.Repeat("\x00", pageSize), strings.Repeat("lab ", pageSize/4),
		"raw" + string(noise[3:]), strings.Repeat("\x00", pageSize)}
	in := kdump(pages, true)
	var out file
	if err := SnappyPages(&out, bytes.NewReader(in)); err != nil {
		t.Fatal(err)
	}
	if status := le.Uint32(out.b[offStatus:]); status != flagSnap {
		t.Errorf("status %#x", status)
	}
	descs := out.b[4*pageSize:]
	for i, want := range pages {
		d := descs[i*descSize:]
		off, size, flags := le.Uint64(d), le.Uint32(d[8:]), le.Uint32(d[12:])
		got := out.b[off:][:size]
		if flags == flagSnap {
			var err error
			if got, err = snappy.Decode(nil, got); err != nil {
				t.Fatalf("page %d: %v", i, err)
			}
		}
		if string(got) != want || le.Uint64(d[16:]) != uint64(i)<<4 {
			t.Errorf("page %d: flags %#x, page flags %#x, same bytes %v", i, flags, le.Uint64(d[16:]), string(got) == want)
		}
		if raw := flags == 0; raw != (i == 2) {
			t.Errorf("page %d: flags %#x", i, flags)
		}
	}
	if a, b := le.Uint64(descs), le.Uint64(descs[3*descSize:]); a != b {
		t.Errorf("a shared page became two, at %#x and %#x", a, b)
	}
}

func TestSnappyPagesRefuses(t *testing.T) {
	le := binary.LittleEndian
	tests := map[string]func(b []byte) []byte{
		"empty":       func(b []byte) []byte { return nil },
		"magic":       func(b []byte) []byte { b[0] = 'X'; return b },
		"block size":  func(b []byte) []byte { le.PutUint32(b[offBlockSize:], 1<<20); return b },
		"bitmap size": func(b []byte) []byte { le.PutUint32(b[offBitmap:], 1<<31); return b },
		"cut descs":   func(b []byte) []byte { return b[:4*pageSize+10] },
		"cut pages":   func(b []byte) []byte { return b[:len(b)-1] },
		"page size":   func(b []byte) []byte { le.PutUint32(b[4*pageSize+8:], 1<<20); return b },
		"page flags":  func(b []byte) []byte { le.PutUint32(b[4*pageSize+12:], 2); return b },
	}
	for name, change := range tests {
		in := change(kdump([]string{strings.Repeat("a", pageSize)}, false))
		if err := SnappyPages(new(file), bytes.NewReader(in)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

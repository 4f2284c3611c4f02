package elfcore

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/kinquest/inquest/arch"
	"github.com/kinquest/inquest/dump/format"
	"github.com/kinquest/inquest/internal/dumptest"
	"github.com/kinquest/inquest/mem"
)

func open(t *testing.T, b []byte) *File {
	t.Helper()
	f, err := Open(bytes.NewReader(b), int64(len(b)), "vmcore")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func fill(c byte, n int) []byte { return bytes.Repeat([]byte{c}, n) }

func byteAt(f *File, addr mem.Phys) (byte, error) { return mem.U8(f, addr) }

func TestHeaders(t *testing.T) {
	segs := []dumptest.Segment{{Paddr: 0x1000, Data: fill('a', 16)}, {Paddr: 0x8000, Data: fill('b', 16)}}
	notes := []format.Note{{Name: "CORE", Type: 9, Desc: []byte("odd")}, dumptest.VMCOREINFO("CRASHTIME=1700000000\n")}
	tests := []struct {
		name string
		e    dumptest.ELF
		m    arch.Machine
	}{
		{"64-bit", dumptest.ELF{}, arch.X86_64},
		{"32-bit", dumptest.ELF{Bits32: true, Machine: 3}, arch.I386},
		{"big-endian", dumptest.ELF{Big: true, Machine: 22}, arch.S390},
		{"32-bit big-endian", dumptest.ELF{Bits32: true, Big: true, Machine: 9999}, arch.Machine(9999)},
		{"headers behind a gap", dumptest.ELF{Gap: 128}, arch.X86_64},
		{"PN_XNUM", dumptest.ELF{XNUM: true}, arch.X86_64},
		{"PN_XNUM 32-bit", dumptest.ELF{XNUM: true, Bits32: true}, arch.X86_64},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.e.Segments, tt.e.Notes = segs, notes
			f := open(t, tt.e.Bytes())
			if c, err := byteAt(f, 0x800f); c != 'b' || err != nil {
				t.Errorf("byte at 0x800f: %q, %v", c, err)
			}
			if _, err := byteAt(f, 0x1010); !errors.Is(err, mem.ErrNotStored) {
				t.Errorf("hole: %v", err)
			}
			got := slices.Collect(f.Notes())
			if len(got) != 2 || got[0].Name != "CORE" || string(got[0].Desc) != "odd" || got[1].Name != "VMCOREINFO" {
				t.Errorf("notes %v", got)
			}
			i := f.Info()
			if i.Machine != tt.m || i.CrashTime.Unix() != 1700000000 || i.Variant != "/proc/vmcore" || i.Truncated || len(i.Problems) > 0 {
				t.Errorf("info %+v", i)
			}
		})
	}
}

func TestSegments(t *testing.T) {
	all := ^uint64(0)
	tests := []struct {
		name  string
		segs  []dumptest.Segment
		addr  mem.Phys
		want  byte
		err   error
		state format.PageState
	}{
		{"first of two wins", []dumptest.Segment{{Paddr: 0, Data: fill('a', 8)}, {Paddr: 0, Data: fill('b', 8)}}, 4, 'a', nil, format.Stored},
		{"second continues", []dumptest.Segment{{Paddr: 0, Data: fill('a', 8)}, {Paddr: 4, Data: fill('b', 8)}}, 8, 'b', nil, format.Stored},
		{"stored beats described", []dumptest.Segment{{Paddr: 0, Data: fill('a', 8), Memsz: 32}, {Paddr: 16, Data: fill('b', 8)}}, 16, 'b', nil, format.Stored},
		{"described only", []dumptest.Segment{{Paddr: 0, Data: fill('a', 8), Memsz: 32}}, 8, 0, mem.ErrExcluded, format.Excluded},
		{"empty segment", []dumptest.Segment{{Paddr: 0, Data: fill('a', 8)}, {Paddr: 0x100}}, 0x100, 0, mem.ErrNotStored, format.NotStored},
		{"no physical address", []dumptest.Segment{{Paddr: all, Vaddr: 1, Data: fill('a', 8)}, {Paddr: 0, Data: fill('b', 8)}}, 0, 'b', nil, format.Stored},
		{"kernel text at physical 0", []dumptest.Segment{
			{Vaddr: 0xffffffff81000000, Data: fill('t', 8)}, {Vaddr: 0xffff888000000000, Data: fill('d', 8)},
		}, 0, 'd', nil, format.Stored},
		{"at the end of addresses", []dumptest.Segment{{Paddr: all - 3, Data: fill('a', 8)}, {Paddr: 0, Data: fill('b', 8)}}, 0, 'b', nil, format.Stored},
	}
	for _, tt := range tests {
		f := open(t, dumptest.ELF{Segments: tt.segs}.Bytes())
		c, err := byteAt(f, tt.addr)
		if c != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: %q, %v", tt.name, c, err)
		}
		if s := f.PageState(tt.addr); s != tt.state {
			t.Errorf("%s: state %v, want %v", tt.name, s, tt.state)
		}
	}
}

func TestReadAcrossSegments(t *testing.T) {
	f := open(t, dumptest.ELF{Segments: []dumptest.Segment{
		{Paddr: 0x1008, Data: fill('b', 8)}, {Paddr: 0x1000, Data: fill('a', 8), Memsz: 8},
	}}.Bytes())
	b := make([]byte, 20)
	n, err := f.ReadMem(b, 0x1000)
	var fault *mem.FaultError
	if string(b[:n]) != "aaaaaaaabbbbbbbb" || !errors.As(err, &fault) || fault.Addr != 0x1010 {
		t.Errorf("%q, %v", b[:n], err)
	}
	if got := slices.Collect(f.Extents()); !slices.Equal(got, []mem.Extent{{Start: 0x1000, Size: 16}}) {
		t.Errorf("extents %v", got)
	}
}

func TestRefused(t *testing.T) {
	seg := []dumptest.Segment{{Paddr: 0, Data: fill('a', 8)}}
	user := []format.Note{{Name: "CORE", Type: 6, Desc: fill(0, 16)}}
	tests := []struct {
		name    string
		b       []byte
		unknown bool
	}{
		{"executable", dumptest.ELF{Type: 2, Segments: seg}.Bytes(), true},
		{"user core", dumptest.ELF{Notes: user, Segments: []dumptest.Segment{{Vaddr: 0x400000, Data: fill('a', 8)}}}.Bytes(), true},
		{"no segments", dumptest.ELF{}.Bytes(), false},
		{"half a header", dumptest.ELF{Segments: seg}.Bytes()[:40], false},
		{"header alone", dumptest.ELF{Segments: seg}.Bytes()[:64], false},
		{"text", []byte("Linux version 6.1.0-50-amd64 (debian-kernel@lists.debian.org) (gcc-12)"), true},
	}
	for _, tt := range tests {
		f, err := Open(bytes.NewReader(tt.b), int64(len(tt.b)), "vmcore")
		var fe *format.FormatError
		if f != nil || !errors.As(err, &fe) || errors.Is(err, format.ErrUnknownFormat) != tt.unknown {
			t.Errorf("%s: %v, %v", tt.name, f, err)
		}
	}
}

package elfnote_test

import (
	"encoding/binary"
	"testing"

	"github.com/kinquest/inquest/arch"
	"github.com/kinquest/inquest/dump/elfnote"
	"github.com/kinquest/inquest/dump/format"
	"github.com/kinquest/inquest/internal/dumptest"
)

var le = binary.LittleEndian

func TestParseAlignments(t *testing.T) {
	raw := func(words []uint32, tail string) []byte {
		var b []byte
		for _, w := range words {
			b = le.AppendUint32(b, w)
		}
		return append(b, tail...)
	}
	tests := []struct {
		name string
		b    []byte
		want []string // name=desc
	}{
		{"4 bytes", raw([]uint32{5, 3, 1}, "CORE\x00\x00\x00\x00abc\x00"), []string{"CORE=abc"}},
		{"last one not padded", raw([]uint32{5, 3, 1}, "CORE\x00\x00\x00\x00abc"), []string{"CORE=abc"}},
		{"8 bytes", append(raw([]uint32{5, 3, 1}, "CORE\x00\x00\x00\x00\x00\x00\x00\x00abc\x00\x00\x00\x00\x00"),
			raw([]uint32{5, 1, 1}, "QEMU\x00\x00\x00\x00\x00\x00\x00\x00x")...), []string{"CORE=abc", "QEMU=x"}},
		{"zeroes between", append(append(raw([]uint32{5, 4, 1}, "CORE\x00\x00\x00\x00abcd"), make([]byte, 20)...),
			raw([]uint32{5, 1, 1}, "QEMU\x00\x00\x00\x00x")...), []string{"CORE=abcd", "QEMU=x"}},
		{"zeroes only", make([]byte, 4096), nil},
	}
	for _, tt := range tests {
		notes, err := elfnote.Parse(tt.b, le)
		var got []string
		for _, n := range notes {
			got = append(got, n.Name+"="+string(n.Desc))
		}
		if err != nil || len(got) != len(tt.want) {
			t.Errorf("%s: %q, %v", tt.name, got, err)
			continue
		}
		for i := range got {
			if got[i] != tt.want[i] {
				t.Errorf("%s: %q", tt.name, got)
			}
		}
	}
}

func TestParseKeepsNotesBeforeDamage(t *testing.T) {
	b := elfnote.Append(nil, le, format.Note{Name: "CORE", Type: 1, Desc: []byte("ok")})
	for _, bad := range [][]byte{{5, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0}, {255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0}} {
		notes, err := elfnote.Parse(append(b[:len(b):len(b)], bad...), le)
		if len(notes) != 1 || err == nil {
			t.Errorf("%v, %v", notes, err)
		}
	}
}

func TestCPUsMergeQEMU(t *testing.T) {
	regs := make([]uint64, 21)
	for i := range regs {
		regs[i] = uint64(100 + i)
	}
	state := make([]uint64, 54)
	state[0], state[16], state[17] = 1, 2, 3
	state[18+3*4+2], state[18+3*9+2] = 0x6550, 0xfe00
	state[48+3], state[53] = 0xc4300, 0x5550
	notes := []format.Note{
		dumptest.PRStatus64(1, regs...), dumptest.PRStatus64(2), dumptest.VMCOREINFO("x"), dumptest.QEMUState(state...),
	}
	cpus, err := elfnote.CPUs(notes, arch.X86_64)
	if err != nil || len(cpus) != 2 {
		t.Fatalf("%v, %v", cpus, err)
	}
	c := cpus[0]
	r := &c.Regs
	if c.PID != 1 || r.Val(arch.R15) != 100 || r.Val(arch.RDI) != 114 || r.OrigRAX != 115 ||
		r.Val(arch.RIP) != 116 || r.CS != 117 || r.Flags != 118 || r.Val(arch.RSP) != 119 || r.SS != 120 || !r.Full {
		t.Errorf("registers %+v", c)
	}
	want := arch.Control{CR3: 0xc4300, GSBase: 0x6550, IDTBase: 0xfe00, KernelGSBase: 0x5550, HasKernelGSBase: true}
	if c.Control == nil || *c.Control != want || c.Source != "QEMU" {
		t.Errorf("control %+v of %q", c.Control, c.Source)
	}
	if cpus[1].Control != nil || cpus[1].Source != "NT_PRSTATUS" || cpus[1].Index != 1 {
		t.Errorf("second CPU %+v", cpus[1])
	}
}

func TestCPUsOddNotes(t *testing.T) {
	old := dumptest.QEMUState(7)
	old.Desc = old.Desc[:432]
	v2 := dumptest.QEMUState()
	v2.Desc[0] = 2
	tests := []struct {
		name string
		note format.Note
		n    int
		bad  bool
	}{
		{"QEMU before 3.0", old, 1, false},
		{"QEMU note of another version", v2, 0, true},
		{"short QEMU note", format.Note{Name: "QEMU", Desc: make([]byte, 100)}, 0, true},
		{"PRSTATUS of 3 bytes", format.Note{Name: "CORE", Type: 1, Desc: make([]byte, 3)}, 0, true},
		{"i386", format.Note{Name: "CORE", Type: 1, Desc: make([]byte, 144)}, 1, false},
		{"other type", format.Note{Name: "CORE", Type: 3, Desc: make([]byte, 3)}, 0, false},
	}
	for _, tt := range tests {
		cpus, err := elfnote.CPUs([]format.Note{tt.note}, arch.X86_64)
		if len(cpus) != tt.n || (err != nil) != tt.bad {
			t.Errorf("%s: %v, %v", tt.name, cpus, err)
		}
		if len(cpus) == 1 && cpus[0].Control != nil && cpus[0].Control.HasKernelGSBase {
			t.Errorf("%s: kernel GS base from a note without it", tt.name)
		}
	}
	if _, err := elfnote.CPUs(nil, arch.AArch64); err == nil {
		t.Error("registers of aarch64 are claimed to be known")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(elfnote.Append(nil, le, dumptest.PRStatus64(1)))
	f.Add(elfnote.Append(nil, le, dumptest.QEMUState(1, 2, 3)))
	f.Fuzz(func(t *testing.T, b []byte) {
		notes, _ := elfnote.Parse(b, le)
		size := 0
		for _, n := range notes {
			size += len(n.Desc) + len(n.Name)
		}
		if size > len(b) {
			t.Fatalf("%d bytes of notes from %d", size, len(b))
		}
		_, _ = elfnote.CPUs(notes, arch.X86_64)
	})
}

package convert

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
)

// segment is one program header and its bytes.
type segment struct {
	typ   elf.ProgType
	paddr uint64
	body  string
}

// core builds an ELF core as QEMU orders it: a section header at 64, the
// program headers after it.
func core(segments ...segment) []byte {
	const phoff = ehdrSize + 64
	le := binary.LittleEndian
	var b bytes.Buffer
	h := elf.Header64{
		Type: uint16(elf.ET_CORE), Machine: uint16(elf.EM_X86_64), Version: 1, Phoff: phoff, Shoff: ehdrSize,
		Ehsize: ehdrSize, Phentsize: phdrSize, Phnum: uint16(len(segments)), Shentsize: 64, Shnum: 1,
	}
	copy(h.Ident[:], elf.ELFMAG+"\x02\x01\x01")
	binary.Write(&b, le, h)
	binary.Write(&b, le, elf.Section64{})
	off := uint64(phoff + phdrSize*len(segments))
	for _, s := range segments {
		n := uint64(len(s.body))
		binary.Write(&b, le, elf.Prog64{Type: uint32(s.typ), Off: off, Paddr: s.paddr, Vaddr: s.paddr | 1<<63, Filesz: n, Memsz: n + 5})
		off += n
	}
	for _, s := range segments {
		b.WriteString(s.body)
	}
	return b.Bytes()
}

func TestProgramHeadersFirst(t *testing.T) {
	in := core(segment{elf.PT_NOTE, 0, "note"}, segment{elf.PT_LOAD, 0x1000, "memory"}, segment{elf.PT_LOAD, 0x9000, ""})
	var out bytes.Buffer
	if err := ProgramHeadersFirst(&out, bytes.NewReader(in)); err != nil {
		t.Fatal(err)
	}
	if phoff := binary.LittleEndian.Uint64(out.Bytes()[32:]); phoff != ehdrSize {
		t.Errorf("program headers at %d", phoff)
	}
	was, err := elf.NewFile(bytes.NewReader(in))
	if err != nil {
		t.Fatal(err)
	}
	is, err := elf.NewFile(bytes.NewReader(out.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if is.Type != was.Type || is.Machine != was.Machine || len(is.Progs) != len(was.Progs) {
		t.Fatalf("got %v, want %v", is.FileHeader, was.FileHeader)
	}
	for i, p := range is.Progs {
		want := was.Progs[i].ProgHeader
		want.Off = p.Off
		if p.ProgHeader != want {
			t.Errorf("header %d: %v, want %v", i, p.ProgHeader, want)
		}
		got, _ := io.ReadAll(p.Open())
		body, _ := io.ReadAll(was.Progs[i].Open())
		if !bytes.Equal(got, body) {
			t.Errorf("segment %d: %q, want %q", i, got, body)
		}
	}
}

func TestProgramHeadersFirstRefuses(t *testing.T) {
	good := core(segment{elf.PT_LOAD, 0, "memory"})
	for name, in := range map[string][]byte{"no ELF": []byte("KDUMP   "), "cut short": good[:len(good)-1]} {
		if err := ProgramHeadersFirst(io.Discard, bytes.NewReader(in)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestVMCOREINFO(t *testing.T) {
	text := "OSRELEASE=6.1\nSYMBOL(init_uts_ns)=ffffffff82000000\nKERNELOFFSET=1000000\n"
	page := func(s string) string { return s + strings.Repeat("\x00", pageSize-len(s)) }
	filler := strings.Repeat(page("x"), scanBlock/pageSize)
	in := core(segment{elf.PT_NOTE, 0, page(text)}, segment{elf.PT_LOAD, 0, page("OSRELEASE=%s\n") + filler},
		segment{elf.PT_LOAD, 1 << 30, page("y") + page(text)})
	got, err := VMCOREINFO(bytes.NewReader(in))
	if err != nil || string(got) != text {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := VMCOREINFO(bytes.NewReader(core(segment{elf.PT_LOAD, 0, page("x" + text)}))); !errors.Is(err, ErrNoNote) {
		t.Errorf("text in the middle of a page: %v", err)
	}
}

// Package dumptest builds dump files in memory for tests.
package dumptest

import (
	"encoding/binary"

	"github.com/kinquest/inquest/dump/elfnote"
	"github.com/kinquest/inquest/dump/format"
)

// Segment is one PT_LOAD segment. Memsz 0 means as long as Data.
type Segment struct {
	Paddr, Vaddr uint64
	Data         []byte
	Memsz        uint64
}

// ELF describes an ELF core. The zero value but for Segments is a 64-bit
// little-endian x86_64 dump.
type ELF struct {
	Bits32   bool // 32-bit headers
	Big      bool // big-endian
	Type     uint16
	Machine  uint16
	Segments []Segment
	Notes    []format.Note
	RawNotes []byte // instead of Notes
	XNUM     bool   // the number of segments goes to section header 0
	Gap      int    // bytes between the ELF header and the program headers
}

type writer struct {
	b     []byte
	order binary.AppendByteOrder
	wide  bool
}

func (w *writer) u16(v ...uint16) {
	for _, v := range v {
		w.b = w.order.AppendUint16(w.b, v)
	}
}

func (w *writer) u32(v ...uint32) {
	for _, v := range v {
		w.b = w.order.AppendUint32(w.b, v)
	}
}

func (w *writer) word(v ...uint64) {
	for _, v := range v {
		if w.wide {
			w.b = w.order.AppendUint64(w.b, v)
		} else {
			w.b = w.order.AppendUint32(w.b, uint32(v))
		}
	}
}

func or[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// Bytes gives the file.
func (e ELF) Bytes() []byte {
	w := &writer{order: binary.LittleEndian, wide: !e.Bits32}
	ehdr, phdr, shdr := 64, 56, 64
	ident := []byte{0x7f, 'E', 'L', 'F', 2, 1, 1, 15: 0}
	if e.Bits32 {
		ident[4], ehdr, phdr, shdr = 1, 52, 32, 40
	}
	var order binary.ByteOrder = binary.LittleEndian
	if e.Big {
		ident[5], w.order, order = 2, binary.BigEndian, binary.BigEndian
	}
	notes := e.RawNotes
	for _, n := range e.Notes {
		notes = elfnote.Append(notes, order, n)
	}
	phnum := len(e.Segments) + 1
	shoff, shnum, ePhnum := 0, 0, phnum
	phoff := ehdr + e.Gap
	if e.XNUM {
		shoff, shnum, ePhnum = phoff, 1, 0xffff
		phoff += shdr
	}
	w.b = ident
	w.u16(or(e.Type, 4), or(e.Machine, 62))
	w.u32(1)
	w.word(0, uint64(phoff), uint64(shoff))
	w.u32(0)
	w.u16(uint16(ehdr), uint16(phdr), uint16(ePhnum), uint16(shdr), uint16(shnum), 0)
	w.b = append(w.b, make([]byte, e.Gap)...)
	if e.XNUM {
		w.u32(0, 0)
		w.word(0, 0, 0, 0)
		w.u32(0, uint32(phnum))
		w.word(0, 0)
	}
	off := uint64(phoff + phnum*phdr)
	w.phdr(4, off, 0, 0, uint64(len(notes)), uint64(len(notes)))
	off += uint64(len(notes))
	for _, s := range e.Segments {
		size := uint64(len(s.Data))
		w.phdr(1, off, s.Vaddr, s.Paddr, size, or(s.Memsz, size))
		off += size
	}
	w.b = append(w.b, notes...)
	for _, s := range e.Segments {
		w.b = append(w.b, s.Data...)
	}
	return w.b
}

func (w *writer) phdr(typ uint32, off, vaddr, paddr, filesz, memsz uint64) {
	w.u32(typ)
	if w.wide {
		w.u32(7)
	}
	w.word(off, vaddr, paddr, filesz, memsz)
	if !w.wide {
		w.u32(7)
	}
	w.word(0)
}

// PRStatus64 makes an NT_PRSTATUS note of x86_64; regs is user_regs_struct in
// its order, the rest of it zero.
func PRStatus64(pid uint32, regs ...uint64) format.Note {
	d := make([]byte, 336)
	binary.LittleEndian.PutUint32(d[32:], pid)
	for i, v := range regs {
		binary.LittleEndian.PutUint64(d[112+8*i:], v)
	}
	return format.Note{Name: "CORE", Type: 1, Desc: d}
}

// QEMUState makes a QEMU CPU note; words is QEMUCPUState from rax on, the rest
// of it zero.
func QEMUState(words ...uint64) format.Note {
	d := make([]byte, 440)
	binary.LittleEndian.PutUint32(d, 1)
	binary.LittleEndian.PutUint32(d[4:], 440)
	for i, v := range words {
		binary.LittleEndian.PutUint64(d[8+8*i:], v)
	}
	return format.Note{Name: "QEMU", Type: 0, Desc: d}
}

// VMCOREINFO makes that note.
func VMCOREINFO(text string) format.Note {
	return format.Note{Name: "VMCOREINFO", Type: 0, Desc: []byte(text)}
}

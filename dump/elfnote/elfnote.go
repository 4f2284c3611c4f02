// Package elfnote parses the notes of a dump, wherever its format keeps them:
// ELF note records, and the registers of CPUs among them.
package elfnote

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/kinquest/inquest/dump/format"
)

// headerSize is that of Elf32_Nhdr and Elf64_Nhdr: namesz, descsz, type.
const headerSize = 12

// MaxNotes bounds the number of notes of one dump: two for each of 8192 CPUs
// (the largest NR_CPUS of x86_64) and as many device dumps again.
const MaxNotes = 32768

// Parse reads the note records of b in order. Names and descriptors are padded
// to 4 bytes, as Linux and QEMU write them in files of either class, or to 8
// as gABI says for 64-bit files: whichever reads b to its end. Descriptors
// alias b. The error says at which offset the records stop making sense; the
// notes before it are returned too.
func Parse(b []byte, order binary.ByteOrder) ([]format.Note, error) {
	notes, err := parse(b, order, 4)
	if err != nil {
		if wide, err8 := parse(b, order, 8); err8 == nil && len(wide) > len(notes) {
			return wide, nil
		}
	}
	return notes, err
}

func parse(b []byte, order binary.ByteOrder, align uint64) ([]format.Note, error) {
	var notes []format.Note
	for off := uint64(0); off+headerSize <= uint64(len(b)); {
		h := b[off : off+headerSize]
		nameSize, descSize := uint64(order.Uint32(h)), uint64(order.Uint32(h[4:]))
		if nameSize == 0 { // padding between the notes of CPUs, or the unused end
			off += 4
			continue
		}
		name := off + headerSize
		desc := alignUp(name+nameSize, align)
		end := desc + descSize
		if end > uint64(len(b)) {
			return notes, fmt.Errorf("note at offset %#x (name %d, descriptor %d bytes) passes the end %#x", off, nameSize, descSize, len(b))
		}
		if len(notes) == MaxNotes {
			return notes, fmt.Errorf("more than %d notes", MaxNotes)
		}
		n := bytes.TrimRight(b[name:name+nameSize], "\x00")
		if !printable(n) {
			return notes, fmt.Errorf("note at offset %#x: name %.20q is no text", off, n)
		}
		notes = append(notes, format.Note{Name: string(n), Type: order.Uint32(h[8:]), Desc: b[desc:end:end]})
		off = alignUp(end, align)
	}
	return notes, nil
}

func alignUp(n, align uint64) uint64 { return (n + align - 1) &^ (align - 1) }

func printable(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// Append adds one note record to b, padded to 4 bytes: what Parse reads.
func Append(b []byte, order binary.ByteOrder, n format.Note) []byte {
	var h [headerSize]byte
	order.PutUint32(h[:], uint32(len(n.Name)+1))
	order.PutUint32(h[4:], uint32(len(n.Desc)))
	order.PutUint32(h[8:], n.Type)
	b = append(append(append(b, h[:]...), n.Name...), 0)
	b = pad4(b)
	return pad4(append(b, n.Desc...))
}

func pad4(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

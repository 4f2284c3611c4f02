// Package convert rewrites memory dumps where no tool at hand does: it is
// written from the formats' descriptions, apart from the readers it is there
// to test.
package convert

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
)

// Sizes of 64-bit ELF headers.
const (
	ehdrSize = 64
	phdrSize = 56
)

// maxHeaders bounds the program headers of a dump; QEMU writes one per piece of memory.
const maxHeaders = 4096

// ProgramHeadersFirst copies a 64-bit little-endian ELF core so that its
// program headers follow the file header at once, as makedumpfile takes for
// granted, and drops the section headers.
func ProgramHeadersFirst(w io.Writer, r io.ReaderAt) error {
	f, err := elf.NewFile(r)
	if err != nil {
		return fmt.Errorf("reorder an ELF core: %w", err)
	}
	if f.Class != elf.ELFCLASS64 || f.Data != elf.ELFDATA2LSB {
		return fmt.Errorf("reorder an ELF core: %v %v is not supported", f.Class, f.Data)
	}
	if len(f.Progs) > maxHeaders {
		return fmt.Errorf("reorder an ELF core: %d program headers", len(f.Progs))
	}
	if _, err := w.Write(reordered(f)); err != nil {
		return fmt.Errorf("reorder an ELF core: %w", err)
	}
	for _, p := range f.Progs {
		if _, err := io.CopyN(w, p.Open(), int64(p.Filesz)); err != nil {
			return fmt.Errorf("reorder an ELF core: segment at %#x: %w", p.Off, err)
		}
	}
	return nil
}

// reordered is the file header and the program headers, with segments one after another.
func reordered(f *elf.File) []byte {
	le := binary.LittleEndian
	b := make([]byte, 0, ehdrSize+phdrSize*len(f.Progs))
	b = append(b, elf.ELFMAG...)
	b = append(b, byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT), byte(f.OSABI), f.ABIVersion)
	b = append(b, make([]byte, elf.EI_NIDENT-len(b))...)
	b = le.AppendUint16(b, uint16(f.Type))
	b = le.AppendUint16(b, uint16(f.Machine))
	b = le.AppendUint32(b, uint32(f.Version))
	b = le.AppendUint64(b, f.Entry)
	b = le.AppendUint64(b, ehdrSize) // e_phoff
	b = le.AppendUint64(b, 0)        // e_shoff
	b = le.AppendUint32(b, 0)        // e_flags
	for _, v := range []uint16{ehdrSize, phdrSize, uint16(len(f.Progs)), 0, 0, 0} {
		b = le.AppendUint16(b, v)
	}
	off := uint64(cap(b))
	for _, p := range f.Progs {
		b = le.AppendUint32(b, uint32(p.Type))
		b = le.AppendUint32(b, uint32(p.Flags))
		for _, v := range []uint64{off, p.Vaddr, p.Paddr, p.Filesz, p.Memsz, p.Align} {
			b = le.AppendUint64(b, v)
		}
		off += p.Filesz
	}
	return b
}

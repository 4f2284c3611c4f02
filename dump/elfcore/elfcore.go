// Package elfcore reads dumps in ELF core format: /proc/vmcore as the kernel
// writes it, makedumpfile -E, and QEMU's dump-guest-memory.
//
// Segments are taken by physical address. Where several hold the same memory
// (QEMU with paging), the first one in the file that stores a byte wins.
// Memory that a segment describes but does not store (p_memsz over p_filesz)
// is answered with mem.ErrExcluded: makedumpfile -E leaves filtered pages and
// pages of zeroes out that way, and the file does not tell which they were.
package elfcore

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/kinquest/inquest/arch"
	"github.com/kinquest/inquest/dump/elfnote"
	"github.com/kinquest/inquest/dump/format"
	"github.com/kinquest/inquest/internal/overlay"
	"github.com/kinquest/inquest/mem"
)

// maxProblems bounds the oddities that Info lists.
const maxProblems = 20

// File is an open ELF core dump. It is immutable and safe for concurrent use.
type File struct {
	src    io.ReaderAt
	name   string
	size   int64
	hdr    header
	stored []overlay.Span // bytes in the file, by physical address
	lost   []overlay.Span // promised, but the file ends before
	absent []overlay.Span // described, not stored
	notes  []format.Note
	cpus   []arch.CPU
	cpuErr error
	info   format.Info
}

// Open reads the headers and notes of an ELF core of size bytes. The file
// stays in use until the last read; closing it is the caller's. A file that
// ends early opens with Info().Truncated as long as its headers can be read.
// The error is a *format.FormatError.
func Open(src io.ReaderAt, size int64, name string) (*File, error) {
	f := &File{src: src, name: name, size: size}
	f.info = format.Info{Format: "ELF core", PageSize: mem.PageSize, DumpLevel: -1, FileSize: size}
	if name != "" {
		f.info.Files = []string{name}
	}
	if err := f.readHeader(); err != nil {
		return nil, err
	}
	f.info.Machine = f.hdr.machine
	segs, err := f.readSegments()
	if err != nil {
		return nil, err
	}
	if err := f.readNotes(segs); err != nil {
		return nil, err
	}
	if err := f.mapSegments(segs); err != nil {
		return nil, err
	}
	f.cpus, f.cpuErr = elfnote.CPUs(f.notes, f.hdr.machine)
	f.describe()
	return f, nil
}

func (f *File) problem(s string, args ...any) {
	if len(f.info.Problems) < maxProblems {
		f.info.Problems = append(f.info.Problems, fmt.Sprintf(s, args...))
	}
}

func (f *File) truncated(s string, args ...any) {
	f.info.Truncated = true
	f.problem(s, args...)
}

// readNotes collects the notes of all PT_NOTE segments.
func (f *File) readNotes(segs []segment) error {
	budget := uint64(maxNoteBytes)
	for _, s := range segs {
		if s.typ != ptNote || s.filesz == 0 {
			continue
		}
		off, ok := offset(s.off)
		if !ok || off >= f.size {
			f.truncated("the notes at offset %#x lie beyond the end of the file", s.off)
			continue
		}
		size := s.filesz
		if size > uint64(f.size-off) {
			size = uint64(f.size - off)
			f.truncated("the file ends within the notes")
		}
		if size > budget {
			f.problem("notes at offset %#x: %d bytes, read only %d", off, size, budget)
			size = budget
		}
		budget -= size
		b := make([]byte, size)
		if _, err := readAt(f.src, b, off); err != nil {
			return f.errAt(off, "read notes", format.Cause(err))
		}
		notes, err := elfnote.Parse(b, f.hdr.order)
		if err != nil {
			f.problem("notes at file offset %#x: %v", off, err)
		}
		f.notes = append(f.notes, notes...)
		if len(f.notes) >= elfnote.MaxNotes {
			f.problem("more than %d notes", elfnote.MaxNotes)
			break
		}
	}
	return nil
}

// mapSegments sorts the PT_LOAD segments into what is stored, lost and absent.
func (f *File) mapSegments(segs []segment) error {
	loads := slices.DeleteFunc(slices.Clone(segs), func(s segment) bool { return s.typ != ptLoad })
	if len(loads) == 0 {
		return f.errAt(int64(f.hdr.ePhnum), f.emptyReason(), nil)
	}
	if f.userCore(loads) {
		return f.notDump(0, "this is the core of a user process, not of a kernel")
	}
	total := len(loads)
	loads = f.physical(loads)
	if n := total - len(loads); n > 0 {
		f.problem("%d of %d segments have no physical address and are left out", n, total)
	}
	for _, s := range slices.Backward(loads) { // Flatten prefers the later one
		f.place(s)
	}
	f.stored, f.lost, f.absent = overlay.Flatten(f.stored), overlay.Flatten(f.lost), overlay.Flatten(f.absent)
	f.lost = overlay.Subtract(f.lost, f.stored)
	f.absent = overlay.Subtract(overlay.Subtract(f.absent, f.stored), f.lost)
	if len(f.lost) > 0 {
		var sum uint64
		for _, s := range f.lost {
			sum += s.Size
		}
		f.truncated("the file ends at %d bytes; %d MiB of memory that its headers promise are missing", f.size, (sum+1<<20-1)>>20)
	}
	return nil
}

// place files one segment's memory. Offsets of spans in lost and absent mean nothing.
func (f *File) place(s segment) {
	stored := clip(s.paddr, s.filesz)
	off, ok := offset(s.off)
	have := uint64(0)
	if ok && off < f.size {
		have = min(stored, uint64(f.size-off))
	}
	f.stored = append(f.stored, overlay.Span{Start: s.paddr, Size: have, Off: off})
	f.lost = append(f.lost, overlay.Span{Start: s.paddr + have, Size: stored - have})
	if s.memsz > s.filesz {
		f.absent = append(f.absent, overlay.Span{Start: s.paddr + stored, Size: clip(s.paddr+stored, s.memsz-s.filesz)})
	}
}

// maxPhys is the end of physical memory: 52 bits on x86_64 and arm64, some more elsewhere.
const maxPhys = 1 << 56

// clip cuts a range at the end of physical memory.
func clip(start, size uint64) uint64 {
	if start >= maxPhys {
		return 0
	}
	return min(size, maxPhys-start)
}

// physical drops the segments whose p_paddr is no address. It is all ones in
// /proc/kcore; and it is 0 for what the writer did not know, such as the kernel
// text segment of old kexec-tools: of several kernel addresses at physical 0
// only the lowest, the direct map's, is right.
func (f *File) physical(loads []segment) []segment {
	const kernelHalf = 0xffff800000000000
	unsure := func(s segment) bool { return s.paddr == 0 && f.hdr.wide && s.vaddr >= kernelHalf }
	lowest := ^uint64(0)
	for _, s := range loads {
		if unsure(s) {
			lowest = min(lowest, s.vaddr)
		}
	}
	return slices.DeleteFunc(loads, func(s segment) bool {
		return f.hdr.noPaddr(s.paddr) || s.paddr >= maxPhys || unsure(s) && s.vaddr != lowest
	})
}

func (f *File) emptyReason() string {
	if f.hdr.shnum > 0 {
		return "the ELF core has no memory segments; a Xen dump-core file is not supported"
	}
	return "the ELF core has no memory segments"
}

// userCore recognises the core of a user process by NT_AUXV and NT_FILE,
// which no kernel dump has, and segments without physical addresses.
func (f *File) userCore(loads []segment) bool {
	const ntAuxv, ntFile = 6, 0x46494c45
	for _, n := range f.notes {
		if n.Name == "CORE" && (n.Type == ntAuxv || n.Type == ntFile) {
			return !slices.ContainsFunc(loads, func(s segment) bool { return s.paddr != 0 })
		}
	}
	return false
}

// describe fills Info from the notes.
func (f *File) describe() {
	vmcoreinfo := false
	for _, n := range f.notes {
		switch n.Name {
		case "QEMU":
			f.info.Variant = "QEMU"
		case "VBCORE", "VBCPU":
			f.info.Variant = "VirtualBox"
		case "VMCOREINFO":
			vmcoreinfo = true
			f.info.CrashTime = crashTime(n.Desc)
		}
	}
	switch {
	case len(f.absent) > 0 && vmcoreinfo && f.hdr.shnum == 0: // QEMU leaves out nothing, or writes section headers
		f.info.Variant = "makedumpfile"
	case f.info.Variant == "" && vmcoreinfo:
		f.info.Variant = "/proc/vmcore"
	}
}

// crashTime reads CRASHTIME= (seconds since 1970) of a VMCOREINFO text.
func crashTime(text []byte) time.Time {
	for line := range bytes.Lines(text) {
		if v, ok := bytes.CutPrefix(line, []byte("CRASHTIME=")); ok {
			if sec, err := strconv.ParseInt(string(bytes.TrimSpace(v)), 10, 64); err == nil && sec > 0 {
				return time.Unix(sec, 0)
			}
		}
	}
	return time.Time{}
}

// Info says what the file is.
func (f *File) Info() format.Info { return f.info }

// Notes gives the notes in file order.
func (f *File) Notes() iter.Seq[format.Note] { return slices.Values(f.notes) }

// CPUs gives the registers that the notes record; see elfnote.CPUs.
func (f *File) CPUs() ([]arch.CPU, error) { return f.cpus, f.cpuErr }

// Close does nothing: the file belongs to the caller of Open.
func (f *File) Close() error { return nil }

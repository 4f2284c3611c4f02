// Package kdump reads the kdump-compressed format of makedumpfile and QEMU:
// header versions 1 to 6 in the layouts of 64- and 32-bit machines, pages
// packed with zlib, LZO, snappy or zstd, and split sets of files.
//
// Three answers are kept apart where no data is: a page that exists (first
// bitmap) but was filtered out is mem.ErrExcluded, one that does not exist is
// mem.ErrNotStored, and one that the file should hold but does not, because it
// ends early or its writer ran out of space, is mem.ErrTruncated.
package kdump

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/bits"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kinquest/inquest/arch"
	"github.com/kinquest/inquest/dump/elfnote"
	"github.com/kinquest/inquest/dump/format"
	"github.com/kinquest/inquest/mem"
)

// Part is one file of a dump.
type Part struct {
	Src  io.ReaderAt
	Size int64
	Name string // for messages
}

// File is an open kdump. It is safe for concurrent use.
type File struct {
	members   []*member // by start PFN
	shift     uint      // log2 of the page size
	notes     []format.Note
	cpus      []arch.CPU
	cpuErr    error
	eraseinfo []byte
	info      format.Info
	seen      atomic.Uint32 // codec flags of the pages read so far
	workers   sync.Pool     // *worker
}

// Open reads the headers of a dump of one file, or of all files of a split
// set in any order. The files stay in use until the last read and are the
// caller's to close. A file that ends early opens with Info().Truncated as
// long as its headers can be read. The error is a *format.FormatError, or
// ctx's.
func Open(ctx context.Context, parts ...Part) (*File, error) {
	f := &File{}
	for _, p := range parts {
		m, err := openMember(ctx, p.Src, p.Size, p.Name)
		if err != nil {
			return nil, err
		}
		f.members = append(f.members, m)
	}
	if len(f.members) == 0 {
		return nil, &format.FormatError{Format: "kdump", Msg: "no file given"}
	}
	if err := f.checkSet(); err != nil {
		return nil, err
	}
	f.shift = uint(bits.TrailingZeros32(f.members[0].hdr.blockSize))
	f.workers.New = func() any { return newWorker(1 << f.shift) }
	f.readNotes()
	f.describe()
	return f, nil
}

// checkSet sorts the members and says what a split set lacks.
func (f *File) checkSet() error {
	slices.SortFunc(f.members, func(a, b *member) int { return cmp.Compare(a.hdr.start, b.hdr.start) })
	first := f.members[0]
	next := uint64(0)
	for i, m := range f.members {
		switch {
		case !m.hdr.split && len(f.members) > 1:
			return m.errAt(int64(m.hdr.blockSize), fmt.Sprintf("this dump is not split, but %d files were given", len(f.members)), nil)
		case m.hdr.blockSize != first.hdr.blockSize || m.pfns != first.pfns:
			return m.errAt(0, fmt.Sprintf("this file is of another dump than %s: block size %d and %d, %d and %d pages",
				first.name, m.hdr.blockSize, first.hdr.blockSize, m.pfns, first.pfns), nil)
		case i > 0 && m.hdr.start < next:
			return m.errAt(int64(m.hdr.blockSize), fmt.Sprintf("PFNs from %#x on are also in %s: is it given twice?", m.hdr.start, f.members[i-1].name), nil)
		case m.hdr.start > next:
			f.missing(next, m.hdr.start)
		}
		next = m.hdr.end
	}
	if last := f.members[len(f.members)-1]; last.hdr.split && next < last.pfns && !last.cut {
		f.missing(next, last.pfns)
	}
	return nil
}

func (f *File) missing(from, to uint64) {
	f.info.Truncated = true
	f.info.Problems = append(f.info.Problems, fmt.Sprintf("the file of the split set with PFNs %#x to %#x is missing; give all its files", from, to))
}

// readNotes reads the ELF notes and VMCOREINFO of the first file that has them.
func (f *File) readNotes() {
	for _, m := range f.members {
		h := &m.hdr
		if b := m.area("notes", h.notes, maxNoteBytes); b != nil && f.notes == nil {
			notes, err := elfnote.Parse(b, h.order)
			if err != nil {
				m.problem("notes at offset %#x: %v", h.notes.off, err)
			}
			f.notes = notes
		}
		isInfo := func(n format.Note) bool { return n.Name == "VMCOREINFO" }
		if b := m.area("VMCOREINFO", h.vmcoreinfo, maxTextBytes); b != nil && !slices.ContainsFunc(f.notes, isInfo) {
			f.notes = append(f.notes, format.Note{Name: "VMCOREINFO", Desc: b})
		}
		if b := m.area("erase info", h.eraseinfo, maxTextBytes); b != nil && f.eraseinfo == nil {
			f.eraseinfo = b
		}
	}
}

// area reads a part of the file that the sub-header points to; nil when there is none.
func (m *member) area(what string, a area, limit uint64) []byte {
	if a.off == 0 || a.size == 0 {
		return nil
	}
	if a.off >= uint64(m.size) || a.size > uint64(m.size)-a.off {
		m.problem("the %s at offset %#x, %d bytes, pass the end of the file", what, a.off, a.size)
		if a.off >= uint64(m.size) {
			return nil
		}
		a.size = uint64(m.size) - a.off
	}
	if a.size > limit {
		m.problem("the %s are %d bytes; read only %d", what, a.size, limit)
		a.size = limit
	}
	b := make([]byte, a.size)
	if _, err := readAt(m.src, b, int64(a.off)); err != nil {
		m.problem("%s at offset %#x: %v", what, a.off, format.Cause(err))
		return nil
	}
	return b
}

// describe fills Info.
func (f *File) describe() {
	m := f.members[0]
	i := &f.info
	i.Format, i.Version, i.PageSize = "kdump", m.hdr.version, 1<<f.shift
	i.Utsname, i.Split, i.DumpLevel = m.hdr.uts, m.hdr.split, int(m.hdr.dumpLevel)
	i.Machine, _ = arch.ParseMachine(m.hdr.uts.Machine)
	if i.Machine == arch.None && len(m.hdr.uts.Machine) == 4 && m.hdr.uts.Machine[0] == 'i' { // i386 to i686
		i.Machine = arch.I386
	}
	i.Variant = "makedumpfile"
	if m.hdr.uts.Release == "" && slices.ContainsFunc(f.notes, func(n format.Note) bool { return n.Name == "QEMU" }) {
		i.Variant, i.DumpLevel = "QEMU", -1 // it writes 1, and filters nothing
	}
	if m.hdr.sec > 0 && m.hdr.sec < 1<<40 {
		i.CrashTime = time.Unix(int64(m.hdr.sec), 0)
	}
	for _, n := range f.notes {
		if n.Name == "VMCOREINFO" {
			if t := crashTime(n.Desc); !t.IsZero() {
				i.CrashTime = t
			}
		}
	}
	for _, m := range f.members {
		i.FileSize += m.size
		if m.name != "" {
			i.Files = append(i.Files, m.name)
		}
		i.Incomplete = i.Incomplete || m.hdr.status&flagIncomplete != 0
		f.checkEnd(m)
		i.Truncated = i.Truncated || m.cut
		i.Problems = append(i.Problems, m.problems...)
	}
	f.cpus, f.cpuErr = elfnote.CPUs(f.notes, i.Machine)
}

// checkEnd finds out whether a file was cut, from its last descriptor: data
// lies in the order of the pages.
func (f *File) checkEnd(m *member) {
	if m.cut || m.total == 0 {
		return
	}
	const look = 64 // the last ones may share the page of zeroes
	for i := m.total; i > 0 && i+look > m.total; i-- {
		d, err := m.descriptor(i - 1)
		if err == nil && m.isZero(d) {
			continue
		}
		if err == nil && d.off == 0 {
			m.problem("the last pages were never written")
			f.info.Incomplete = true
		} else if err != nil || errors.Is(m.check(d), mem.ErrTruncated) {
			m.cut = true
			m.problem("the file ends at %d bytes, before the data of its last pages", m.size)
		}
		return
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

// Info says what the dump is. Compression lists what the header declares and
// what the pages read so far used.
func (f *File) Info() format.Info {
	i := f.info
	flags := f.seen.Load()
	for _, m := range f.members {
		flags |= m.hdr.status
	}
	for _, c := range codecNames {
		if flags&c.flag != 0 {
			i.Compression = append(i.Compression, c.name)
		}
	}
	return i
}

// Notes gives the ELF notes, and VMCOREINFO as one of them when the file keeps
// it apart.
func (f *File) Notes() iter.Seq[format.Note] { return slices.Values(f.notes) }

// CPUs gives the registers that the notes record; see elfnote.CPUs.
func (f *File) CPUs() ([]arch.CPU, error) { return f.cpus, f.cpuErr }

// EraseInfo gives the list of symbols and members that makedumpfile --config
// overwrote, as its text; nil when there is none.
func (f *File) EraseInfo() []byte { return f.eraseinfo }

// ExcludedVmemmap says whether makedumpfile left out the struct pages of
// excluded memory (option -e).
func (f *File) ExcludedVmemmap() bool { return f.members[0].hdr.status&flagExcludedVmemmap != 0 }

// Close does nothing: the files belong to the caller of Open.
func (f *File) Close() error { return nil }

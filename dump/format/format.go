// Package format holds what every dump format shares: the Image that an opened
// dump is, its notes, what is known of the file, and the error of a file whose
// structure is wrong. Package dump gives these the same names; a format's
// package (dump/elfcore, dump/kdump, …) can be used alone with this one.
package format

import (
	"iter"
	"time"

	"github.com/kinquest/inquest/arch"
	"github.com/kinquest/inquest/mem"
)

// Image is an open dump: physical memory and notes. It is immutable and safe
// for concurrent use.
type Image interface {
	mem.Reader[mem.Phys]
	// Info says what the file is.
	Info() Info
	// Extents gives the stored ranges in ascending order, without the holes.
	// Excluded pages are not part of an extent.
	Extents() iter.Seq[mem.Extent]
	// Notes gives the ELF notes of the dump in file order.
	Notes() iter.Seq[Note]
	Close() error
}

// Note is one ELF note (gABI, "Note Section").
type Note struct {
	Name string // without the terminating NUL: "CORE", "QEMU", "VMCOREINFO"
	Type uint32
	Desc []byte // must not be modified
}

// Utsname is what a dump header says of the system (struct new_utsname).
type Utsname struct {
	Sysname, Nodename, Release, Version, Machine, Domainname string
}

// Info says what an open dump is and how complete.
type Info struct {
	Format      string       // "ELF core", "kdump", …, as people name it
	Variant     string       // who writes it so: "QEMU", "makedumpfile", "/proc/vmcore", or ""
	Version     int          // header version, for formats that have one
	Flattened   bool         // makedumpfile's stream form, read in place
	Compression []string     // page codecs seen so far or declared: "zlib", "lzo", "snappy", "zstd"
	Machine     arch.Machine // from the file's header; arch.None when it names none
	PageSize    int          // bytes
	Files       []string     // the files that make up the dump
	FileSize    int64        // of all files, bytes
	CrashTime   time.Time    // from VMCOREINFO's CRASHTIME or the header; zero when unknown
	DumpLevel   int          // makedumpfile's -d mask; -1 when unknown
	Split       bool         // one of several files of a set
	Incomplete  bool         // the writer says that it could not finish
	Truncated   bool         // the file ends before what its headers promise
	Problems    []string     // oddities found while opening, for people
	Utsname     Utsname      // from the header; empty in formats that have none, and in QEMU's
}

// CPUSource is implemented by images whose format records registers of CPUs.
type CPUSource interface {
	// CPUs gives the recorded CPUs in file order.
	CPUs() ([]arch.CPU, error)
}

// PageState is what a dump knows of one physical page.
type PageState uint8

// Page states. They are distinct answers: a page that was filtered out is not zero.
const (
	NotStored PageState = iota // no such memory, or the dump has a hole there
	Stored                     // the page's bytes are in the file
	Zero                       // the file says that the page was all zeroes
	Excluded                   // the writer left the page out on purpose
	Lost                       // the file is truncated or damaged at the page
)

var pageStateNames = [...]string{"not stored", "stored", "zero", "excluded", "lost"}

// String names the state for people: "not stored", "excluded", …
func (s PageState) String() string {
	if int(s) < len(pageStateNames) {
		return pageStateNames[s]
	}
	return "?"
}

// PageClassifier is implemented by images that can tell the state of a page
// without reading it.
type PageClassifier interface {
	PageState(addr mem.Phys) PageState
}

// Package dump opens memory dumps of crashed machines, whatever their format.
//
// Open probes files by content, never by name, and returns an Image: the
// physical memory that was stored, the notes beside it, and what is known of
// the file. The formats live in sub-packages, each usable alone; what they
// share is in dump/format and has the same names here.
package dump

import "github.com/kinquest/inquest/dump/format"

// Image is an open dump: physical memory and notes. It is immutable and safe
// for concurrent use.
type Image = format.Image

// Note is one ELF note (gABI, "Note Section").
type Note = format.Note

// Info says what an open dump is and how complete.
type Info = format.Info

// Utsname is what a dump header says of the system (struct new_utsname).
type Utsname = format.Utsname

// CPUSource is implemented by images whose format records registers of CPUs.
type CPUSource = format.CPUSource

// PageState is what a dump knows of one physical page.
type PageState = format.PageState

// Page states. They are distinct answers: a page that was filtered out is not zero.
const (
	NotStored = format.NotStored // no such memory, or the dump has a hole there
	Stored    = format.Stored    // the page's bytes are in the file
	Zero      = format.Zero      // the file says that the page was all zeroes
	Excluded  = format.Excluded  // the writer left the page out on purpose
	Lost      = format.Lost      // the file is truncated or damaged at the page
)

// PageClassifier is implemented by images that can tell the state of a page
// without reading it.
type PageClassifier = format.PageClassifier

// ErrUnknownFormat: the file is of no format that inquest knows.
var ErrUnknownFormat = format.ErrUnknownFormat

// FormatError is a dump file whose structure is wrong.
type FormatError = format.FormatError

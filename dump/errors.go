package dump

import (
	"errors"
	"fmt"
)

// ErrUnknownFormat: the file is of no format that inquest knows.
var ErrUnknownFormat = errors.New("not a memory dump of a known format")

// FormatError is a dump file whose structure is wrong.
type FormatError struct {
	Format string // "ELF core", "kdump", "flattened", …
	File   string // name of the file, "" when read from something unnamed
	Off    int64  // byte offset of what was wrong
	Msg    string
	Err    error // cause, may be nil
}

func (e *FormatError) Error() string {
	s := fmt.Sprintf("%s: offset %#x: %s", e.Format, e.Off, e.Msg)
	if e.File != "" {
		s = e.File + ": " + s
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *FormatError) Unwrap() error { return e.Err }

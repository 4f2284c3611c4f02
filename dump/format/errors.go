package format

import (
	"errors"
	"fmt"
	"io"

	"github.com/kinquest/inquest/mem"
)

// ErrUnknownFormat: the file is of no format that inquest knows.
var ErrUnknownFormat = errors.New("not a memory dump of a known format")

// FormatError is a dump file whose structure is wrong.
type FormatError struct {
	Format string // "ELF core", "kdump", "flattened", …; "" when the file is no dump
	File   string // name of the file, "" when read from something unnamed
	Off    int64  // byte offset of what was wrong
	Msg    string
	Err    error // cause, may be nil
}

func (e *FormatError) Error() string {
	s := e.Msg
	if e.Format != "" {
		s = fmt.Sprintf("%s: offset %#x: %s", e.Format, e.Off, s)
	}
	if e.File != "" {
		s = e.File + ": " + s
	}
	if e.Err != nil && e.Err != ErrUnknownFormat { // the message says that already
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *FormatError) Unwrap() error { return e.Err }

// Cause turns the error of a file read into the reason a mem.FaultError gives:
// mem.ErrTruncated at the file's end, else mem.ErrIO with the system's error.
func Cause(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, mem.ErrTruncated), errors.Is(err, mem.ErrIO), errors.Is(err, mem.ErrCorruptPage):
		return err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return mem.ErrTruncated
	}
	return fmt.Errorf("%w: %w", mem.ErrIO, err)
}

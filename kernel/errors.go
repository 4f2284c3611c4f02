package kernel

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNoKernel: the dump holds no Linux kernel that could be found.
var ErrNoKernel = errors.New("no Linux kernel found in the dump")

// UnsupportedError is something that cannot be answered of this kernel,
// because the kernel or the dump lacks what it takes.
type UnsupportedError struct {
	What    string   // "task list"
	Missing []string // symbols, types or members, the newest kernel's name first
	Hint    string   // what the user could supply, or ""
	Err     error    // why it is missing, or nil
}

func (e *UnsupportedError) Error() string {
	s := e.What + " is not available"
	if len(e.Missing) > 0 {
		s += ": this kernel has no " + strings.Join(e.Missing, " or ")
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

func (e *UnsupportedError) Unwrap() error { return e.Err }

// Unsupported makes the error of a feature whose symbols, types or members are
// all missing.
func Unsupported(what string, missing ...string) error {
	return &UnsupportedError{What: what, Missing: missing}
}

// wrap adds what was being done to err; nil stays nil.
func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

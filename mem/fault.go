package mem

import (
	"errors"
	"fmt"
)

// Why memory could not be read. Each is a distinct answer, never a zero.
var (
	// ErrUnmapped: the page tables map nothing at a virtual address.
	ErrUnmapped = errors.New("no page-table mapping")
	// ErrExcluded: the dump tool filtered the page out on purpose.
	ErrExcluded = errors.New("page excluded from the dump")
	// ErrNotStored: the dump has no such memory (a hole, or beyond the end of RAM).
	ErrNotStored = errors.New("memory not in the dump")
	// ErrTruncated: the dump file ends before the page that it promises.
	ErrTruncated = errors.New("dump file is truncated")
	// ErrIO: the operating system could not read the dump file.
	ErrIO = errors.New("input/output error")
	// ErrCorruptPage: the page is stored but its data cannot be decoded.
	ErrCorruptPage = errors.New("page data is damaged")
)

// FaultError is a read that could not be done: where, and why.
type FaultError struct {
	Space string // "phys", "virt" or "mach"
	Addr  uint64 // first address that could not be read
	Err   error  // one of the errors above, or one of them wrapped
}

func (e *FaultError) Error() string {
	return fmt.Sprintf("read %s %#x: %v", e.Space, e.Addr, e.Err)
}

func (e *FaultError) Unwrap() error { return e.Err }

// spaceName is the name FaultError uses for the address space of A.
func spaceName[A Address]() string {
	switch any(A(0)).(type) {
	case Phys:
		return "phys"
	case Virt:
		return "virt"
	case Mach:
		return "mach"
	}
	return "file"
}

// Fault makes the *FaultError of a reader for addr.
func Fault[A Address](addr A, err error) *FaultError {
	return &FaultError{Space: spaceName[A](), Addr: uint64(addr), Err: err}
}

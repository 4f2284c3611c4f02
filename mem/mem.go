// Package mem holds what every layer above it shares: typed addresses, the
// reader of one address space, and the faults such a reader reports.
package mem

import "fmt"

// Phys is a physical address of the dumped machine, in bytes. In a guest it is
// the guest-physical address (Xen PV: pseudo-physical).
type Phys uint64

// Virt is a virtual address of the dumped kernel or of one of its tasks, in bytes.
type Virt uint64

// Mach is a machine address of a Xen PV guest, in bytes: what its page tables hold.
type Mach uint64

// String gives the address as crash writes it: 16 hex digits, no prefix.
func (a Virt) String() string { return fmt.Sprintf("%016x", uint64(a)) }

// String gives the address in hex, without leading zeros or prefix.
func (a Phys) String() string { return fmt.Sprintf("%x", uint64(a)) }

// String gives the address in hex, without leading zeros or prefix.
func (a Mach) String() string { return fmt.Sprintf("%x", uint64(a)) }

// Address is any of the typed addresses.
type Address interface{ ~uint64 }

// Reader reads one address space. Implementations are safe for concurrent use.
type Reader[A Address] interface {
	// ReadMem fills p from addr on. n < len(p) if and only if err is a
	// *FaultError for address addr+n.
	ReadMem(p []byte, addr A) (n int, err error)
}

// Extent is a run of addresses that a dump stores, in bytes.
type Extent struct {
	Start Phys
	Size  uint64
}

// End is the first address behind the extent.
func (e Extent) End() Phys { return e.Start + Phys(e.Size) }

// PageSize is the page size of x86_64 and of the arm64 kernels that inquest
// reads, in bytes (4 KiB granule).
const PageSize = 4096

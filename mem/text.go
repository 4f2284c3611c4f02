package mem

import "fmt"

// MarshalText writes the address as "0x…", also in JSON, whose numbers many
// readers cut to 53 bits.
func (a Virt) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%#x", uint64(a)), nil }

// MarshalText writes the address as "0x…".
func (a Phys) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%#x", uint64(a)), nil }

// MarshalText writes the address as "0x…".
func (a Mach) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%#x", uint64(a)), nil }

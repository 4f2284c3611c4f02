// Package arch describes CPUs as data: machine numbers, registers, selectors,
// stack sizes. It knows nothing of dumps or kernels.
package arch

import "fmt"

// Machine is an ELF e_machine number (ELF gABI, table "e_machine").
type Machine uint16

// Machines that a dump may name. Only X86_64 is supported so far.
const (
	None      Machine = 0
	I386      Machine = 3
	PPC64     Machine = 21
	S390      Machine = 22
	ARM       Machine = 40
	X86_64    Machine = 62
	AArch64   Machine = 183
	RISCV     Machine = 243
	LoongArch Machine = 258
)

var machineNames = map[Machine]string{
	I386: "i386", PPC64: "ppc64", S390: "s390x", ARM: "arm", X86_64: "x86_64",
	AArch64: "aarch64", RISCV: "riscv64", LoongArch: "loongarch64",
}

// String is the name `uname -m` gives, or "machine N".
func (m Machine) String() string {
	if s, ok := machineNames[m]; ok {
		return s
	}
	return fmt.Sprintf("machine %d", uint16(m))
}

// ParseMachine is the inverse of String for the known machines ("x86_64").
func ParseMachine(s string) (Machine, bool) {
	for m, n := range machineNames {
		if n == s {
			return m, true
		}
	}
	return None, false
}

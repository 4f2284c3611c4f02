package task

import (
	"fmt"
	"strings"

	"github.com/kinquest/inquest/kernel"
	"github.com/kinquest/inquest/mem"
)

// maxSyscall bounds the numbers that are looked up: x86_64 has some 470, and
// x32's go up to 547 (arch/x86/entry/syscalls/syscall_64.tbl).
const maxSyscall = 1024

// syscallPrefixes are what the names of sys_call_table's entries begin with,
// the newest kernel's first: __x64_sys_ since v4.17, d5a00528b58c
// ("syscalls/core, syscalls/x86: Rename struct pt_regs-based sys_*()"). Some
// entries share a function (sys_ni_syscall), which does not name the call.
var syscallPrefixes = []string{"__x64_sys_", "__do_sys_", "__se_sys_", "SyS_", "sys_"}

// SyscallName gives the name of 64-bit system call nr, as the kernel's own
// table says: "read" for the entry __x64_sys_read.
func SyscallName(k *kernel.Kernel, nr uint64) (string, error) {
	if nr >= maxSyscall {
		return "", fmt.Errorf("system call %d: no such number", int64(nr))
	}
	at, err := k.Sym("sys_call_table")
	if err != nil {
		return "", err
	}
	fn, err := mem.U64(k.Mem, at+mem.Virt(nr*8))
	if err != nil {
		return "", fmt.Errorf("sys_call_table[%d]: %w", nr, err)
	}
	s, off, err := k.Symbols.At(mem.Virt(fn))
	if err != nil || off != 0 {
		return "", fmt.Errorf("sys_call_table[%d] holds %#x, no function's address", nr, fn)
	}
	for _, p := range syscallPrefixes {
		if name, ok := strings.CutPrefix(s.Name, p); ok {
			return name, nil
		}
	}
	return "", fmt.Errorf("sys_call_table[%d] is %s, no system call", nr, s.Name)
}

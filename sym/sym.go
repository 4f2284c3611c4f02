// Package sym holds a kernel's symbols: by name and by address, from whichever
// source (kallsyms in memory, a module's symbol table, a vmlinux).
package sym

import (
	"github.com/kinquest/inquest/mem"
)

// Symbol is one symbol of the kernel or of a module.
type Symbol struct {
	Name   string
	Addr   mem.Virt
	Size   uint64 // bytes up to the next symbol or the end of the region; 0 when unknown
	Type   byte   // as nm(1): 'T' 't' text, 'D' 'd' data, 'R' 'r', 'B' 'b', 'A' absolute (per-CPU offsets), …
	Module string // "" for the kernel itself
}

// Text says whether the symbol lies in a text section (nm types T, t, W, w).
func (s Symbol) Text() bool {
	switch s.Type {
	case 'T', 't', 'W', 'w':
		return true
	}
	return false
}

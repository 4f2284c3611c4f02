// Package fp follows the chain of frame pointers that kernels built with
// CONFIG_FRAME_POINTER keep in RBP.
package fp

import (
	"errors"
	"fmt"

	"github.com/kinquest/inquest/arch"
)

// Stack reads words and saved registers of the stacks a walk may be on; an
// address elsewhere is an error.
type Stack interface {
	// Word reads the 64-bit word at addr.
	Word(addr uint64) (uint64, error)
	// PtRegs reads the struct pt_regs at addr.
	PtRegs(addr uint64) (arch.Regs, error)
}

// ErrNoChain means that RBP is unknown or zero: the chain ends.
var ErrNoChain = errors.New("no frame pointer")

// Caller is where a Step found the caller.
type Caller struct {
	CFA  uint64 // the caller's stack pointer; of a register frame, the address of the registers
	Slot uint64 // address of the return address; 0 for a register frame
	Regs bool   // the caller was interrupted: its registers are a saved pt_regs
}

// regsMark in RBP tells a pointer to pt_regs from a frame. Entry code sets it
// since 4.11, 946c191161ce ("x86/entry/unwind: Create stack frames for saved
// interrupt registers").
const regsMark = 1

// Step turns the registers r of a frame into those of its caller, by the frame
// that RBP points to: the caller's RBP, then the return address. Other
// registers become unknown. On an error r is unchanged; it wraps ErrNoChain or
// the Stack's error.
func Step(r *arch.Regs, s Stack) (Caller, error) {
	bp, ok := r.Get(arch.RBP)
	if !ok || bp == 0 {
		return Caller{}, ErrNoChain
	}
	if bp&regsMark != 0 {
		at := bp &^ regsMark
		out, err := s.PtRegs(at)
		if err != nil {
			return Caller{}, fmt.Errorf("saved registers: %w", err)
		}
		*r = out
		return Caller{CFA: at, Regs: true}, nil
	}
	next, err := s.Word(bp)
	if err != nil {
		return Caller{}, fmt.Errorf("frame at RBP: %w", err)
	}
	pc, err := s.Word(bp + 8)
	if err != nil {
		return Caller{}, fmt.Errorf("return address: %w", err)
	}
	var out arch.Regs
	out.Set(arch.RIP, pc)
	out.Set(arch.RSP, bp+16)
	out.Set(arch.RBP, next)
	*r = out
	return Caller{CFA: bp + 16, Slot: bp + 8}, nil
}

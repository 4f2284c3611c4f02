package orc

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
	// IRetRegs reads the part of a pt_regs that the CPU pushes, at addr.
	IRetRegs(addr uint64) (arch.Regs, error)
}

// ErrMissingReg means that an entry is based on a register whose value is lost.
var ErrMissingReg = errors.New("base register is unknown")

// Caller is what a Step found beside the caller's registers.
type Caller struct {
	CFA    uint64 // the caller's stack pointer; of a register frame, the address of the registers
	Slot   uint64 // address of the return address; 0 for a register frame
	Regs   bool   // the caller was interrupted: its registers are a saved pt_regs
	Whole  bool   // … of which all registers were saved
	Signal bool   // the caller's PC is the interrupted instruction, not a return address
}

// Step turns the registers r of a frame whose PC the entry covers into those of
// its caller. Registers that the tables do not follow become unknown. On an
// error r is unchanged; it wraps ErrMissingReg, ErrFormat or the Stack's error.
//
// Source: unwind_next_frame of arch/x86/kernel/unwind_orc.c.
func (e Entry) Step(r *arch.Regs, s Stack) (Caller, error) {
	base, err := e.base(r, s)
	if err != nil {
		return Caller{}, err
	}
	c := Caller{CFA: base, Signal: e.Signal}
	var out arch.Regs
	switch e.Type {
	case TypeCall:
		c.Slot = base - 8
		pc, err := s.Word(c.Slot)
		if err != nil {
			return Caller{}, fmt.Errorf("return address: %w", err)
		}
		out.Set(arch.RIP, pc)
		out.Set(arch.RSP, base)
		keep(&out, r, arch.RBP)
	case TypeRegs:
		if out, err = s.PtRegs(base); err != nil {
			return Caller{}, fmt.Errorf("saved registers: %w", err)
		}
		c.Regs, c.Whole = true, true
	case TypeRegsPartial:
		part, err := s.IRetRegs(base)
		if err != nil {
			return Caller{}, fmt.Errorf("saved registers: %w", err)
		}
		// Entry code has not changed the others yet.
		out = part
		for reg := arch.RAX; reg < arch.NumRegs; reg++ {
			if reg != arch.RSP && reg != arch.RIP {
				keep(&out, r, reg)
			}
		}
		c.Regs = true
	default:
		return Caller{}, fmt.Errorf("%w: entry type %d", ErrFormat, e.Type)
	}
	if err := e.frame(r, &out, base, s); err != nil {
		return Caller{}, err
	}
	*r = out
	return c, nil
}

// keep copies what is known of one register.
func keep(dst, src *arch.Regs, reg arch.Reg) {
	if v, ok := src.Get(reg); ok {
		dst.Set(reg, v)
	}
}

var baseRegs = [RegInvalid]arch.Reg{
	RegSP: arch.RSP, RegBP: arch.RBP, RegAX: arch.RAX, RegDX: arch.RDX, RegDI: arch.RDI,
	RegR10: arch.R10, RegR13: arch.R13, RegSPIndirect: arch.RSP, RegBPIndirect: arch.RBP,
}

// base computes the address that SPReg and SPOffset describe.
func (e Entry) base(r *arch.Regs, s Stack) (uint64, error) {
	if e.SPReg == RegUndefined || e.SPReg == RegPrevSP || e.SPReg >= RegInvalid {
		return 0, fmt.Errorf("%w: stack pointer based on register %d", ErrFormat, e.SPReg)
	}
	v, ok := r.Get(baseRegs[e.SPReg])
	if !ok {
		return 0, fmt.Errorf("%w: %v", ErrMissingReg, baseRegs[e.SPReg])
	}
	off := uint64(int64(e.SPOffset))
	switch e.SPReg {
	case RegSP, RegBP:
		return v + off, nil
	case RegBPIndirect:
		return word(s, v+off)
	case RegSPIndirect:
		return e.spIndirect(v, off, s)
	}
	return v, nil // the register that keeps the stack pointer of a realigned frame
}

// spIndirect is (SP)+offset since 5.12 (87ccc826bf1c), and was (SP+offset)
// before, when offsets other than zero did not occur in distribution kernels:
// take the reading that leads to a stack.
func (e Entry) spIndirect(sp, off uint64, s Stack) (uint64, error) {
	v, err := word(s, sp)
	if err != nil {
		return 0, err
	}
	if off == 0 {
		return v, nil
	}
	if _, err := s.Word(v + off - 8); err == nil {
		return v + off, nil
	}
	return word(s, sp+off)
}

func word(s Stack, addr uint64) (uint64, error) {
	v, err := s.Word(addr)
	if err != nil {
		return 0, fmt.Errorf("saved stack pointer: %w", err)
	}
	return v, nil
}

// frame finds the caller's RBP.
func (e Entry) frame(r, out *arch.Regs, cfa uint64, s Stack) error {
	var at uint64
	switch e.BPReg {
	case RegUndefined:
		return nil // unchanged, or as saved
	case RegPrevSP:
		at = cfa + uint64(int64(e.BPOffset))
	case RegBP:
		bp, ok := r.Get(arch.RBP)
		if !ok {
			return fmt.Errorf("%w: RBP", ErrMissingReg)
		}
		at = bp + uint64(int64(e.BPOffset))
	default:
		return fmt.Errorf("%w: RBP based on register %d", ErrFormat, e.BPReg)
	}
	bp, err := s.Word(at)
	if err != nil {
		return fmt.Errorf("saved RBP: %w", err)
	}
	out.Set(arch.RBP, bp)
	return nil
}

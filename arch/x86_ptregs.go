package arch

import "encoding/binary"

// PtRegsSize is sizeof(struct pt_regs) of x86_64, in bytes
// (arch/x86/include/uapi/asm/ptrace-abi.h; the order is user ABI and has not
// changed since 2.6).
const PtRegsSize = 168

// IRetOffset is where the part of a pt_regs that the CPU pushes begins (ip, cs,
// flags, sp, ss), in bytes. An ORC "partial" frame holds only that part.
const IRetOffset = 128

// IRetSize is the size of that part, in bytes.
const IRetSize = 40

// ptRegsOrder lists the general registers in memory order; orig_ax follows R..DI.
var ptRegsOrder = [...]Reg{R15, R14, R13, R12, RBP, RBX, R11, R10, R9, R8, RAX, RCX, RDX, RSI, RDI}

// selectorMask keeps the selector of a saved cs or ss: Xen stores an event mask
// in the upper half of cs, and FRED (6.9, ee63291aa8287) keeps event data above
// both.
const selectorMask = 0xffff

// PtRegs decodes a struct pt_regs; b must have PtRegsSize bytes. Every register
// of the result is known.
func PtRegs(b []byte) Regs {
	var r Regs
	for i, reg := range ptRegsOrder {
		r.Set(reg, binary.LittleEndian.Uint64(b[8*i:]))
	}
	r.OrigRAX = binary.LittleEndian.Uint64(b[8*len(ptRegsOrder):])
	r.setIRet(b[IRetOffset:])
	return r
}

// IRetRegs decodes the part of a pt_regs that the CPU pushes: RIP, RSP, CS, SS
// and flags are known afterwards, the other registers and OrigRAX are not.
// b must have IRetSize bytes.
func IRetRegs(b []byte) Regs {
	var r Regs
	r.setIRet(b)
	return r
}

func (s *Regs) setIRet(b []byte) {
	s.Set(RIP, binary.LittleEndian.Uint64(b))
	s.CS = binary.LittleEndian.Uint64(b[8:]) & selectorMask
	s.Flags = binary.LittleEndian.Uint64(b[16:])
	s.Set(RSP, binary.LittleEndian.Uint64(b[24:]))
	s.SS = binary.LittleEndian.Uint64(b[32:]) & selectorMask
	s.Full = true
}

// Selectors of the kernel's GDT (arch/x86/include/asm/segment.h) and of a Xen
// PV guest (xen/include/public/arch-x86/xen-x86_64.h).
const (
	KernelCS = 0x10
	KernelSS = 0x18
	User32CS = 0x23
	UserSS   = 0x2b
	UserCS   = 0x33

	XenKernelCS = 0xe030
	XenUserSS   = 0xe02b
	XenUserCS   = 0xe033
)

// KnownCS says whether a kernel loads that selector into CS.
func KnownCS(sel uint16) bool {
	switch sel {
	case KernelCS, UserCS, User32CS, XenKernelCS, XenUserCS:
		return true
	}
	return false
}

// RFLAGS bits (Intel SDM volume 1, 3.4.3): bit 1 always reads as one, those of
// flagsReserved as zero.
const (
	flagsFixed    = 1 << 1
	flagsReserved = 1<<3 | 1<<5 | 1<<15 | ^uint64(1<<22-1)
)

// userTop is the first address that is not a user's, with 5-level page tables.
const userTop = 1 << 56

// Plausible says whether registers that were read from a stack can be a saved
// pt_regs: reserved flags as the CPU keeps them, selectors of one privilege
// level, and RIP and RSP on that level's side of the address space.
func (s *Regs) Plausible() bool {
	if !s.Full || s.Flags&flagsFixed == 0 || s.Flags&flagsReserved != 0 {
		return false
	}
	ip, sp := s.Val(RIP), s.Val(RSP)
	if s.CS&3 == 3 { // any selector: a process may have segments of its own
		return s.SS&3 == 3 && ip < userTop && sp < userTop
	}
	if s.CS != KernelCS && s.CS != XenKernelCS {
		return false
	}
	// SS is zero when the CPU switched to an IST stack in the kernel.
	return (s.SS == KernelSS || s.SS == 0 || s.SS == XenUserSS) && int64(sp) < 0 && sp%8 == 0
}

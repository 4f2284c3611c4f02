package unwind

import (
	"encoding/binary"

	"github.com/kinquest/inquest/arch"
	"github.com/kinquest/inquest/mem"
)

// calledFrom says whether the return address in w.regs is that of a call of the
// function in which callee lies, as far as its instruction tells.
func (w *walk) calledFrom(callee mem.Virt) bool {
	target, direct, ok := w.u.CallBefore(mem.Virt(w.regs.Val(arch.RIP)))
	if !ok || !direct {
		return ok
	}
	start, known := w.u.code.FuncStart(callee)
	return known && start == target
}

// maxFrameSize bounds what callSite looks through, in bytes: the build warns of
// frames above 2048 (CONFIG_FRAME_WARN).
const maxFrameSize = 4096

// callSite finds the caller of a function that has no unwind entry (as
// __crash_kexec, where a kdump's registers are): by the first word of the stack
// that follows a direct call of that very function. Among guessed frames it
// would prove nothing.
func (w *walk) callSite() bool {
	if !w.sound {
		return false
	}
	lookup := mem.Virt(w.regs.Val(arch.RIP))
	if !w.exact {
		lookup--
	}
	start, ok := w.u.code.FuncStart(lookup)
	if !ok || w.cur < 0 || w.u.code.Code(lookup) == Generated {
		return false
	}
	s := w.stacks[w.cur]
	from := (mem.Virt(w.regs.Val(arch.RSP)) + 7) &^ 7
	for at := from; at-from < maxFrameSize && s.contains(at, 8); at += 8 {
		v, err := w.win.word(at)
		if err != nil {
			continue
		}
		if target, direct, ok := w.u.CallBefore(mem.Virt(v)); !ok || !direct || target != start {
			continue
		}
		bp, known := w.regs.Get(arch.RBP)
		w.last().CFA = at + 8
		w.take(v, at, MethodCall)
		if known {
			w.regs.Set(arch.RBP, bp)
			w.assumed = true
		}
		return true
	}
	return false
}

// maxCallLen is the length of the longest call instruction without prefixes, in
// bytes.
const maxCallLen = 7

// afterCall says whether pc is code that follows a call instruction.
func (u *Unwinder) afterCall(pc mem.Virt) bool {
	_, _, ok := u.CallBefore(pc)
	return ok
}

// CallBefore finds the near call instruction that ends at pc, and what it calls
// when it is a direct one. ok is false when there is none, or its bytes are not
// in the dump.
func (u *Unwinder) CallBefore(pc mem.Virt) (target mem.Virt, direct, ok bool) {
	if u.code.Code(pc-1) == NotCode {
		return 0, false, false
	}
	var b [maxCallLen]byte
	if _, err := u.mem.ReadMem(b[:], pc-maxCallLen); err != nil {
		return 0, false, false
	}
	if b[2] == 0xe8 { // call rel32
		target = pc + mem.Virt(int64(int32(binary.LittleEndian.Uint32(b[3:]))))
		return target, true, u.code.Code(target) != NotCode
	}
	return 0, false, indirectCall(b[:])
}

// indirectCall says whether b ends with a near indirect call: opcode FF /2 with
// any addressing (Intel SDM volume 2, CALL; tables 2-2 and 2-3).
func indirectCall(b []byte) bool {
	for n := 2; n <= maxCallLen; n++ {
		c := b[len(b)-n:]
		if c[0] == 0xff && c[1]>>3&7 == 2 && callLen(c) == n {
			return true
		}
	}
	return false
}

// callLen is the length of the FF /2 instruction c, 0 when c is too short to
// tell.
func callLen(c []byte) int {
	mod, rm := c[1]>>6, c[1]&7
	n := 2
	if mod != 3 && rm == 4 { // SIB byte
		if len(c) < 3 {
			return 0
		}
		n++
		if mod == 0 && c[2]&7 == 5 {
			return n + 4
		}
	}
	switch {
	case mod == 1:
		n++
	case mod == 2, mod == 0 && rm == 5:
		n += 4
	}
	return n
}

package unwind

import (
	"github.com/kinquest/inquest/arch"
	"github.com/kinquest/inquest/mem"
)

// guess continues a lost walk at the next word of the stack that can be a
// return address. done means that there is none on any stack that follows.
func (w *walk) guess() (done bool) {
	w.sound = false
	sp := mem.Virt(w.regs.Val(arch.RSP))
	for range maxStacks {
		if w.cur < 0 {
			return true
		}
		s := w.stacks[w.cur]
		for at := (sp + 7) &^ 7; s.contains(at, 8); at += 8 {
			if w.takeRegs(&s, at) {
				return w.regs.User()
			}
			v, err := w.win.word(at)
			if err != nil || !w.u.afterCall(mem.Virt(v)) {
				continue
			}
			w.take(v, at)
			return false
		}
		next, ok := w.link(&s)
		if !ok || w.enter(next) != nil {
			return true
		}
		sp = next
	}
	return true
}

// take makes the return address v at address at the next frame.
func (w *walk) take(v uint64, at mem.Virt) {
	w.regs = arch.Regs{}
	w.regs.Set(arch.RIP, v)
	w.regs.Set(arch.RSP, uint64(at)+8)
	w.exact = false
	w.emit(found{slot: uint64(at), method: MethodGuess})
}

// ptRegsPadding is the room FRED keeps above a task's pt_regs
// (TOP_OF_KERNEL_STACK_PADDING, 6.9 and later), in bytes.
const ptRegsPadding = 16

// takeRegs makes saved registers at address at the next frame, when their
// place vouches for them: user's at the very end of a task's stack, those of
// the kernel right below the stack pointer they contain, or with one on another
// stack.
func (w *walk) takeRegs(s *Stack, at mem.Virt) bool {
	if !s.contains(at, arch.PtRegsSize) {
		return false
	}
	// The selectors decide most cases without reading the rest.
	cs, err := w.win.word(at + arch.IRetOffset + 8)
	if sel := uint16(cs); err != nil || sel != arch.KernelCS && sel != arch.UserCS && sel != arch.User32CS {
		return false
	}
	r, err := w.PtRegs(uint64(at))
	if err != nil || !r.Plausible() {
		return false
	}
	end := at + arch.PtRegsSize
	if r.User() {
		if s.Kind != arch.TaskStack || s.Hi-end > ptRegsPadding {
			return false
		}
	} else {
		if w.u.code.Code(mem.Virt(r.Val(arch.RIP))) == NotCode {
			return false
		}
		sp := mem.Virt(r.Val(arch.RSP))
		if s.contains(sp, 8) && sp-end > ptRegsPadding || w.enter(sp) != nil {
			return false
		}
	}
	w.regs, w.exact = r, true
	w.emit(found{regsAt: uint64(at), exact: true, method: MethodGuess})
	if r.User() {
		w.trace.End = EndUser
	}
	return true
}

// link gives the stack pointer that a stack was entered from, when it is kept
// at its end: an IRQ stack has it in its last word (arch/x86/include/asm/irq_stack.h).
func (w *walk) link(s *Stack) (mem.Virt, bool) {
	if s.Kind != arch.IRQStack {
		return 0, false
	}
	v, err := w.win.word(s.Hi - 8)
	return mem.Virt(v), err == nil
}

// Bounds of a call instruction before a return address, in bytes.
const maxCallLen = 7

// afterCall says whether pc is code that follows a call instruction.
func (u *Unwinder) afterCall(pc mem.Virt) bool {
	if u.code.Code(pc-1) == NotCode {
		return false
	}
	var b [maxCallLen]byte
	if _, err := u.mem.ReadMem(b[:], pc-maxCallLen); err != nil {
		return false
	}
	if b[2] == 0xe8 { // call rel32
		rel := int32(uint32(b[3]) | uint32(b[4])<<8 | uint32(b[5])<<16 | uint32(b[6])<<24)
		return u.code.Code(pc+mem.Virt(int64(rel))) != NotCode
	}
	return indirectCall(b[:])
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

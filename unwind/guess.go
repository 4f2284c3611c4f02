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
			w.take(v, at, MethodGuess)
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

// take makes the return address v at address at the next frame, of which no
// other register is known.
func (w *walk) take(v uint64, at mem.Virt, m Method) {
	w.regs = arch.Regs{}
	w.regs.Set(arch.RIP, v)
	w.regs.Set(arch.RSP, uint64(at)+8)
	w.exact, w.assumed = false, false
	w.emit(found{slot: uint64(at), method: m})
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
	if sel := uint16(cs); err != nil || !arch.KnownCS(sel) {
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
	w.regs, w.exact, w.assumed = r, true, false
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

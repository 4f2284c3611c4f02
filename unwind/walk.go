package unwind

import (
	"context"
	"errors"
	"fmt"

	"github.com/kinquest/inquest/arch"
	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/unwind/fp"
	"github.com/kinquest/inquest/unwind/orc"
)

// walk is the state of one walk: the registers of the frame last found.
type walk struct {
	u       *Unwinder
	win     window
	stacks  []Stack
	visited uint32 // bit i: stacks[i] was entered
	cur     int    // index of the stack RSP lies on, -1 when it lies on none
	regs    arch.Regs
	exact   bool // regs' PC is an instruction, not a return address
	sound   bool // nothing was guessed so far
	assumed bool // regs' RBP is that of a frame further in, which may have changed it
	trace   Trace
}

// found is what a step learned of the caller besides its registers.
type found struct {
	cfa    uint64
	slot   uint64 // 0 for saved registers
	regsAt uint64 // 0 for a call
	exact  bool
	method Method
}

var (
	errEnd         = errors.New("outermost frame")
	errUndefined   = errors.New("the kernel has no unwind information here")
	errNotCode     = errors.New("not the address of code")
	errDirection   = errors.New("stack pointer does not move outward")
	errTrampoline  = errors.New("the start of a function, put there to trace the return")
	errRevisit     = errors.New("stack was left before")
	errImplausible = errors.New("cannot be saved registers")
)

// maxStacks bounds the stacks of one walk: more than a CPU has kinds of stacks.
const maxStacks = 32

func (w *walk) reset(u *Unwinder, start *Start) {
	w.u = u
	w.win.reset(u.mem)
	w.stacks = start.Stacks[:min(len(start.Stacks), maxStacks)]
	w.visited, w.cur = 0, -1
	w.regs = start.Regs
	w.sound, w.assumed = !start.Guess, false
	w.trace = Trace{Frames: make([]Frame, 0, 24)}
}

// run does the walk.
func (w *walk) run(ctx context.Context, start *Start) {
	pc := mem.Virt(w.regs.Val(arch.RIP))
	w.exact = start.Slot == 0
	if s, ok := w.u.code.FuncStart(pc); ok && s == pc && !w.u.afterCall(pc) {
		w.exact = true // a new task returns to the first instruction of ret_from_fork
	}
	f := found{slot: uint64(start.Slot), regsAt: uint64(start.RegsAt), exact: w.exact, method: MethodStart}
	if start.Guess {
		f.method = MethodGuess
	}
	if w.regs.User() {
		w.emit(f)
		w.trace.End = EndUser
		return
	}
	if !w.regs.Known(arch.RSP) || !w.regs.Known(arch.RIP) {
		w.trace.Err = errors.New("no registers to start from")
		return
	}
	err := w.enter(mem.Virt(w.regs.Val(arch.RSP)))
	w.emit(f)
	if err != nil {
		w.lose(fmt.Errorf("RSP: %w", err))
		return
	}
	for len(w.trace.Frames) < maxFrames && ctx.Err() == nil {
		if w.next() {
			return
		}
	}
	w.trace.End = EndLimit
	if err := context.Cause(ctx); err != nil {
		w.trace.Err = fmt.Errorf("stopped after %d frames: %w", len(w.trace.Frames), err)
	} else if w.trace.Err == nil {
		w.trace.Err = fmt.Errorf("more than %d frames", maxFrames)
	}
}

// next finds one more frame; done means that the walk has ended.
func (w *walk) next() (done bool) {
	err := w.try(w.step)
	noEntry := errors.Is(err, orc.ErrNoEntry)
	switch {
	case err == nil:
		return w.ended()
	case errors.Is(err, errEnd):
		w.trace.End = EndTask
		return true
	case (noEntry || errors.Is(err, errUndefined)) && w.callSite():
		return false
	}
	w.lose(err)
	if noEntry && w.try(w.stepFP) == nil { // generated code keeps a frame pointer, as a rule
		return w.ended()
	}
	return w.guess()
}

// try takes one step and emits the frame it leads to. On an error nothing has
// changed.
func (w *walk) try(step func() (found, error)) error {
	old := w.regs
	f, err := step()
	if err == nil {
		err = w.accept(&f)
	}
	if err != nil {
		w.regs = old
		return err
	}
	w.last().CFA = mem.Virt(f.cfa)
	w.exact = f.exact
	w.emit(f)
	return nil
}

// ended says whether the last frame is user mode's.
func (w *walk) ended() bool {
	if w.regs.User() {
		w.trace.End = EndUser
		return true
	}
	return false
}

// lose notes the first reason why the walk is no longer sound.
func (w *walk) lose(err error) {
	w.sound = false
	if w.trace.Err == nil {
		f := w.last()
		w.trace.Err = fmt.Errorf("caller of %v (frame at %v): %w", f.PC, f.SP, err)
	}
}

func (w *walk) last() *Frame { return &w.trace.Frames[len(w.trace.Frames)-1] }

// emit appends the frame that w.regs are the registers of.
func (w *walk) emit(f found) {
	fr := Frame{
		PC: mem.Virt(w.regs.Val(arch.RIP)), SP: mem.Virt(f.slot), RegsAt: mem.Virt(f.regsAt),
		Method: f.method, Reliable: w.sound, Exact: f.exact,
	}
	if bp, ok := w.regs.Get(arch.RBP); ok {
		fr.FP = mem.Virt(bp)
	}
	if fr.SP == 0 {
		fr.SP = mem.Virt(w.regs.Val(arch.RSP))
	}
	if f.regsAt != 0 || f.method == MethodStart && f.slot == 0 {
		r := w.regs
		fr.Regs = &r
	}
	if w.cur >= 0 && !w.regs.User() {
		fr.Stack = w.stacks[w.cur].Kind
	}
	w.trace.Frames = append(w.trace.Frames, fr)
}

// step replaces w.regs by those of the caller.
func (w *walk) step() (found, error) {
	pc := mem.Virt(w.regs.Val(arch.RIP))
	kind := w.u.code.Code(pc)
	if kind == NotCode {
		if !w.exact {
			return found{}, fmt.Errorf("%v: %w", pc, errNotCode)
		}
		return w.stepNull()
	}
	if w.u.orc == nil {
		return w.stepFP()
	}
	lookup := pc
	if !w.exact {
		lookup--
	}
	e, err := w.u.orc.Find(lookup)
	if err != nil {
		return found{}, err
	}
	switch e.Type {
	case orc.TypeUndefined:
		return found{}, errUndefined
	case orc.TypeEnd:
		return found{}, errEnd
	}
	callee := lookup
	f, err := w.stepORC(e, MethodORC)
	if err == nil && w.assumed && (e.SPReg == orc.RegBP || e.SPReg == orc.RegBPIndirect) && !w.calledFrom(callee) {
		return found{}, fmt.Errorf("RBP is not known for sure: %w", orc.ErrMissingReg)
	}
	w.assumed = w.assumed && err == nil && f.regsAt == 0 && e.BPReg == orc.RegUndefined
	return f, err
}

func (w *walk) stepORC(e orc.Entry, m Method) (found, error) {
	c, err := e.Step(&w.regs, w)
	if err != nil {
		return found{}, err
	}
	f := found{cfa: c.CFA, slot: c.Slot, exact: c.Signal || c.Regs, method: m}
	if c.Regs {
		f.method, f.regsAt = MethodRegs, c.CFA
		if !c.Whole {
			f.regsAt -= arch.IRetOffset
		}
	}
	return f, nil
}

// stepNull finds the caller of a jump to no code: by the return address on top
// of the stack, which must be one.
func (w *walk) stepNull() (found, error) {
	f, err := w.stepORC(orc.NullCall, MethodNull)
	if err != nil {
		return found{}, err
	}
	if !w.u.afterCall(mem.Virt(w.regs.Val(arch.RIP))) {
		return found{}, fmt.Errorf("%#x on top of the stack: %w", w.regs.Val(arch.RIP), errNotCode)
	}
	return f, nil
}

// stepFP follows the frame pointer.
func (w *walk) stepFP() (found, error) {
	pc := mem.Virt(w.regs.Val(arch.RIP))
	kind := w.u.code.Code(pc)
	w.assumed = false
	if w.exact {
		if s, ok := w.u.code.FuncStart(pc); ok && s == pc {
			return w.stepORC(orc.NullCall, MethodFP) // no frame yet
		}
	} else if kind == EntryText {
		// Entry code calls C with RSP at the registers it saved.
		if f, ok := w.regsAt(w.regs.Val(arch.RSP)); ok {
			return f, nil
		}
	}
	c, err := fp.Step(&w.regs, w)
	if errors.Is(err, fp.ErrNoChain) && kind == EntryText {
		return found{}, errEnd
	}
	if err != nil {
		return found{}, err
	}
	f := found{cfa: c.CFA, slot: c.Slot, exact: c.Regs, method: MethodFP}
	if c.Regs {
		f.method, f.regsAt = MethodRegs, c.CFA
	}
	return f, nil
}

// regsAt takes the pt_regs at addr as the caller's registers, if they can be.
func (w *walk) regsAt(addr uint64) (found, bool) {
	r, err := w.PtRegs(addr)
	if err != nil || !r.Plausible() {
		return found{}, false
	}
	w.regs = r
	return found{cfa: addr, regsAt: addr, exact: true, method: MethodRegs}, true
}

// accept checks the registers that a step found: where they lead must be code
// or saved registers, and outward.
func (w *walk) accept(f *found) error {
	if f.regsAt != 0 && !w.regs.Plausible() {
		return fmt.Errorf("%#x: %w", f.regsAt, errImplausible)
	}
	if w.regs.User() {
		return nil
	}
	pc := mem.Virt(w.regs.Val(arch.RIP))
	if f.regsAt == 0 && w.u.code.Code(pc) == NotCode {
		return fmt.Errorf("return address %v in %#x: %w", pc, f.slot, errNotCode)
	}
	if f.regsAt == 0 && !w.u.afterCall(pc) {
		if s, ok := w.u.code.FuncStart(pc); ok && s == pc {
			return fmt.Errorf("return address %v in %#x: %w", pc, f.slot, errTrampoline)
		}
	}
	return w.enter(mem.Virt(w.regs.Val(arch.RSP)))
}

// enter makes the stack of sp the current one: further out on the same stack,
// or on one that the walk has not been on.
func (w *walk) enter(sp mem.Virt) error {
	i := w.find(sp)
	if i < 0 {
		return fmt.Errorf("%v: %w", sp, errOffStack)
	}
	if i == w.cur {
		if len(w.trace.Frames) > 0 && sp <= w.outermost() {
			return fmt.Errorf("%v: %w", sp, errDirection)
		}
		return nil
	}
	if w.visited&(1<<i) != 0 {
		return fmt.Errorf("%v: %v %w", sp, w.stacks[i].Kind, errRevisit)
	}
	w.visited |= 1 << i
	w.cur = i
	return nil
}

// find gives the index of the stack that sp lies on, -1 when there is none. An
// empty stack's pointer is its end; one that ran over is in the guard page.
func (w *walk) find(sp mem.Virt) int {
	if w.cur >= 0 && sp >= w.stacks[w.cur].Lo && sp <= w.stacks[w.cur].Hi {
		return w.cur
	}
	end, over := -1, -1
	for i := range w.stacks {
		s := &w.stacks[i]
		switch {
		case sp >= s.Lo && sp < s.Hi:
			return i
		case sp == s.Hi:
			end = i
		case s.Lo-sp <= mem.PageSize:
			over = i
		}
	}
	if end >= 0 {
		return end
	}
	return over
}

// outermost is the innermost address that the last frame's own slots reach to.
func (w *walk) outermost() mem.Virt {
	f := w.last()
	if f.Exact && f.SP > 0 {
		return f.SP - 1 // the caller may have the same RSP: saved registers of an empty frame
	}
	return f.SP
}

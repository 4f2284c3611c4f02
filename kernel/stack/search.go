package stack

import (
	"context"
	"encoding/binary"
	"iter"

	"github.com/kinquest/inquest/arch"
	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/unwind"
	"github.com/kinquest/inquest/unwind/orc"
)

// halts are the functions that a CPU does not return from while its memory is
// dumped, or stays in while it is idle.
var halts = []string{
	"panic", "vpanic", "__crash_kexec", "crash_kexec", "machine_kexec", "stop_this_cpu",
	"crash_nmi_callback", "nmi_panic_self_stop", "default_idle_call", "cpuidle_enter", "cpuidle_enter_state",
}

// maxSearch bounds the walks that a search begins.
const maxSearch = 64

// search guesses where a running task was whose registers are lost: above the
// innermost call of a function of halts from which a walk leads to the stack's
// end without a further guess. Without one there are no frames, since
// everything on the stack may be stale.
func (u *Unwinder) search(ctx context.Context, tr *Trace, stacks []unwind.Stack) {
	tr.Err = ErrNoRegisters
	tries := 0
	for slot, pc := range u.haltCalls(stacks) {
		if tries++; tries > maxSearch || ctx.Err() != nil {
			return
		}
		start := unwind.Start{Slot: slot, Stacks: stacks, Guess: true}
		start.Regs.Set(arch.RIP, uint64(pc))
		start.Regs.Set(arch.RSP, uint64(slot)+8)
		if target, _, ok := u.walker.CallBefore(pc); ok {
			u.savedBP(&start.Regs, target, slot)
		}
		if w := u.walker.Walk(ctx, start); w.Err == nil {
			w.Err = ErrNoRegisters
			tr.Trace, tr.Source = w, FromSearch
			return
		}
	}
}

// searchOrder is the order of the stacks by how far in they are.
var searchOrder = []arch.StackKind{arch.NMIStack, arch.IRQStack, arch.TaskStack}

// haltCalls gives the return addresses of calls of the functions of halts, with
// the slots they are in, innermost first.
func (u *Unwinder) haltCalls(stacks []unwind.Stack) iter.Seq2[mem.Virt, mem.Virt] {
	targets := map[mem.Virt]bool{}
	for _, name := range halts {
		if at, err := u.k.Sym(name); err == nil {
			targets[at] = true
		}
	}
	var sorted []unwind.Stack
	for _, kind := range searchOrder {
		for _, s := range stacks {
			if s.Kind == kind {
				sorted = append(sorted, s)
			}
		}
	}
	return func(yield func(slot, pc mem.Virt) bool) {
		for i := range sorted {
			for slot, v := range u.words(&sorted[i]) {
				target, direct, ok := u.walker.CallBefore(mem.Virt(v))
				if ok && direct && targets[target] && !yield(slot, mem.Virt(v)) {
					return
				}
			}
		}
	}
}

// prologue is how far into a function its first pushes are looked for, in bytes.
const prologue = 64

// savedBP gives r the RBP that a function saved whose return address is in slot.
func (u *Unwinder) savedBP(r *arch.Regs, function, slot mem.Virt) {
	if u.tables == nil {
		return
	}
	for off := range mem.Virt(prologue) {
		e, err := u.tables.Find(function + off)
		if err != nil || e.Type != orc.TypeCall || e.BPReg != orc.RegPrevSP {
			continue
		}
		if bp, err := mem.U64(u.k.Mem, slot+8+mem.Virt(int64(e.BPOffset))); err == nil {
			r.Set(arch.RBP, bp)
		}
		return
	}
}

// words gives the words of a stack with their addresses, innermost first, as
// far as it can be read.
func (u *Unwinder) words(s *unwind.Stack) iter.Seq2[mem.Virt, uint64] {
	return func(yield func(mem.Virt, uint64) bool) {
		var page [mem.PageSize]byte
		for at := s.Lo; at < s.Hi; at += mem.PageSize {
			n, _ := u.k.Mem.ReadMem(page[:min(mem.PageSize, uint64(s.Hi-at))], at)
			for i := 0; i+8 <= n; i += 8 {
				if !yield(at+mem.Virt(i), binary.LittleEndian.Uint64(page[i:])) {
					return
				}
			}
		}
	}
}

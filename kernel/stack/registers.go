package stack

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/kinquest/inquest/arch"
	"github.com/kinquest/inquest/dump/elfnote"
	"github.com/kinquest/inquest/kernel/sched"
	"github.com/kinquest/inquest/mem"
)

// loadRegisters finds out which of the dump's register sets is which CPU's.
func (u *Unwinder) loadRegisters(running []sched.Current) {
	notes, err := u.k.RegisterNotes()
	if err != nil {
		u.Problems = append(u.Problems, fmt.Errorf("registers of CPUs: %w", err))
	}
	u.regs = make(map[int]arch.CPU, len(notes))
	var left []arch.CPU
	for _, n := range notes {
		if cpu, ok := u.identify(&n, running); ok {
			if _, taken := u.regs[cpu]; !taken {
				u.regs[cpu] = n
				continue
			}
		}
		left = append(left, n)
	}
	present := u.k.PresentCPUs()
	for _, cpu := range present {
		if _, ok := u.regs[cpu]; !ok {
			if n, ok := u.crashNote(cpu); ok {
				u.regs[cpu] = n
			}
		}
	}
	// In user mode nothing may tell; the notes are in the order of the CPUs.
	for _, n := range left {
		if len(notes) != len(present) || n.Index < 0 || n.Index >= len(present) {
			continue
		}
		if cpu := present[n.Index]; !n.Regs.Known(arch.RIP) {
			continue
		} else if _, taken := u.regs[cpu]; !taken {
			u.regs[cpu] = n
		}
	}
}

// identify names the CPU of a register set by what only that CPU can have: the
// base of its per-CPU area in GS, a stack of its own or of its task in RSP, or
// its task's PID.
func (u *Unwinder) identify(n *arch.CPU, running []sched.Current) (int, bool) {
	if c := n.Control; c != nil {
		for _, cpu := range u.k.PresentCPUs() {
			off, ok := u.k.PerCPUOffset(cpu)
			if ok && off != 0 && (c.GSBase == uint64(off) || c.HasKernelGSBase && c.KernelGSBase == uint64(off)) {
				return cpu, true
			}
		}
	}
	if n.Regs.User() {
		return u.byPID(n, running)
	}
	sp := mem.Virt(n.Regs.Val(arch.RSP))
	for _, c := range running {
		for _, s := range u.perCPU[c.CPU] {
			if sp >= s.Lo && sp < s.Hi {
				return c.CPU, true
			}
		}
		if lo, err := u.f.Stack.ReadPtr(u.k.Mem, c.Task); err == nil && inStack(sp, lo, u.size) {
			return c.CPU, true
		}
	}
	return 0, false
}

// byPID: a kdump's notes have the PID of the task that was running
// (crash_save_cpu, kernel/kexec_core.c); QEMU's have a CPU number, and say more
// besides.
func (u *Unwinder) byPID(n *arch.CPU, running []sched.Current) (int, bool) {
	if n.Control != nil || n.PID == 0 {
		return 0, false
	}
	for _, c := range running {
		if pid, err := u.f.PID.Read(u.k.Mem, c.Task); err == nil && int32(pid) == n.PID {
			return c.CPU, true
		}
	}
	return 0, false
}

// noteSize is what a CPU's crash note takes: header, name, struct elf_prstatus.
const noteSize = 12 + 8 + 336

// crashNote reads the registers that a CPU saved for a kdump (crash_save_cpu,
// kernel/kexec_core.c, since v2.6.13); until then its note is empty.
func (u *Unwinder) crashNote(cpu int) (arch.CPU, bool) {
	p, err := u.k.SymU64("crash_notes")
	if err != nil {
		return arch.CPU{}, false
	}
	at, err := u.k.PerCPU(mem.Virt(p), cpu)
	if err != nil {
		return arch.CPU{}, false
	}
	var b [noteSize]byte
	if _, err := u.k.Mem.ReadMem(b[:], at); err != nil {
		return arch.CPU{}, false
	}
	notes, err := elfnote.Parse(b[:], binary.LittleEndian)
	if err != nil {
		return arch.CPU{}, false
	}
	cpus, err := elfnote.CPUs(notes, arch.X86_64)
	if err != nil || len(cpus) != 1 {
		return arch.CPU{}, false
	}
	cpus[0].Source = string(FromCrashNotes)
	return cpus[0], true
}

// running gives the task whose stack each CPU was on. The scheduler's word for
// it (rq.curr) runs ahead of current_task during a context switch, until the
// stack changes too.
func (u *Unwinder) running() ([]sched.Current, error) {
	all, err := sched.CurrentTasks(u.k)
	for i := range all {
		at, e := u.k.PerCPUSym(all[i].CPU, "current_task")
		if hot, hotErr := u.k.PerCPUSym(all[i].CPU, "pcpu_hot"); hotErr == nil && u.f.HotCurrent.OK() {
			at, e = hot+mem.Virt(u.f.HotCurrent.Off), nil
		}
		if e != nil || !slices.Contains(u.k.ActiveCPUs(), all[i].CPU) {
			continue // it never came up: current_task is still init_task
		}
		if t, e := mem.U64(u.k.Mem, at); e == nil && t != 0 {
			all[i].Task = mem.Virt(t)
		}
	}
	return all, err
}

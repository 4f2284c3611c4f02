// Package stack walks the kernel stacks of tasks: it knows where a task's and a
// CPU's stacks lie, which registers a walk starts from, and which code and
// unwind tables the kernel and its modules have. The walk itself is package
// unwind's.
package stack

import (
	"context"
	"errors"
	"fmt"

	"github.com/kinquest/inquest/arch"
	"github.com/kinquest/inquest/internal/parallel"
	"github.com/kinquest/inquest/kernel"
	"github.com/kinquest/inquest/kernel/task"
	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/unwind"
	"github.com/kinquest/inquest/unwind/orc"
)

// ErrNoRegisters: the task was on a CPU of which the dump has no registers. Its
// frames, if any, are a guess.
var ErrNoRegisters = errors.New("the task was running, and the dump has no registers of its CPU")

// ErrNoStack: the task has given up its stack (it is dead) or its stack pointer
// lies elsewhere.
var ErrNoStack = errors.New("no kernel stack")

// Source says where the registers came from that a walk began with.
type Source string

// Where registers come from. Other sources are those of arch.CPU
// ("NT_PRSTATUS", "QEMU", …).
const (
	// FromTask: the task saved them when it gave up the CPU.
	FromTask Source = "inactive_task_frame"
	// FromCrashNotes: the CPU saved them for a kdump (C crash_notes), and the
	// dump's own notes lack them.
	FromCrashNotes Source = "crash_notes"
	// FromSearch: there were none; the walk began at a return address on the
	// stack that the CPU may have been below of.
	FromSearch Source = "search"
)

// Trace is the walked stack of one task.
type Trace struct {
	unwind.Trace
	Task mem.Virt // task_struct
	// Running: the task was on a CPU. Of a task that was not, the first frame is
	// where it gave up the CPU.
	Running bool
	CPU     int    // where it ran, or ran last
	Source  Source // of the registers the walk began with; "" when there were none
}

// UserMode says whether the task was executing user code, so that it has no
// kernel stack: the only frame is that code.
func (t *Trace) UserMode() bool { return len(t.Frames) == 1 && t.Frames[0].User() }

// Unwinder walks the stacks of one kernel's tasks. It is safe for concurrent use.
type Unwinder struct {
	// Problems are what could not be found and makes traces worse: tables,
	// stacks of CPUs, registers.
	Problems []error

	k       *kernel.Kernel
	walker  *unwind.Unwinder
	code    *code
	f       fields
	size    uint64           // of a task's stack (C THREAD_SIZE), bytes
	cpuOf   map[mem.Virt]int // running tasks
	regs    map[int]arch.CPU // by CPU number
	perCPU  map[int][]unwind.Stack
	tables  *orc.Set // nil without ORC
	evident string
}

// New finds what walking a kernel's stacks takes. What is missing becomes a
// problem, not an error, unless no stack at all could be walked.
func New(k *kernel.Kernel) (*Unwinder, error) {
	u := &Unwinder{k: k, cpuOf: map[mem.Virt]int{}, perCPU: map[int][]unwind.Stack{}}
	if err := k.Bind(&u.f); err != nil {
		return nil, fmt.Errorf("kernel stacks: %w", err)
	}
	var err error
	if u.code, err = newCode(k); err != nil {
		return nil, fmt.Errorf("kernel stacks: %w", err)
	}
	if u.size, u.evident, err = threadSize(k, &u.f); err != nil {
		return nil, err
	}
	tables, problems := loadORC(k, &u.f, u.code)
	u.Problems = append(u.Problems, problems...)
	u.walker = unwind.New(k.Mem, nil, u.code)
	if tables != nil {
		u.tables, u.walker = tables, unwind.New(k.Mem, tables, u.code)
	}
	running, err := u.running()
	if err != nil {
		u.Problems = append(u.Problems, err)
	}
	for _, c := range running {
		u.cpuOf[c.Task] = c.CPU
	}
	for _, cpu := range k.PresentCPUs() {
		u.perCPU[cpu] = u.cpuStacks(cpu)
	}
	u.loadRegisters(running)
	return u, nil
}

// Size is the size of a task's kernel stack in bytes (C THREAD_SIZE), and what
// it was read from.
func (u *Unwinder) Size() (bytes uint64, from string) { return u.size, u.evident }

// ORC says whether the kernel has unwind tables; without, frame pointers are
// followed.
func (u *Unwinder) ORC() bool { return u.tables != nil }

// Registers gives what the dump recorded of a CPU, by its kernel number.
func (u *Unwinder) Registers(cpu int) (arch.CPU, bool) {
	c, ok := u.regs[cpu]
	return c, ok
}

// Stacks gives the stacks that a task's walk may go through: its own, and those
// of the CPU it was on.
func (u *Unwinder) Stacks(t *task.Task) []unwind.Stack {
	own := unwind.Stack{Kind: arch.TaskStack, Lo: t.Stack, Hi: t.Stack + mem.Virt(u.size)}
	if cpu, ok := u.cpuOf[t.Addr]; ok {
		return append([]unwind.Stack{own}, u.perCPU[cpu]...)
	}
	return []unwind.Stack{own}
}

// Task walks the stack of one task. Trouble is in Trace.Err.
func (u *Unwinder) Task(ctx context.Context, t *task.Task) Trace {
	tr := Trace{Task: t.Addr, CPU: t.CPU}
	start := unwind.Start{Stacks: u.Stacks(t)}
	if cpu, ok := u.cpuOf[t.Addr]; ok {
		tr.Running, tr.CPU = true, cpu
		regs, ok := u.regs[cpu]
		if !ok {
			u.search(ctx, &tr, start.Stacks)
			return tr
		}
		tr.Source, start.Regs = Source(regs.Source), regs.Regs
	} else {
		tr.Source = FromTask
		if err := u.sleeper(t, &start); err != nil {
			tr.Source, tr.Err = "", err
			return tr
		}
	}
	tr.Trace = u.walker.Walk(ctx, start)
	return tr
}

// Walk walks from registers of the caller's choice on the stacks of a task.
func (u *Unwinder) Walk(ctx context.Context, t *task.Task, regs arch.Regs) Trace {
	tr := Trace{Task: t.Addr, CPU: t.CPU}
	tr.Trace = u.walker.Walk(ctx, unwind.Start{Regs: regs, Stacks: u.Stacks(t)})
	return tr
}

// sleeper reads the registers that a task saved on its stack when it gave up
// the CPU.
func (u *Unwinder) sleeper(t *task.Task, start *unwind.Start) error {
	frame := u.f.frame()
	if t.Stack == 0 || t.SP < t.Stack || uint64(t.SP-t.Stack)+frame.size > u.size {
		return fmt.Errorf("%w: stack at %v, stack pointer %v", ErrNoStack, t.Stack, t.SP)
	}
	b := make([]byte, frame.size)
	if _, err := u.k.Mem.ReadMem(b, t.SP); err != nil {
		return fmt.Errorf("saved registers of the task: %w", err)
	}
	frame.decode(&start.Regs, b)
	start.Regs.Set(arch.RSP, uint64(t.SP)+frame.size)
	start.Slot = t.SP + mem.Virt(frame.retAddr)
	return nil
}

// All walks the stacks of tasks on all CPUs of this machine; the traces are in
// the order of the tasks. When ctx ends, the remaining traces say so.
func (u *Unwinder) All(ctx context.Context, tasks []task.Task) []Trace {
	out := make([]Trace, len(tasks))
	parallel.Each(len(tasks), func(i int) { out[i] = u.Task(ctx, &tasks[i]) })
	return out
}

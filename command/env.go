package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/kinquest/inquest/ctype/layout"
	"github.com/kinquest/inquest/internal/parallel"
	"github.com/kinquest/inquest/kernel"
	"github.com/kinquest/inquest/kernel/crash"
	"github.com/kinquest/inquest/kernel/printk"
	"github.com/kinquest/inquest/kernel/sched"
	"github.com/kinquest/inquest/kernel/stack"
	"github.com/kinquest/inquest/kernel/task"
	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/mem/xlat"
)

// Env is what a command works on and with. It belongs to one session and is
// not safe for concurrent use; the kernel itself is. What several commands
// need is read once and kept.
type Env struct {
	Kernel *kernel.Kernel // nil only for commands that need no dump
	Radix  int            // 10 or 16: how integers are shown; 0 counts as 10

	current mem.Virt // task_struct that `set` chose; 0 for the default
	tasks   once[*task.Table]
	log     once[*printk.Log]
	running once[[]sched.Current]
	stacks  once[*stack.Unwinder]
	story   *crash.Story
}

// once keeps the first outcome of a function, unless it was interrupted.
type once[T any] struct {
	done bool
	v    T
	err  error
}

func (o *once[T]) get(f func() (T, error)) (T, error) {
	if !o.done {
		o.v, o.err = f()
		o.done = !errors.Is(o.err, context.Canceled) && !errors.Is(o.err, context.DeadlineExceeded)
	}
	return o.v, o.err
}

// Hex says whether integers are shown in hexadecimal.
func (e *Env) Hex() bool { return e.Radix == 16 }

// Prepare reads at the same time what a survey of the whole kernel needs one
// by one: tasks, log and unwind tables. What fails is said by whoever asks for it.
func (e *Env) Prepare(ctx context.Context) {
	parts := []func(){
		func() { _, _ = e.Tasks(ctx) },
		func() { _, _ = e.Log(ctx) },
		func() { _, _ = e.Stacks() },
	}
	parallel.Each(len(parts), func(i int) { parts[i]() })
}

// Tasks gives the task table.
func (e *Env) Tasks(ctx context.Context) (*task.Table, error) {
	return e.tasks.get(func() (*task.Table, error) { return task.Load(ctx, e.Kernel) })
}

// Log gives the kernel's log.
func (e *Env) Log(ctx context.Context) (*printk.Log, error) {
	return e.log.get(func() (*printk.Log, error) { return printk.Load(ctx, e.Kernel) })
}

// Story tells how the kernel ended. A log that cannot be read leaves it
// without its message.
func (e *Env) Story(ctx context.Context) *crash.Story {
	if e.story == nil {
		log, err := e.Log(ctx)
		if err != nil {
			log = nil
		}
		e.story = crash.Find(e.Kernel, log)
	}
	return e.story
}

// Running gives what each CPU was running. CPUs that cannot be read are
// missing, and named by the error beside the rest.
func (e *Env) Running() ([]sched.Current, error) {
	return e.running.get(func() ([]sched.Current, error) { return sched.CurrentTasks(e.Kernel) })
}

// OnCPU gives the CPU that a task was running on.
func (e *Env) OnCPU(addr mem.Virt) (cpu int, ok bool) {
	running, _ := e.Running()
	for _, c := range running {
		if c.Task == addr {
			return c.CPU, true
		}
	}
	return 0, false
}

// Current gives the task that commands without a task argument are about: the
// one chosen with SetCurrent, else the panicking task, else the task of the
// first CPU.
func (e *Env) Current(ctx context.Context) (*task.Task, error) {
	tab, err := e.Tasks(ctx)
	if err != nil {
		return nil, err
	}
	at := e.current
	if at == 0 {
		at = e.Story(ctx).Task
	}
	if running, err := e.Running(); at == 0 && len(running) > 0 {
		at = running[0].Task
	} else if at == 0 {
		return nil, fmt.Errorf("current task: %w", errors.Join(errors.New("no CPU's task is known"), err))
	}
	return TaskAt(tab, at)
}

// SetCurrent chooses the current task.
func (e *Env) SetCurrent(addr mem.Virt) { e.current = addr }

// TaskAt gives the task whose task_struct is at addr, listed or not.
func TaskAt(tab *task.Table, addr mem.Virt) (*task.Task, error) {
	if t, ok := tab.At(addr); ok {
		return t, nil
	}
	t, err := tab.Read(addr)
	if err != nil {
		return nil, err
	}
	return &t, nil
}

// Stacks gives the unwinder of the tasks' stacks.
func (e *Env) Stacks() (*stack.Unwinder, error) {
	return e.stacks.get(func() (*stack.Unwinder, error) { return stack.New(e.Kernel) })
}

// Symbol gives the address of a kernel or module symbol, for Expr.Eval.
func (e *Env) Symbol(name string) (uint64, error) {
	a, err := e.Kernel.Symbols.Addr(name)
	return uint64(a), err
}

// Mark is what crash writes behind the state of a task that was running:
// PANIC or ACTIVE; "" for the others.
func Mark(ctx context.Context, env *Env, t *task.Task) string {
	story := env.Story(ctx)
	switch _, on := env.OnCPU(t.Addr); {
	case story.Panicked && story.Task == t.Addr:
		return "PANIC"
	case on:
		return "ACTIVE"
	}
	return ""
}

type threadFields struct {
	// In task_struct since v4.9, c65eacbe290b, with CONFIG_THREAD_INFO_IN_TASK.
	ThreadInfo layout.Field `k:"task_struct.thread_info,optional"`
}

// ThreadInfo gives the address of a task's struct thread_info: in its
// task_struct, else at the base of its stack.
func (e *Env) ThreadInfo(t *task.Task) mem.Virt {
	var f threadFields
	if err := e.Kernel.Bind(&f); err == nil && f.ThreadInfo.OK() {
		return t.Addr + mem.Virt(f.ThreadInfo.Off)
	}
	return t.Stack
}

type mmFields struct {
	PGD layout.Field `k:"mm_struct.pgd"`
}

// UserSpace gives the address space of a task, its user half included.
func (e *Env) UserSpace(t *task.Task) (*xlat.Space, error) {
	if t.MM == 0 {
		return nil, fmt.Errorf("task %d (%q) has no user memory", t.PID, t.Comm)
	}
	var f mmFields
	if err := e.Kernel.Bind(&f); err != nil {
		return nil, fmt.Errorf("user memory: %w", err)
	}
	pgd, err := f.PGD.ReadPtr(e.Kernel.Mem, t.MM)
	if err != nil {
		return nil, fmt.Errorf("user memory of task %d: %w", t.PID, err)
	}
	return e.Kernel.SpaceOf(pgd)
}

// SymbolAt names what lies at an address, "init_task+192"; "" outside of all
// symbols.
func (e *Env) SymbolAt(addr mem.Virt) string {
	s, off, err := e.Kernel.Symbols.At(addr)
	switch {
	case err != nil:
		return ""
	case off == 0:
		return s.Name
	}
	return fmt.Sprintf("%s+%d", s.Name, off)
}

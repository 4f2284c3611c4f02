// Package report holds the command report: the one screen that
// `inquest VMCORE` shows.
package report

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kinquest/inquest/arch"
	"github.com/kinquest/inquest/command"
	"github.com/kinquest/inquest/command/system"
	"github.com/kinquest/inquest/command/tasks"
	"github.com/kinquest/inquest/kernel/crash"
	"github.com/kinquest/inquest/kernel/printk"
	"github.com/kinquest/inquest/kernel/stack"
	"github.com/kinquest/inquest/kernel/taint"
	"github.com/kinquest/inquest/kernel/task"
	"github.com/kinquest/inquest/render"
)

// Commands gives the commands of this theme.
func Commands() []command.Command { return []command.Command{reportCommand{}} }

type reportCommand struct{}

func (reportCommand) Info() command.Info {
	return command.Info{
		Name: "report", Theme: "system", Short: "the dump, its kernel and how it ended, on one screen", Args: "",
	}
}

func (reportCommand) Parse(args []string) (command.Job, error) {
	if len(args) > 0 {
		return nil, command.Usagef("report", "takes no arguments")
	}
	return run, nil
}

// Result is the report.
type Result struct {
	command.Partial
	System  *system.SysResult            `json:"system"`
	BuildID string                       `json:"build_id,omitempty"`
	Taint   command.Opt[string]          `json:"taint_letters"`
	End     *crash.Story                 `json:"end"`
	Task    command.Opt[Task]            `json:"task"`  // the one that panicked, else the current one
	Stack   command.Opt[tasks.Backtrace] `json:"stack"` // of Task
	Running []tasks.Head                 `json:"running,omitempty"`
	Log     []Line                       `json:"log"` // its last lines
}

// Task is the task that the report is about.
type Task struct {
	system.CurrentTask
	Kernel  bool     `json:"kernel_thread"`
	Syscall *Syscall `json:"syscall,omitempty"` // the system call that it was in
}

// Syscall is a system call as user mode made it.
type Syscall struct {
	Number uint64        `json:"number"`
	Name   string        `json:"name,omitempty"`
	Args   [6]render.Hex `json:"args"` // registers; how many count depends on the call
}

// Line is a line of the log.
type Line struct {
	Time  time.Duration `json:"time_ns"`
	Level uint8         `json:"level"`
	Text  string        `json:"text"`
}

// logLines is how many lines of the log's end a screen has room for.
const logLines = 10

func run(ctx context.Context, env *command.Env) (command.Result, error) {
	k := env.Kernel
	env.Prepare(ctx)
	sys, err := system.Facts(ctx, env)
	if err != nil {
		return nil, err
	}
	res := &Result{System: sys, End: env.Story(ctx), Log: []Line{}}
	for _, p := range sys.Problems() {
		res.Lacks(p.What, errors.New(p.Why))
	}
	if k.VMCoreInfo != nil {
		res.BuildID = k.VMCoreInfo.BuildID
	}
	if mask := sys.Taint; mask.OK() {
		res.Taint = command.Got(taint.Letters(k, mask.V))
		res.Lacks("taint", res.Taint.Err)
	}
	res.about(ctx, env)
	if !res.End.Panicked {
		res.running(ctx, env)
	}
	if log, err := env.Log(ctx); err == nil {
		res.tail(log.Records)
		for _, p := range log.Problems {
			res.Lacks("log", p)
		}
	}
	return res, ctx.Err()
}

// about fills in the task and its stack.
func (r *Result) about(ctx context.Context, env *command.Env) {
	t, err := env.Current(ctx)
	if err != nil {
		r.Task.Err, r.Stack.Err = err, err
		r.Lacks("task", err)
		return
	}
	about := Task{CurrentTask: r.System.Current.V, Kernel: t.Kernel()}
	u, err := env.Stacks()
	if err != nil {
		r.Stack.Err = err
		r.Lacks("stack", err)
	} else {
		tr := u.Task(ctx, t)
		bt := tasks.NewBacktrace(env, t, &tr)
		about.Syscall = syscallOf(env, &tr, &bt)
		r.Lacks("stack", tr.Err)
		r.Stack = command.Some(bt)
	}
	r.Task = command.Some(about)
}

// syscallEntries begin the names of the functions that take system calls from
// 64-bit user mode (arch/x86/entry/entry_64.S); their orig_ax is the call's
// number, while that of an exception is an error code.
const syscallEntries = "entry_SYSCALL_64"

// syscallOf gives the system call that a stack began with; nil if it was none.
func syscallOf(env *command.Env, tr *stack.Trace, bt *tasks.Backtrace) *Syscall {
	n := len(tr.Frames)
	if n < 2 || !tr.Frames[n-1].User() || !strings.HasPrefix(bt.Frames[n-2].Function, syscallEntries) {
		return nil
	}
	regs := tr.Frames[n-1].Regs
	s := &Syscall{Number: regs.OrigRAX}
	for i, reg := range []arch.Reg{arch.RDI, arch.RSI, arch.RDX, arch.R10, arch.R8, arch.R9} {
		s.Args[i] = render.Hex(regs.Val(reg))
	}
	if name, err := task.SyscallName(env.Kernel, s.Number); err == nil {
		s.Name = name
	}
	return s
}

// running lists what the CPUs did when nothing panicked.
func (r *Result) running(ctx context.Context, env *command.Env) {
	cur, err := env.Running()
	r.Lacks("active tasks", err)
	tab, err := env.Tasks(ctx)
	if err != nil {
		return // noted with the system's facts
	}
	for _, c := range cur {
		t, err := command.TaskAt(tab, c.Task)
		if err != nil {
			r.Lacks(fmt.Sprintf("task on CPU %d", c.CPU), err)
			continue
		}
		r.Running = append(r.Running, tasks.Head{PID: t.PID, Task: render.Hex(t.Addr), CPU: c.CPU, Comm: t.Comm})
	}
}

// tail takes the log's last lines, without the traces and registers among
// them: those fill the end of every panic's log, and the stack tells them.
func (r *Result) tail(records []printk.Record) {
	inTrace := false
	for i := len(records) - 1; i >= 0 && len(r.Log) < logLines; i-- {
		rec := &records[i]
		lines := rec.Lines()
		for j := len(lines) - 1; j >= 0 && len(r.Log) < logLines; j-- {
			text := strings.TrimSpace(lines[j])
			switch {
			case strings.HasSuffix(text, "</TASK>"):
				inTrace = true
			case strings.HasPrefix(text, "Call Trace:"):
				inTrace = false
			case inTrace || text == "" || isDetail(lines[j]):
			default:
				r.Log = append(r.Log, Line{rec.Time, rec.Level, lines[j]})
			}
		}
		if inTrace && strings.HasPrefix(rec.Text, "CPU: ") {
			inTrace = false // the trace's beginning was lost
		}
	}
	slices.Reverse(r.Log)
}

// details begin the lines of a trace's surroundings (show_regs and dump_stack,
// arch/x86/kernel/process_64.c and lib/dump_stack.c).
var details = []string{
	"RIP: ", "Code: ", "RSP: ", "RAX: ", "RDX: ", "RBP: ", "R10: ", "R13: ", "FS: ", "CS: ", "CR2: ", "DR0: ", "DR3: ", "PKRU: ",
	"CPU: ", "Hardware name: ", "Modules linked in:", "Kernel Offset: ", "Tainted: ", "---[ end trace ",
}

func isDetail(line string) bool {
	return strings.HasPrefix(line, " ") || slices.ContainsFunc(details, func(d string) bool { return strings.HasPrefix(line, d) })
}

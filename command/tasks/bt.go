package tasks

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/kinquest/inquest/arch"
	"github.com/kinquest/inquest/command"
	"github.com/kinquest/inquest/kernel/stack"
	"github.com/kinquest/inquest/kernel/task"
	"github.com/kinquest/inquest/mem"
)

type btCommand struct{}

func (btCommand) Info() command.Info {
	return command.Info{
		Name: "bt", Theme: theme, Short: "show kernel stacks",
		Args: "[-a|-p|-c cpus|-g] [-n idle] [-fFsxd] [-r|-t|-T] [-R ref] [-I ip -S sp] [pid | task] ...",
		Help: `  pid, task  these tasks; without one, the current task
  -a         the active task of each CPU
  -p         the task that panicked
  -c cpus    the active tasks of these CPUs (1,3,5-7 or all)
  -g         all threads of the task's group
  -n idle    leave out idle tasks
  -s         with the offset in the function; -x, -d: in hexadecimal, decimal
  -f, -F     with the words of each frame; -F: as symbols where they are such
  -r         the raw bytes of the stack, no frames
  -t, -T     any address of code on the stack, from the last known frame; from its base
  -R ref     only stacks that go through this function or address
  -I, -S     start at this instruction and stack pointer
  ?          before a name marks a frame that was guessed`,
	}
}

// btArgs is a parsed bt command line.
type btArgs struct {
	verb   string
	who    byte // a, p or c; 0 for the selected tasks
	cpus   command.CPUs
	group  bool
	noIdle bool
	style  btStyle
	ref    string
	ip, sp *uint64
	sels   []command.TaskSel
}

// btStyle says how stacks are shown.
type btStyle struct {
	offsets bool // function+offset
	hex     bool
	words   bool
	symbols bool // words as symbols
	scan    byte // r, t or T instead of frames
}

func (btCommand) Parse(args []string) (command.Job, error) {
	a, err := parseBt("bt", args)
	if err != nil {
		return nil, err
	}
	return a.run, nil
}

func parseBt(verb string, args []string) (*btArgs, error) {
	flags, rest, err := command.Getopt(verb, "apgfFsxdrtTc:n:R:I:S:", args)
	if err != nil {
		return nil, err
	}
	a := &btArgs{verb: verb}
	for _, f := range flags {
		if err := a.option(f); err != nil {
			return nil, err
		}
	}
	if a.sels, err = command.ParseTaskSels(verb, rest); err != nil {
		return nil, err
	}
	for _, s := range a.sels {
		if !s.Exact() {
			return nil, command.Usagef(verb, "%q is no PID or address of a task; foreach selects by name", s.Word)
		}
	}
	if a.who != 0 && len(a.sels) > 0 {
		return nil, command.Usagef(verb, "-%c takes no task", a.who)
	}
	if (a.ip == nil) != (a.sp == nil) {
		return nil, command.Usagef(verb, "-I and -S go together")
	}
	return a, nil
}

func (a *btArgs) option(f command.Flag) error {
	one := func(to *byte) error {
		if *to != 0 && *to != f.Name {
			return command.Usagef(a.verb, "-%c and -%c exclude each other", *to, f.Name)
		}
		*to = f.Name
		return nil
	}
	var err error
	switch f.Name {
	case 'a', 'p':
		return one(&a.who)
	case 'c':
		if a.cpus, err = command.ParseCPUs(a.verb, f.Arg); err != nil {
			return err
		}
		return one(&a.who)
	case 'r', 't', 'T':
		return one(&a.style.scan)
	case 'g':
		a.group = true
	case 'n':
		if f.Arg != "idle" {
			return command.Usagef(a.verb, "-n goes with the word idle")
		}
		a.noIdle = true
	case 's':
		a.style.offsets = true
	case 'x', 'd':
		a.style.hex = f.Name == 'x'
	case 'f', 'F':
		a.style.words = true
		a.style.symbols = a.style.symbols || f.Name == 'F'
	case 'R':
		a.ref = f.Arg
	case 'I', 'S':
		v, ok := command.ParseNumber(f.Arg, true)
		if !ok {
			return command.Usagef(a.verb, "%q is no address", f.Arg)
		}
		if f.Name == 'I' {
			a.ip = &v
		} else {
			a.sp = &v
		}
	}
	return nil
}

func (a *btArgs) run(ctx context.Context, env *command.Env) (command.Result, error) {
	tab, err := env.Tasks(ctx)
	if err != nil {
		return nil, err
	}
	who, err := a.targets(ctx, env, tab)
	if err != nil {
		return nil, err
	}
	return a.walk(ctx, env, who)
}

// walk shows the stacks of tasks.
func (a *btArgs) walk(ctx context.Context, env *command.Env, who []*task.Task) (command.Result, error) {
	u, err := env.Stacks()
	if err != nil {
		return nil, err
	}
	who = slices.DeleteFunc(who, func(t *task.Task) bool { return a.noIdle && t.Idle })
	res := &BtResult{Stacks: make([]Backtrace, 0, len(who))}
	for _, p := range u.Problems {
		res.Lacks("stacks", p)
	}
	if a.style.scan != 0 {
		return a.scan(ctx, env, u, who)
	}
	list := make([]task.Task, len(who))
	for i, t := range who {
		list[i] = *t
	}
	b := &btBuilder{env: env, style: a.style}
	b.style.hex = b.style.hex || env.Hex()
	traces := a.traces(ctx, u, list)
	for i := range traces {
		bt := b.backtrace(who[i], &traces[i])
		if a.ref != "" && !bt.mentions(a.ref) {
			continue
		}
		if traces[i].Err != nil && !gone(who[i]) {
			res.Lacks("stack of PID "+strconv.Itoa(int(who[i].PID)), traces[i].Err)
		}
		res.Stacks = append(res.Stacks, bt)
	}
	return res, ctx.Err()
}

func (a *btArgs) traces(ctx context.Context, u *stack.Unwinder, list []task.Task) []stack.Trace {
	if a.ip == nil {
		return u.All(ctx, list)
	}
	var regs arch.Regs
	regs.Set(arch.RIP, *a.ip)
	regs.Set(arch.RSP, *a.sp)
	out := make([]stack.Trace, len(list))
	for i := range list {
		out[i] = u.Walk(ctx, &list[i], regs)
	}
	return out
}

// gone says that a task has ended, so that a missing stack is no lack.
func gone(t *task.Task) bool { return t.State&(task.ExitZombie|task.ExitDead|task.Dead) != 0 }

// targets gives the tasks whose stacks were asked for.
func (a *btArgs) targets(ctx context.Context, env *command.Env, tab *task.Table) ([]*task.Task, error) {
	var out []*task.Task
	switch {
	case a.who == 'p':
		at, err := panicTask(ctx, env, tab)
		if err != nil {
			return nil, err
		}
		t, err := command.TaskAt(tab, at)
		return []*task.Task{t}, err
	case a.who != 0:
		running, err := env.Running()
		if len(running) == 0 && err != nil {
			return nil, err
		}
		for _, c := range running {
			if a.who == 'c' && !a.cpus.Has(c.CPU) {
				continue
			}
			t, err := command.TaskAt(tab, c.Task)
			if err != nil {
				return nil, err
			}
			out = append(out, t)
		}
		return out, nil
	case len(a.sels) > 0:
		found, err := chosen(tab, a.sels)
		if err != nil {
			return nil, err
		}
		out = found
	default:
		t, err := env.Current(ctx)
		if err != nil {
			return nil, err
		}
		out = []*task.Task{t}
	}
	if a.group {
		out = groups(tab, out)
	}
	return out, nil
}

// groups gives all threads of the tasks' groups, each leader first.
func groups(tab *task.Table, of []*task.Task) []*task.Task {
	var out []*task.Task
	done := map[mem.Virt]bool{}
	for _, t := range of {
		if done[t.Leader] {
			continue
		}
		done[t.Leader] = true
		if l, ok := tab.At(t.Leader); ok {
			out = append(out, l)
		}
		for _, o := range sorted(tab) {
			if o.Leader == t.Leader && !o.GroupLeader() {
				out = append(out, o)
			}
		}
	}
	return out
}

// mentions says whether the stack goes through a function or address.
func (b *Backtrace) mentions(ref string) bool {
	addr, isAddr := command.ParseNumber(ref, true)
	for i := range b.Frames {
		f := &b.Frames[i]
		if f.Function == ref || isAddr && uint64(f.PC) == addr || strings.EqualFold(f.Module, ref) {
			return true
		}
	}
	return false
}

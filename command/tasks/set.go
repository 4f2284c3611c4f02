package tasks

import (
	"context"
	"fmt"
	"strconv"

	"github.com/kinquest/inquest/command"
	"github.com/kinquest/inquest/kernel/task"
	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/render"
)

type setCommand struct{}

func (setCommand) Info() command.Info {
	return command.Info{
		Name: "set", Theme: theme, Short: "show or choose the current task",
		Args: "[pid | task | -c cpu | -p | radix 10|16 | hex | dec]",
		Help: `  pid, task    make this task the current one
  -c cpu       the task that was running on this CPU
  -p           the task that panicked
  radix, hex,  how integers are shown by later commands
  dec`,
	}
}

func (setCommand) Parse(args []string) (command.Job, error) {
	flags, rest, err := command.Getopt("set", "c:p", args)
	if err != nil {
		return nil, err
	}
	if radix, ok, err := parseRadix(rest); ok || err != nil {
		if err == nil && len(flags) > 0 {
			err = command.Usagef("set", "the radix goes without options")
		}
		return setRadix(radix), err
	}
	if len(flags)+len(rest) > 1 {
		return nil, command.Usagef("set", "takes one task")
	}
	switch {
	case len(rest) == 1:
		sel, err := command.ParseTaskSel("set", rest[0])
		if err != nil {
			return nil, err
		}
		if !sel.Exact() {
			return nil, command.Usagef("set", "%q is no PID or address of a task", rest[0])
		}
		return setTo(func(_ context.Context, _ *command.Env, tab *task.Table) (mem.Virt, error) {
			found, err := chosen(tab, []command.TaskSel{sel})
			if err != nil {
				return 0, err
			}
			return found[0].Addr, nil
		}), nil
	case len(flags) == 0:
		return setTo(nil), nil
	case flags[0].Name == 'p':
		return setTo(panicTask), nil
	}
	cpu, err := strconv.ParseUint(flags[0].Arg, 10, 16)
	if err != nil {
		return nil, command.Usagef("set", "%q is no CPU", flags[0].Arg)
	}
	return setTo(func(_ context.Context, env *command.Env, _ *task.Table) (mem.Virt, error) {
		return taskOnCPU(env, int(cpu))
	}), nil
}

// parseRadix parses "radix 10", "radix 16", "hex" and "dec".
func parseRadix(words []string) (radix int, ok bool, err error) {
	switch {
	case len(words) == 1 && words[0] == "hex":
		return 16, true, nil
	case len(words) == 1 && words[0] == "dec":
		return 10, true, nil
	case len(words) == 2 && words[0] == "radix" && (words[1] == "10" || words[1] == "16"):
		radix, err = strconv.Atoi(words[1])
		return radix, true, err
	case len(words) > 0 && words[0] == "radix":
		return 0, false, command.Usagef("set", "radix is 10 or 16")
	}
	return 0, false, nil
}

func panicTask(ctx context.Context, env *command.Env, _ *task.Table) (mem.Virt, error) {
	story := env.Story(ctx)
	if story.Task == 0 {
		return 0, fmt.Errorf("no task is known to have panicked")
	}
	return story.Task, nil
}

func taskOnCPU(env *command.Env, cpu int) (mem.Virt, error) {
	running, err := env.Running()
	for _, c := range running {
		if c.CPU == cpu {
			return c.Task, nil
		}
	}
	if err == nil {
		err = fmt.Errorf("no CPU %d", cpu)
	}
	return 0, err
}

// setTo makes the job that chooses a task, or shows the current one if choose is nil.
func setTo(choose func(context.Context, *command.Env, *task.Table) (mem.Virt, error)) command.Job {
	return func(ctx context.Context, env *command.Env) (command.Result, error) {
		tab, err := env.Tasks(ctx)
		if err != nil {
			return nil, err
		}
		if choose != nil {
			at, err := choose(ctx, env, tab)
			if err != nil {
				return nil, err
			}
			env.SetCurrent(at)
		}
		t, err := env.Current(ctx)
		if err != nil {
			return nil, err
		}
		return &SetResult{Head: newHead(t), Info: render.Hex(env.ThreadInfo(t)), State: t.State.String(), Mark: command.Mark(ctx, env, t)}, nil
	}
}

// SetResult is the current task.
type SetResult struct {
	Head
	Info  render.Hex `json:"thread_info"`
	State string     `json:"state"`
	Mark  string     `json:"mark,omitempty"` // PANIC or ACTIVE
}

// WriteText writes crash's block.
func (r *SetResult) WriteText(w *render.Writer) error {
	state := r.State
	if r.Mark != "" {
		state += " (" + r.Mark + ")"
	}
	w.Label(7, "PID", "%d", r.PID)
	w.Label(7, "COMMAND", "\"%s\"", render.Line(r.Comm))
	w.Label(7, "TASK", "%016x  [THREAD_INFO: %016x]", uint64(r.Task), uint64(r.Info))
	w.Label(7, "CPU", "%d", r.CPU)
	w.Label(7, "STATE", "%s", state)
	return w.Err()
}

func setRadix(radix int) command.Job {
	return func(_ context.Context, env *command.Env) (command.Result, error) {
		env.Radix = radix
		return &RadixResult{Radix: radix}, nil
	}
}

// RadixResult is the radix that integers are shown in.
type RadixResult struct {
	Radix int `json:"radix"`
}

// WriteText writes crash's line.
func (r *RadixResult) WriteText(w *render.Writer) error {
	name := "decimal"
	if r.Radix == 16 {
		name = "hex"
	}
	w.Printf("output radix: %d (%s)\n", r.Radix, name)
	return w.Err()
}

package tasks

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/kinquest/inquest/command"
	"github.com/kinquest/inquest/kernel/mm"
	"github.com/kinquest/inquest/kernel/task"
	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/render"
)

type psCommand struct{}

func (psCommand) Info() command.Info {
	return command.Info{
		Name: "ps", Theme: theme, Short: "list tasks",
		Args: "[-k|-u] [-GAIH] [-y policy] [-s] [-p|-c|-t|-l|-m|-g|-S] [-C cpus] [pid | task | name | 'regex'] ...",
		Help: `  -k         kernel threads only
  -u         user tasks only
  -G         thread group leaders only
  -A         the active task of each CPU only
  -I         no idle tasks
  -y policy  tasks of these scheduling policies (NORMAL, FIFO, RR, BATCH, IDLE, DEADLINE, or their numbers)
  -H         no header line
  -s         kernel stack pointer instead of the task's address
  -p         each task's ancestors
  -c         each task's children
  -t         run time, start time, user and system time
  -l         last time on a CPU, as the scheduler's clock; -m the same as time ago
  -C cpus    with -l or -m: CPU by CPU (1,3,5-7 or all)
  -g         thread groups
  -S         number of tasks in each state
  >          before a line marks the active task of a CPU`,
	}
}

// psArgs is a parsed ps command line.
type psArgs struct {
	kernel, user, leaders, active, noIdle, noHeader, stack bool

	mode     byte // 0 for the table, else the option's letter
	policies []uint64
	cpus     *command.CPUs
	sels     []command.TaskSel
}

func (psCommand) Parse(args []string) (command.Job, error) {
	a, err := parsePs("ps", args)
	if err != nil {
		return nil, err
	}
	return a.run, nil
}

func parsePs(verb string, args []string) (*psArgs, error) {
	flags, rest, err := command.Getopt(verb, "kuGAIHspctlmgSy:C:", args)
	if err != nil {
		return nil, err
	}
	a := &psArgs{}
	for _, f := range flags {
		switch f.Name {
		case 'k':
			a.kernel = true
		case 'u':
			a.user = true
		case 'G':
			a.leaders = true
		case 'A':
			a.active = true
		case 'I':
			a.noIdle = true
		case 'H':
			a.noHeader = true
		case 's':
			a.stack = true
		case 'y':
			if a.policies, err = parsePolicies(verb, f.Arg); err != nil {
				return nil, err
			}
		case 'C':
			cpus, err := command.ParseCPUs(verb, f.Arg)
			if err != nil {
				return nil, err
			}
			a.cpus = &cpus
		default:
			if a.mode != 0 && a.mode != f.Name {
				return nil, command.Usagef(verb, "-%c and -%c exclude each other", a.mode, f.Name)
			}
			a.mode = f.Name
		}
	}
	if a.kernel && a.user {
		return nil, command.Usagef(verb, "-k and -u exclude each other")
	}
	if a.cpus != nil && a.mode != 'l' && a.mode != 'm' {
		return nil, command.Usagef(verb, "-C goes with -l or -m")
	}
	a.sels, err = command.ParseTaskSels(verb, rest)
	return a, err
}

// policyNames are the scheduling policies by number (include/uapi/linux/sched.h);
// 4 is reserved for SCHED_ISO.
var policyNames = []string{"NORMAL", "FIFO", "RR", "BATCH", "ISO", "IDLE", "DEADLINE", "EXT"}

func parsePolicies(verb, s string) ([]uint64, error) {
	var out []uint64
	for p := range strings.SplitSeq(s, ",") {
		i := slices.Index(policyNames, strings.ToUpper(p))
		if n, err := strconv.Atoi(p); err == nil && n < len(policyNames) {
			i = n
		}
		if i < 0 {
			return nil, command.Usagef(verb, "no scheduling policy %q", p)
		}
		out = append(out, uint64(i))
	}
	return out, nil
}

// match applies the options that filter.
func (a *psArgs) match(t *task.Task, active bool) bool {
	return (!a.kernel || t.Kernel()) && (!a.user || !t.Kernel()) &&
		(!a.leaders || t.GroupLeader()) && (!a.active || active) && (!a.noIdle || !t.Idle) &&
		(a.policies == nil || slices.Contains(a.policies, t.Policy))
}

func (a *psArgs) run(ctx context.Context, env *command.Env) (command.Result, error) {
	tab, err := env.Tasks(ctx)
	if err != nil {
		return nil, err
	}
	tasks, missing := chosen(tab, a.sels)
	res, err := a.show(ctx, env, tab, tasks)
	if err == nil {
		err = missing
	}
	return res, err
}

// show answers for these tasks, as far as they pass the filters.
func (a *psArgs) show(ctx context.Context, env *command.Env, tab *task.Table, tasks []*task.Task) (command.Result, error) {
	running := map[mem.Virt]bool{}
	cur, runErr := env.Running()
	for _, c := range cur {
		running[c.Task] = true
	}
	tasks = slices.DeleteFunc(tasks, func(t *task.Task) bool { return !a.match(t, running[t.Addr]) })
	var res command.Result
	var p *command.Partial
	switch a.mode {
	case 'S':
		r := countStates(tasks)
		res, p = r, &r.Partial
	case 'p', 'c', 'g':
		r := relatives(tab, tasks, a.mode)
		res, p = r, &r.Partial
	case 't':
		r, err := usedTimes(env, tasks)
		if err != nil {
			return nil, err
		}
		res, p = r, &r.Partial
	case 'l', 'm':
		r, err := lastRuns(env, tasks, a)
		if err != nil {
			return nil, err
		}
		res, p = r, &r.Partial
	default:
		r := a.table(ctx, env, tasks, running)
		res, p = r, &r.Partial
	}
	note(p, tab)
	p.Lacks("active tasks", runErr)
	return res, ctx.Err()
}

// PsResult is the table of tasks.
type PsResult struct {
	command.Partial
	Tasks []PsTask `json:"tasks"`

	noHeader, stack bool
}

// PsTask is one line of the table.
type PsTask struct {
	PID    int32      `json:"pid"`
	TGID   int32      `json:"tgid"`
	PPID   int32      `json:"ppid"`
	CPU    int        `json:"cpu"`
	Task   render.Hex `json:"task"`
	State  string     `json:"state"`  // as the two letters of the text form
	Active bool       `json:"active"` // runs on its CPU
	Kernel bool       `json:"kernel"` // a kernel thread
	Comm   string     `json:"comm"`
	SP     render.Hex `json:"kstackp,omitempty"` // saved stack pointer; none while active

	VSZ     command.Opt[uint64]  `json:"vsz_kb"`      // virtual size, KiB
	RSS     command.Opt[uint64]  `json:"rss_kb"`      // resident size, KiB
	Percent command.Opt[float64] `json:"mem_percent"` // resident share of RAM
}

// pageKB is the size of a page in KiB.
const pageKB = mem.PageSize / 1024

func (a *psArgs) table(ctx context.Context, env *command.Env, tasks []*task.Task, running map[mem.Virt]bool) *PsResult {
	res := &PsResult{noHeader: a.noHeader, stack: a.stack, Tasks: make([]PsTask, 0, len(tasks))}
	memory, memErr := task.NewMemoryReader(env.Kernel)
	res.Lacks("memory of tasks", memErr)
	total, totalErr := mm.PresentPages(env.Kernel)
	res.Lacks("share of RAM", totalErr)
	for _, t := range tasks {
		if ctx.Err() != nil {
			break
		}
		row := PsTask{
			PID: t.PID, TGID: t.TGID, PPID: t.PPID, CPU: t.CPU, Task: render.Hex(t.Addr), State: t.State.Short(),
			Active: running[t.Addr], Kernel: t.Kernel(), Comm: t.Comm,
		}
		if t.Idle { // whoever brought the CPU up forked it, but it has no parent
			row.PPID = 0
		}
		if !row.Active {
			row.SP = render.Hex(t.SP)
		}
		used, err := task.Memory{}, memErr
		if err == nil {
			if used, err = memory.Of(t); err != nil {
				res.Lacks("memory of PID "+strconv.Itoa(int(t.PID)), err)
			}
		}
		row.VSZ = command.Got(used.VirtualPages*pageKB, err)
		row.RSS = command.Got(used.ResidentPages*pageKB, err)
		if err == nil {
			err = totalErr
		}
		row.Percent = command.Got(float64(used.ResidentPages)*100/float64(max(total, 1)), err)
		res.Tasks = append(res.Tasks, row)
	}
	return res
}

// WriteText writes crash's columns.
func (r *PsResult) WriteText(w *render.Writer) error {
	if !r.noHeader {
		column := "      TASK      "
		if r.stack {
			column = "     KSTACKP    "
		}
		w.Printf("      PID    PPID  CPU %s  ST  %%MEM      VSZ      RSS  COMM\n", column)
	}
	for i := range r.Tasks {
		t := &r.Tasks[i]
		mark, addr, comm := ' ', t.Task, render.Line(t.Comm)
		if t.Active {
			mark = '>'
		}
		at := ""
		if r.stack {
			addr = t.SP
		}
		if at = mem.Virt(addr).String(); r.stack && t.Active {
			at = "       --       "
		}
		if t.Kernel {
			comm = "[" + comm + "]"
		}
		w.Printf("%c%8d%8d%4d  %s  %2s%6s%9s%9s  %s\n", mark, t.PID, t.PPID, t.CPU, at, t.State,
			t.Percent.Or("%.1f", "?"), t.VSZ.Or("%d", "?"), t.RSS.Or("%d", "?"), comm)
	}
	return w.Err()
}

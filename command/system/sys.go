package system

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/kinquest/inquest/command"
	"github.com/kinquest/inquest/dump"
	"github.com/kinquest/inquest/kernel"
	"github.com/kinquest/inquest/kernel/mm"
	"github.com/kinquest/inquest/kernel/sched"
	"github.com/kinquest/inquest/kernel/taint"
	"github.com/kinquest/inquest/kernel/task"
	"github.com/kinquest/inquest/kernel/timer"
	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/render"
)

type sysCommand struct{}

func (sysCommand) Info() command.Info {
	return command.Info{
		Name: "sys", Theme: theme, Short: "show the machine, its kernel and how it ended",
		Args: "[-t|-v]",
		Help: `  -t  the kernel's taint bits
  -v  what the dump was read by: each fact with its evidence`,
	}
}

func (sysCommand) Parse(args []string) (command.Job, error) {
	flags, rest, err := command.Getopt("sys", "tv", args)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 || len(flags) > 1 {
		return nil, command.Usagef("sys", "takes one option at most")
	}
	switch {
	case len(flags) == 0:
		return sysBanner, nil
	case flags[0].Name == 't':
		return sysTaints, nil
	}
	return func(_ context.Context, env *command.Env) (command.Result, error) {
		return &TrailResult{Evidence: env.Kernel.Evidence()}, nil
	}, nil
}

// SysResult is what crash shows when it starts.
type SysResult struct {
	command.Partial
	Dump    DumpFacts                  `json:"dump"`
	CPUs    CPUFacts                   `json:"cpus"`
	Date    command.Opt[time.Time]     `json:"date"`
	Uptime  command.Opt[time.Duration] `json:"uptime_ns"`
	Load    command.Opt[sched.Load]    `json:"load_average"`
	Tasks   command.Opt[int]           `json:"tasks"`
	UTS     command.Opt[kernel.UTS]    `json:"uts"`
	KHz     command.Opt[uint32]        `json:"cpu_khz"`
	Memory  command.Opt[uint64]        `json:"memory"` // bytes of RAM
	Taint   command.Opt[uint64]        `json:"taint"`  // C tainted_mask
	Panic   command.Opt[string]        `json:"panic"`  // the line of the log that says why
	Current command.Opt[CurrentTask]   `json:"current"`
}

// DumpFacts say what the file is.
type DumpFacts struct {
	Files       []string `json:"files"`
	Format      string   `json:"format"`
	Variant     string   `json:"variant,omitempty"`
	Flattened   bool     `json:"flattened,omitempty"`
	Compression []string `json:"compression,omitempty"`
	Size        int64    `json:"file_size"`
	Stored      uint64   `json:"stored"`               // bytes of memory in the dump
	DumpLevel   int      `json:"dump_level,omitempty"` // what makedumpfile left out (-d)
	Incomplete  bool     `json:"incomplete,omitempty"`
	Truncated   bool     `json:"truncated,omitempty"`
}

// CPUFacts count processors.
type CPUFacts struct {
	Present command.Opt[int] `json:"present"`
	Online  command.Opt[int] `json:"online"`
	// Stopped lists those that panic() took offline.
	Stopped []int `json:"stopped_by_panic,omitempty"`
}

// CurrentTask is the task that commands are about by default.
type CurrentTask struct {
	PID    int32      `json:"pid"`
	Comm   string     `json:"comm"`
	Task   render.Hex `json:"task"`
	Info   render.Hex `json:"thread_info"`
	CPU    int        `json:"cpu"`
	State  string     `json:"state"`
	Suffix string     `json:"mark,omitempty"` // PANIC or ACTIVE
}

func sysBanner(ctx context.Context, env *command.Env) (command.Result, error) { return Facts(ctx, env) }

// Facts gathers what sys shows. The error is the context's; what else could
// not be read is among the result's problems.
func Facts(ctx context.Context, env *command.Env) (*SysResult, error) {
	k := env.Kernel
	res := &SysResult{Dump: dumpFacts(k.Image), CPUs: cpuFacts(env)}
	res.Lacks("number of CPUs", res.CPUs.Present.Err)
	for _, p := range k.Image.Info().Problems {
		res.Lacks("dump", fmt.Errorf("%s", p))
	}
	clock, err := timer.Now(k)
	res.Lacks("date and uptime", err)
	res.Date, res.Uptime = command.Got(clock.Date, err), command.Got(clock.Uptime, err)
	res.Load = command.Got(sched.LoadAverage(k))
	res.Lacks("load average", res.Load.Err)
	tab, err := env.Tasks(ctx)
	res.Lacks("task list", err)
	if err == nil {
		res.Tasks = command.Some(len(tab.Tasks))
		for _, p := range tab.Problems {
			res.Lacks("task list", p)
		}
	} else {
		res.Tasks.Err = err
	}
	res.UTS = command.Got(k.UTS())
	res.Lacks("names", res.UTS.Err)
	res.KHz = command.Got(k.SymU32("cpu_khz"))
	pages, err := mm.PresentPages(k)
	res.Memory = command.Got(pages*mem.PageSize, err)
	res.Lacks("size of RAM", err)
	res.Taint = command.Got(taint.Mask(k))
	res.findPanic(ctx, env)
	res.findCurrent(ctx, env)
	return res, ctx.Err()
}

func (r *SysResult) findPanic(ctx context.Context, env *command.Env) {
	story := env.Story(ctx)
	for _, p := range story.Problems {
		r.Lacks("panic", p)
	}
	if _, err := env.Log(ctx); err != nil {
		r.Panic.Err = err
		r.Lacks("log", err)
	} else if story.Message != nil {
		r.Panic = command.Some(story.Message.Text)
	}
}

func (r *SysResult) findCurrent(ctx context.Context, env *command.Env) {
	t, err := env.Current(ctx)
	if err != nil {
		r.Current.Err = err
		return
	}
	r.Current = command.Some(currentTask(ctx, env, t))
}

// currentTask describes t with crash's mark of active tasks.
func currentTask(ctx context.Context, env *command.Env, t *task.Task) CurrentTask {
	return CurrentTask{
		PID: t.PID, Comm: t.Comm, Task: render.Hex(t.Addr), Info: render.Hex(env.ThreadInfo(t)), CPU: t.CPU,
		State: t.State.String(), Suffix: command.Mark(ctx, env, t),
	}
}

func dumpFacts(img dump.Image) DumpFacts {
	i := img.Info()
	f := DumpFacts{
		Files: i.Files, Format: i.Format, Variant: i.Variant, Flattened: i.Flattened, Compression: i.Compression,
		Size: i.FileSize, Incomplete: i.Incomplete, Truncated: i.Truncated, DumpLevel: max(i.DumpLevel, 0),
	}
	for e := range img.Extents() {
		f.Stored += e.Size
	}
	return f
}

// cpuFacts tells CPUs that panic() stopped from those offline before: it
// clears only their bits in cpu_online_mask (stop_this_cpu,
// arch/x86/kernel/process.c), the scheduler's mask keeps them.
func cpuFacts(env *command.Env) CPUFacts {
	k := env.Kernel
	present, online := k.PresentCPUs(), k.OnlineCPUs()
	if len(present) == 0 {
		err := kernel.Unsupported("number of CPUs", "__cpu_present_mask", "cpu_present_bits")
		return CPUFacts{Present: command.Got(0, err), Online: command.Got(0, err)}
	}
	f := CPUFacts{Present: command.Some(len(present)), Online: command.Some(len(online))}
	isOnline := map[int]bool{}
	for _, c := range online {
		isOnline[c] = true
	}
	for _, c := range k.ActiveCPUs() {
		if !isOnline[c] {
			f.Stopped = append(f.Stopped, c)
		}
	}
	return f
}

// labelWidth is crash's column of labels.
const labelWidth = 12

// WriteText writes crash's first screen.
func (r *SysResult) WriteText(w *render.Writer) error {
	label := func(name, value string) { w.Label(labelWidth, name, "%s", value) }
	file := strings.Join(r.Dump.Files, " ")
	switch {
	case r.Dump.Incomplete || r.Dump.Truncated:
		file += "  [INCOMPLETE]"
	case r.Dump.DumpLevel > 0:
		file += "  [PARTIAL DUMP]"
	}
	kern := r.UTS.Text("%s")
	if r.UTS.OK() {
		kern = r.UTS.V.Release + " (from the dump)"
	}
	if r.Taint.OK() && r.Taint.V != 0 {
		kern += "  [TAINTED]"
	}
	label("KERNEL", render.Line(kern))
	label("DUMPFILE", render.Line(file))
	label("CPUS", r.CPUs.text())
	date := command.Opt[string]{Set: r.Date.Set, Err: r.Date.Err, V: r.Date.V.Format("Mon Jan _2 15:04:05 MST 2006")}
	label("DATE", date.Text("%s"))
	up := command.Opt[string]{Set: r.Uptime.Set, Err: r.Uptime.Err, V: render.Uptime(r.Uptime.V)}
	label("UPTIME", up.Text("%s"))
	load := command.Opt[string]{Set: r.Load.Set, Err: r.Load.Err, V: fmt.Sprintf("%.2f, %.2f, %.2f", r.Load.V[0], r.Load.V[1], r.Load.V[2])}
	label("LOAD AVERAGE", load.Text("%s"))
	label("TASKS", r.Tasks.Text("%d"))
	if u := r.UTS.V; r.UTS.OK() {
		label("NODENAME", render.Line(u.Nodename))
		label("RELEASE", render.Line(u.Release))
		label("VERSION", render.Line(u.Version))
		mhz := command.Opt[uint32]{Set: r.KHz.Set, Err: r.KHz.Err, V: r.KHz.V / 1000}
		label("MACHINE", fmt.Sprintf("%s  (%s Mhz)", render.Line(u.Machine), mhz.Or("%d", "unknown")))
	}
	memory := command.Opt[string]{Set: r.Memory.Set, Err: r.Memory.Err, V: RAMSize(r.Memory.V)}
	label("MEMORY", memory.Text("%s"))
	switch {
	case r.Panic.OK():
		label("PANIC", `"`+render.Line(r.Panic.V)+`"`)
	case r.Panic.Err != nil:
		label("PANIC", r.Panic.Text("%s"))
	}
	if c := r.Current.V; r.Current.OK() {
		label("PID", fmt.Sprint(c.PID))
		label("COMMAND", `"`+render.Line(c.Comm)+`"`)
		label("TASK", fmt.Sprintf("%016x  [THREAD_INFO: %016x]", uint64(c.Task), uint64(c.Info)))
		label("CPU", fmt.Sprint(c.CPU))
		label("STATE", c.StateText())
	}
	return w.Err()
}

// StateText is the state with its mark, as crash writes it.
func (c CurrentTask) StateText() string {
	if c.Suffix == "" {
		return c.State
	}
	return c.State + " (" + c.Suffix + ")"
}

func (f CPUFacts) text() string {
	s := f.Present.Text("%d")
	if off := f.Present.V - f.Online.V; f.Present.OK() && f.Online.OK() && off > 0 {
		s += fmt.Sprintf(" [OFFLINE: %d]", off)
	}
	return s
}

// RAMSize writes an amount of RAM as crash does: in GB or MB, one digit behind
// the point where it is not even.
func RAMSize(n uint64) string {
	unit, name := uint64(1<<20), "MB"
	if n >= 1<<30 {
		unit, name = 1<<30, "GB"
	}
	tenths := uint64(math.Round(float64(n) * 10 / float64(unit)))
	if tenths%10 == 0 {
		return fmt.Sprintf("%d %s", tenths/10, name)
	}
	return fmt.Sprintf("%d.%d %s", tenths/10, tenths%10, name)
}

// TaintResult is the kernel's taint (sys -t).
type TaintResult struct {
	command.Partial
	Mask    render.Hex          `json:"mask"`
	Letters command.Opt[string] `json:"letters"`
}

func sysTaints(_ context.Context, env *command.Env) (command.Result, error) {
	mask, err := taint.Mask(env.Kernel)
	if err != nil {
		return nil, err
	}
	res := &TaintResult{Mask: render.Hex(mask), Letters: command.Got(taint.Letters(env.Kernel, mask))}
	res.Lacks("taint letters", res.Letters.Err)
	return res, nil
}

// WriteText writes crash's line.
func (r *TaintResult) WriteText(w *render.Writer) error {
	w.Printf("TAINTED_MASK: %x  %s\n", uint64(r.Mask), r.Letters.Text("%s"))
	return w.Err()
}

// TrailResult is what the bootstrap found, by which evidence (sys -v).
type TrailResult struct {
	Evidence []kernel.Evidence `json:"evidence"`
}

// WriteText writes a line for each fact, and one for what it rests on.
func (r *TrailResult) WriteText(w *render.Writer) error {
	width := 0
	for _, e := range r.Evidence {
		width = max(width, len(e.Stage))
	}
	for _, e := range r.Evidence {
		if e.Err != "" {
			w.Printf("%*s: missing: %s\n", width, e.Stage, render.Line(e.Err))
			continue
		}
		w.Printf("%*s: %s\n", width, e.Stage, render.Line(e.Found))
		if e.From != "" {
			w.Printf("%*s  from %s\n", width, "", render.Line(e.From))
		}
	}
	return w.Err()
}

package tasks

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kinquest/inquest/command"
	"github.com/kinquest/inquest/kernel/task"
	"github.com/kinquest/inquest/kernel/timer"
	"github.com/kinquest/inquest/render"
)

// StatesResult counts tasks by state (ps -S).
type StatesResult struct {
	command.Partial
	States []StateCount `json:"states"`
}

// StateCount is the number of tasks in one state.
type StateCount struct {
	State string `json:"state"`
	Count int    `json:"count"`
}

// stateOrder is the order in which the states are counted out.
var stateOrder = []string{"RU", "IN", "UN", "ID", "ST", "TR", "ZO", "DE", "PA", "WA", "NE"}

func countStates(tasks []*task.Task) *StatesResult {
	count := map[string]int{}
	for _, t := range tasks {
		count[t.State.Short()]++
	}
	res := &StatesResult{States: []StateCount{}}
	names := stateOrder
	for _, s := range slices.Sorted(mapKeys(count)) {
		if !slices.Contains(names, s) {
			names = append(slices.Clip(names), s)
		}
	}
	for _, s := range names {
		if n := count[s]; n > 0 {
			res.States = append(res.States, StateCount{s, n})
		}
	}
	return res
}

func mapKeys(m map[string]int) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// WriteText writes a line for each state.
func (r *StatesResult) WriteText(w *render.Writer) error {
	for _, s := range r.States {
		w.Printf("  %s: %d\n", s.State, s.Count)
	}
	return w.Err()
}

// RelativesResult shows tasks with their ancestors, children or threads
// (ps -p, -c, -g).
type RelativesResult struct {
	command.Partial
	Groups []Relatives `json:"groups"`

	mode byte
}

// Relatives is one task with those that belong to it.
type Relatives struct {
	Head
	Ancestors []Head `json:"ancestors,omitempty"` // the eldest first
	Children  []Head `json:"children,omitempty"`
	Threads   []Head `json:"threads,omitempty"`
}

// maxAncestors bounds the way up: damaged parents may form a circle.
const maxAncestors = 1024

func relatives(tab *task.Table, tasks []*task.Task, mode byte) *RelativesResult {
	res := &RelativesResult{mode: mode, Groups: []Relatives{}}
	children := map[uint64][]Head{}
	threads := map[uint64][]Head{}
	for _, t := range sorted(tab) {
		if !t.Idle { // who brought the CPU up is not its idle task's parent
			children[uint64(t.Parent)] = append(children[uint64(t.Parent)], newHead(t))
		}
		if !t.GroupLeader() {
			threads[uint64(t.Leader)] = append(threads[uint64(t.Leader)], newHead(t))
		}
	}
	seen := map[uint64]bool{}
	for _, t := range tasks {
		r := Relatives{Head: newHead(t)}
		switch mode {
		case 'p':
			for at, n := t, 0; n < maxAncestors && !at.Idle; n++ {
				up, ok := tab.At(at.Parent)
				if !ok || up == at {
					break
				}
				r.Ancestors, at = append(r.Ancestors, newHead(up)), up
			}
			slices.Reverse(r.Ancestors)
		case 'c':
			r.Children = children[uint64(t.Addr)]
		case 'g':
			if seen[uint64(t.Leader)] {
				continue
			}
			seen[uint64(t.Leader)] = true
			if leader, ok := tab.At(t.Leader); ok {
				r.Head = newHead(leader)
			}
			r.Threads = threads[uint64(t.Leader)]
		}
		res.Groups = append(res.Groups, r)
	}
	return res
}

// WriteText indents each generation.
func (r *RelativesResult) WriteText(w *render.Writer) error {
	for i := range r.Groups {
		g := &r.Groups[i]
		if i > 0 {
			w.Text("\n")
		}
		for depth := range g.Ancestors {
			w.Text(strings.Repeat(" ", depth))
			g.Ancestors[depth].write(w)
		}
		w.Text(strings.Repeat(" ", len(g.Ancestors)))
		g.write(w)
		below, none := g.Children, "  (no children)\n"
		if r.mode == 'g' {
			below, none = g.Threads, "  (no threads)\n"
		}
		for j := range below {
			w.Text("  ")
			below[j].write(w)
		}
		if len(below) == 0 && r.mode != 'p' {
			w.Text(none)
		}
	}
	return w.Err()
}

// TimesResult shows how much time tasks used (ps -t).
type TimesResult struct {
	command.Partial
	Tasks []TaskTimes `json:"tasks"`
}

// TaskTimes is the time used by one task.
type TaskTimes struct {
	Head
	Run    command.Opt[time.Duration] `json:"run_ns"`   // since it was started
	Start  command.Opt[uint64]        `json:"start_ns"` // since boot
	User   command.Opt[uint64]        `json:"utime_ns"`
	System command.Opt[uint64]        `json:"stime_ns"`
}

func usedTimes(env *command.Env, tasks []*task.Task) (*TimesResult, error) {
	r, err := task.NewTimeReader(env.Kernel)
	if err != nil {
		return nil, err
	}
	clock, upErr := timer.Now(env.Kernel)
	res := &TimesResult{Tasks: make([]TaskTimes, 0, len(tasks))}
	res.Lacks("uptime", upErr)
	for _, t := range tasks {
		times, err := r.Of(t)
		res.Lacks(fmt.Sprintf("times of PID %d", t.PID), err)
		row := TaskTimes{
			Head: newHead(t), Start: command.Opt[uint64]{V: t.StartTime, Set: t.StartKnown},
			User: command.Got(times.User, err), System: command.Got(times.System, err),
		}
		if t.StartKnown {
			row.Run = command.Got(max(clock.Uptime-time.Duration(t.StartTime), 0), upErr)
		}
		res.Tasks = append(res.Tasks, row)
	}
	return res, nil
}

// WriteText writes a block for each task.
func (r *TimesResult) WriteText(w *render.Writer) error {
	for i := range r.Tasks {
		t := &r.Tasks[i]
		t.write(w)
		run := command.Opt[string]{Set: t.Run.Set, Err: t.Run.Err, V: render.Uptime(t.Run.V)}
		w.Label(12, "RUN TIME", "%s", run.Text("%s"))
		w.Label(12, "START TIME", "%s", t.Start.Text("%d"))
		w.Label(12, "UTIME", "%s", t.User.Text("%d"))
		w.Label(12, "STIME", "%s", t.System.Text("%d"))
		w.Text("\n")
	}
	return w.Err()
}

// LastRunResult shows when tasks last ran, the latest first (ps -l, -m).
type LastRunResult struct {
	command.Partial
	Tasks []LastRun `json:"tasks"`

	ago   bool
	byCPU bool
}

// LastRun is when one task last got its CPU.
type LastRun struct {
	Head
	State string        `json:"state"`
	Last  uint64        `json:"last_ns"` // by the scheduler's clock
	Ago   time.Duration `json:"ago_ns"`  // before the latest tick of its CPU's clock
}

func lastRuns(env *command.Env, tasks []*task.Task, a *psArgs) (*LastRunResult, error) {
	r, err := task.NewTimeReader(env.Kernel)
	if err != nil {
		return nil, err
	}
	res := &LastRunResult{Tasks: make([]LastRun, 0, len(tasks)), ago: a.mode == 'm', byCPU: a.cpus != nil}
	for _, t := range tasks {
		if a.cpus != nil && !a.cpus.Has(t.CPU) {
			continue
		}
		last, err := r.LastArrival(t)
		if err != nil {
			res.Lacks(fmt.Sprintf("last run of PID %d", t.PID), err)
			continue
		}
		row := LastRun{Head: newHead(t), State: t.State.Short(), Last: last}
		if now, err := r.Clock(t.CPU); err != nil {
			res.Lacks(fmt.Sprintf("clock of CPU %d", t.CPU), err)
		} else {
			row.Ago = time.Duration(now - min(last, now))
		}
		res.Tasks = append(res.Tasks, row)
	}
	slices.SortStableFunc(res.Tasks, func(a, b LastRun) int {
		if c := cmp.Compare(a.CPU, b.CPU); res.byCPU && c != 0 {
			return c
		}
		return cmp.Compare(b.Last, a.Last)
	})
	return res, nil
}

// WriteText writes a line for each task, under its CPU if asked so.
func (r *LastRunResult) WriteText(w *render.Writer) error {
	width, cpu := 0, -1
	for i := range r.Tasks {
		width = max(width, len(fmt.Sprint(r.Tasks[i].Last)))
	}
	for i := range r.Tasks {
		t := &r.Tasks[i]
		if r.byCPU && t.CPU != cpu {
			if cpu >= 0 {
				w.Text("\n")
			}
			cpu = t.CPU
			w.Printf("CPU: %d\n", cpu)
		}
		if r.ago {
			d := t.Ago
			w.Printf("[%d %02d:%02d:%02d.%03d] [%s]  ", d/(24*time.Hour), int(d.Hours())%24, int(d.Minutes())%60, int(d.Seconds())%60,
				d.Milliseconds()%1000, t.State)
		} else {
			w.Printf("[%*d] [%s]  ", width, t.Last, t.State)
		}
		t.write(w)
	}
	return w.Err()
}

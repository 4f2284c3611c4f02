// Package tasks holds the commands about tasks: ps, bt, foreach, set.
package tasks

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/kinquest/inquest/command"
	"github.com/kinquest/inquest/kernel/task"
	"github.com/kinquest/inquest/render"
)

const theme = "tasks"

// Commands gives the commands of this theme.
func Commands() []command.Command {
	return []command.Command{psCommand{}, btCommand{}, foreachCommand{}, setCommand{}}
}

// Head names a task, as the line above its answer does.
type Head struct {
	PID  int32      `json:"pid"`
	Task render.Hex `json:"task"`
	CPU  int        `json:"cpu"`
	Comm string     `json:"comm"`
}

func newHead(t *task.Task) Head {
	return Head{PID: t.PID, Task: render.Hex(t.Addr), CPU: t.CPU, Comm: t.Comm}
}

func (h *Head) write(w *render.Writer) {
	w.Printf("PID: %-8d TASK: %016x  CPU: %-4d COMMAND: \"%s\"\n", h.PID, uint64(h.Task), h.CPU, render.Line(h.Comm))
}

// sorted gives the tasks by PID, the idle tasks by CPU.
func sorted(tab *task.Table) []*task.Task {
	out := make([]*task.Task, len(tab.Tasks))
	for i := range tab.Tasks {
		out[i] = &tab.Tasks[i]
	}
	slices.SortStableFunc(out, func(a, b *task.Task) int {
		if c := cmp.Compare(a.PID, b.PID); c != 0 || !a.Idle {
			return c
		}
		return cmp.Compare(a.CPU, b.CPU)
	})
	return out
}

// chosen gives the tasks that any of sels matches, in the order of sels; all
// tasks for none. A selector by PID or address that matches nothing is an
// error; a name that nobody has is not.
func chosen(tab *task.Table, sels []command.TaskSel) ([]*task.Task, error) {
	all := sorted(tab)
	if len(sels) == 0 {
		return all, nil
	}
	var out []*task.Task
	var missing error
	taken := map[*task.Task]bool{}
	for _, s := range sels {
		found := false
		for _, t := range all {
			if s.Match(int(t.PID), t.Addr, t.Comm) {
				found = true
				if !taken[t] {
					taken[t] = true
					out = append(out, t)
				}
			}
		}
		if !found && s.Exact() && missing == nil {
			missing = fmt.Errorf("no task %s", s.Word)
		}
	}
	return out, missing
}

// note adds the problems of the task table to a result.
func note(p *command.Partial, tab *task.Table) {
	for _, err := range tab.Problems {
		p.Lacks("task list", err)
	}
}

package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kinquest/inquest/kernel/stack"
	"github.com/kinquest/inquest/kernel/task"
	"github.com/kinquest/inquest/lab/truth"
	"github.com/kinquest/inquest/unwind"
)

// names writes the kernel frames of a walk as the kernel prints them.
func (v *verifier) names(frames []unwind.Frame) []string {
	var out []string
	for i := range frames {
		f := &frames[i]
		if f.User() {
			continue
		}
		s, off, err := v.k.Symbols.At(f.Lookup())
		if err != nil {
			out = append(out, fmt.Sprintf("unknown %s", f.PC))
			continue
		}
		name := fmt.Sprintf("%s+%#x", s.Name, off+uint64(f.PC-f.Lookup()))
		if s.Module != "" {
			name += " [" + s.Module + "]"
		}
		if !f.Reliable {
			name = "? " + name
		}
		out = append(out, name)
	}
	return out
}

// printed writes frames of the guest without the functions' sizes.
func printed(frames []truth.Frame) []string {
	var out []string
	for _, f := range frames {
		name := fmt.Sprintf("%s+%#x", f.Func, f.Off)
		if f.Module != "" {
			name += " [" + f.Module + "]"
		}
		out = append(out, name)
	}
	return out
}

// trace compares the panicking task's stack with the console's call trace. The
// console printed it from within panic() or an oops: its frames from there on
// must be the outermost ones of the stack.
func (v *verifier) trace(u *stack.Unwinder) {
	want, ok := v.cons.PanicTrace()
	if !ok {
		return
	}
	s := v.score(Trace)
	t, ok := v.tasks.At(v.story.Task)
	if !ok {
		s.check(false, "no panicking task")
		return
	}
	tr := u.Task(v.ctx, t)
	got := v.names(tr.Frames)
	lines := printed(want.Frames)
	if want.RIP != nil {
		lines = append(printed([]truth.Frame{*want.RIP}), lines...)
	}
	// What printed the trace is not on the stack any more, and panic() itself
	// has gone on since.
	for len(lines) > 0 && (strings.HasPrefix(lines[0], "dump_stack") || strings.HasPrefix(lines[0], "panic+") || strings.HasPrefix(lines[0], "vpanic+")) {
		lines = lines[1:]
	}
	first := 0
	if len(lines) > 0 {
		first = max(0, slices.Index(got, lines[0]))
	}
	for i, w := range lines {
		g := "nothing"
		if first+i < len(got) {
			g = got[first+i]
		}
		s.check(g == w, "frame %s, console %s", g, w)
	}
	rest := got[min(len(got), first+len(lines)):]
	if lost := len(lines) > 0 && !entry(lines[len(lines)-1]); lost {
		// The kernel lost its way as well: its stack is smashed. What follows
		// may only be guessed, and the walk has to say so.
		sure := slices.ContainsFunc(rest, func(n string) bool { return !unsure(n) })
		s.check(tr.Err != nil && !sure, "the stack is smashed, the walk says %v\n%s", tr.Err, strings.Join(got, "\n"))
		return
	}
	s.check(ended(&tr), "the walk: end %v, %v\n%s", tr.End, tr.Err, strings.Join(got, "\n"))
	s.check(len(rest) == 0 && !slices.ContainsFunc(got, unsure), "unsure frames:\n%s", strings.Join(got, "\n"))
}

// entry says whether a function is where kernel stacks begin.
func entry(name string) bool {
	for _, prefix := range []string{"entry_", "ret_from_fork", "secondary_startup", "asm_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// unsure says whether a frame is a guess or has no symbol.
func unsure(name string) bool {
	return strings.HasPrefix(name, "?") || strings.HasPrefix(name, "unknown")
}

// ended says whether a walk came to its proper end.
func ended(tr *stack.Trace) bool {
	return tr.Err == nil && (tr.End == unwind.EndUser || tr.End == unwind.EndTask)
}

// sleepers checks that the stack of every task that was not running is walked
// to its end, and compares it with what the guest showed of it.
func (v *verifier) sleepers(traces []stack.Trace) {
	s := v.score(Stacks)
	for i := range traces {
		tr, t := &traces[i], &v.tasks.Tasks[i]
		if t.State&(task.ExitDead|task.ExitZombie) != 0 {
			continue // a dead task has given up its stack
		}
		got := v.names(tr.Frames)
		if tr.Running {
			s.check(tr.Err == nil || len(tr.Frames) > 0, "running task %d %q: %v", t.PID, t.Comm, tr.Err)
			continue
		}
		ok := ended(tr) && !slices.ContainsFunc(got, unsure)
		s.check(ok, "task %d %q: end %v, %v\n%s", t.PID, t.Comm, tr.End, tr.Err, strings.Join(got, "\n"))
		v.asGuest(t, got)
	}
}

// asGuest compares a sleeper's stack with /proc/PID/stack, which leaves out the
// scheduler's functions on top.
func (v *verifier) asGuest(t *task.Task, got []string) {
	frames, ok := v.truth.Stacks[int(t.PID)]
	if !ok || len(frames) == 0 {
		return
	}
	want := printed(frames)
	tail := got[max(0, len(got)-len(want)):]
	v.score(Guest).check(slices.Equal(tail, want), "task %d %q:\n%s\nguest:\n%s", t.PID, t.Comm, strings.Join(got, "\n"), strings.Join(want, "\n"))
}

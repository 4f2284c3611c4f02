package verify

import (
	"fmt"
	"sort"
	"strings"
)

// threads compares the set of (pid, tgid, comm, state) with the guest's own.
// Right before its end, unlike at its end, kernel threads still change state:
// then theirs is not compared.
func (v *verifier) threads() {
	exact := v.truth.Exact
	row := func(pid, tgid int, comm string, state byte, kernel bool) string {
		if kernel && !exact {
			state = '-'
		}
		return fmt.Sprintf("%d/%d %q %c", pid, tgid, comm, state)
	}
	want := map[string]int{}
	for _, t := range v.truth.Snapshot.Threads {
		want[row(t.PID, t.TGID, t.Comm, (t.State + " ")[0], t.Kernel)]++
	}
	s := v.score(Tasks)
	for i := range v.tasks.Tasks {
		t := &v.tasks.Tasks[i]
		if t.Idle {
			continue // the guest's table has none of them
		}
		r := row(int(t.PID), int(t.TGID), t.Comm, t.State.Letter(), t.Kernel())
		s.check(want[r] > 0, "the guest has no task %s", r)
		want[r]--
	}
	var missing []string
	for r, n := range want {
		if n > 0 {
			missing = append(missing, r)
		}
	}
	sort.Strings(missing)
	for _, r := range missing {
		s.check(false, "task %s of the guest is missing", r)
	}
	for _, err := range v.tasks.Problems {
		s.check(false, "%v", err)
	}
}

// modules compares name, size and address of the loaded modules.
func (v *verifier) modules() {
	s := v.score(Modules)
	mods, err := v.k.Modules()
	got := map[string]string{}
	for _, m := range mods {
		got[m.Name] = fmt.Sprintf("%d bytes at %#x", m.Size, uint64(m.Base))
	}
	for _, m := range v.truth.Modules {
		want := fmt.Sprintf("%d bytes at %#x", m.Size, m.Addr)
		s.check(got[m.Name] == want, "module %s: %s, guest %s", m.Name, got[m.Name], want)
		delete(got, m.Name)
	}
	for name := range got {
		s.check(false, "the guest has no module %s", name)
	}
	if err != nil {
		s.check(false, "%v", err)
	}
}

// panic compares who panicked, and why, with the guest's console.
func (v *verifier) panic() {
	s := v.score(Panic)
	if v.cons.Panic == "" {
		s.check(!v.story.Panicked && v.story.Message == nil, "a system that did not panic: %+v", v.story)
		return
	}
	snap := &v.truth.Snapshot
	s.check(v.story.Panicked && v.story.CPU == snap.CPU, "panic on CPU %d, guest %d", v.story.CPU, snap.CPU)
	t, ok := v.tasks.At(v.story.Task)
	s.check(ok && (int(t.PID) == snap.PID || snap.PID == 0), "panic in task %+v, guest PID %d", t, snap.PID)
	line := v.story.PanicLine
	s.check(line != nil && strings.HasSuffix(line.Text, v.cons.Panic), "panic line %+v, console %q", line, v.cons.Panic)
}

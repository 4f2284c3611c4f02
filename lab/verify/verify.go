// Package verify compares what inquest says of a lab dump with what the guest
// said of itself just before it died.
package verify

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/kinquest/inquest/dump"
	"github.com/kinquest/inquest/kernel"
	"github.com/kinquest/inquest/kernel/crash"
	"github.com/kinquest/inquest/kernel/printk"
	"github.com/kinquest/inquest/kernel/sched"
	"github.com/kinquest/inquest/kernel/stack"
	"github.com/kinquest/inquest/kernel/task"
	"github.com/kinquest/inquest/kernel/timer"
	"github.com/kinquest/inquest/lab"
	"github.com/kinquest/inquest/lab/truth"
)

// Score is how much of one kind of answer agrees with the guest.
type Score struct {
	Agree, Of int
	Diffs     []string // what does not, as far as there is room
}

// maxDiffs bounds the differences that a score keeps.
const maxDiffs = 12

// check counts one comparison; the diff is kept when it fails.
func (s *Score) check(ok bool, format string, args ...any) {
	s.Of++
	if ok {
		s.Agree++
	} else if len(s.Diffs) < maxDiffs {
		s.Diffs = append(s.Diffs, fmt.Sprintf(format, args...))
	}
}

// Full says whether everything agreed, and there was something to agree on.
func (s *Score) Full() bool { return s.Of > 0 && s.Agree == s.Of }

// Column is a kind of answer that is compared.
type Column string

// The columns of the table, in order.
const (
	Release Column = "release"
	Date    Column = "date"
	Uptime  Column = "uptime"
	Load    Column = "load"
	Tasks   Column = "tasks"   // pid, tgid, comm and state of every thread
	Modules Column = "modules" // name, size and address
	Panic   Column = "panic"   // CPU and task that panicked, and the message
	Trace   Column = "trace"   // the panicking task's stack, as the console printed it
	Stacks  Column = "stacks"  // every sleeping task's stack ends where it has to
	Guest   Column = "guest"   // sleeping tasks' stacks, as /proc/PID/stack had them
)

// Columns are the columns of the table in order.
var Columns = []Column{Release, Date, Uptime, Load, Tasks, Modules, Panic, Trace, Stacks, Guest}

// Result is one dump's comparison.
type Result struct {
	Dump    string
	Scores  map[Column]*Score
	Elapsed time.Duration // of opening and reading everything that was compared
	Err     error         // why nothing could be compared
}

// Passed says whether everything that must agree did. Guest is not among it:
// kernel threads move on between the guest's look at them and its end.
func (r *Result) Passed() bool {
	if r.Err != nil {
		return false
	}
	for _, c := range Columns {
		if s := r.Scores[c]; c != Guest && s != nil && s.Agree != s.Of {
			return false
		}
	}
	return true
}

// verifier is one comparison at work.
type verifier struct {
	ctx   context.Context
	k     *kernel.Kernel
	truth *truth.Truth
	cons  truth.Console
	tasks *task.Table
	story *crash.Story
	res   *Result
}

// Check opens a dump and compares it with its guest's truth.
func Check(ctx context.Context, d lab.Dump) Result {
	res := Result{Dump: d.Name, Scores: map[Column]*Score{}}
	res.Err = check(ctx, d, &res)
	return res
}

func check(ctx context.Context, d lab.Dump, res *Result) error {
	v := &verifier{ctx: ctx, res: res}
	var err error
	if v.truth, err = d.Truth(); err != nil {
		return err
	}
	if v.cons, err = d.ConsoleLog(); err != nil {
		return err
	}
	begun := time.Now()
	defer func() { res.Elapsed = time.Since(begun) }()
	img, err := dump.Open(ctx, d.Files...)
	if err != nil {
		return err
	}
	defer img.Close()
	if v.k, err = kernel.Open(ctx, img); err != nil {
		return err
	}
	if v.tasks, err = task.Load(ctx, v.k); err != nil {
		return err
	}
	log, err := printk.Load(ctx, v.k)
	if err != nil {
		return err
	}
	v.story = crash.Find(v.k, log)
	v.system()
	v.threads()
	v.modules()
	v.panic()
	u, err := stack.New(v.k)
	if err != nil {
		return err
	}
	v.trace(u)
	v.sleepers(u.All(ctx, v.tasks.Tasks))
	return ctx.Err()
}

func (v *verifier) score(c Column) *Score {
	if v.res.Scores[c] == nil {
		v.res.Scores[c] = &Score{}
	}
	return v.res.Scores[c]
}

// tolerance is how far date and uptime may be off: a dump is taken a moment
// after the guest told the time.
const tolerance = 2 * time.Second

// system compares release, clock and load.
func (v *verifier) system() {
	uts, err := v.k.UTS()
	v.score(Release).check(err == nil && uts.Release == v.truth.Release, "release %q, guest %q (%v)", uts.Release, v.truth.Release, err)
	snap := &v.truth.Snapshot
	now, err := timer.Now(v.k)
	v.score(Date).check(err == nil && near(now.Date.Sub(snap.Time)), "date %v, guest %v (%v)", now.Date, snap.Time, err)
	v.score(Uptime).check(err == nil && near(now.Uptime-snap.Uptime), "uptime %v, guest %v (%v)", now.Uptime, snap.Uptime, err)
	load, err := sched.LoadAverage(v.k)
	for i, want := range snap.Load() {
		got := fmt.Sprintf("%.2f", load[i])
		v.score(Load).check(err == nil && got == want, "load[%d] %s, guest %s (%v)", i, got, want, err)
	}
}

func near(d time.Duration) bool { return math.Abs(float64(d)) <= float64(tolerance) }

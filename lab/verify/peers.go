package verify

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kinquest/inquest/dump"
	"github.com/kinquest/inquest/kernel"
	"github.com/kinquest/inquest/kernel/stack"
	"github.com/kinquest/inquest/kernel/task"
	"github.com/kinquest/inquest/lab"
	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/unwind"
)

// Peers is how the stacks of a dump's sleeping tasks compare with those of
// crash and drgn.
type Peers struct {
	Dump string
	// Score counts the tasks on whose stack crash and drgn agree.
	Score Score
	// Tasks on whose stack they differ: how many times inquest sides with each.
	Differ, WithCrash, WithDrgn int
	// What each tool took for it, start included.
	Crash, Drgn, Inquest time.Duration
	Err                  error
}

// drgnStacks prints, for every task, its address and the program counters of
// its frames, inlined ones left out.
const drgnStacks = `
from drgn.helpers.linux.pid import for_each_task
for t in for_each_task(prog):
    pcs = []
    try:
        pcs = ["%x" % f.pc for f in prog.stack_trace(t) if not f.is_inline]
    except Exception:
        pass
    print("task %x %s" % (t.value_(), " ".join(pcs)))
`

// Compare walks all stacks of a dump with crash, drgn and inquest.
func Compare(ctx context.Context, l *lab.Lab, d lab.Dump) Peers {
	p := Peers{Dump: d.Name}
	p.Err = p.compare(ctx, l, d)
	return p
}

func (p *Peers) compare(ctx context.Context, l *lab.Lab, d lab.Dump) error {
	run, err := l.Crash(ctx, d, "foreach bt")
	if err != nil {
		return err
	}
	p.Crash = run.Elapsed
	crash := crashStacks(run.Stdout)
	if run, err = l.Drgn(ctx, d, drgnStacks); err != nil {
		return err
	}
	p.Drgn = run.Elapsed
	drgn := drgnOutput(run.Stdout)
	begun := time.Now()
	ours, err := sleepers(ctx, d)
	if err != nil {
		return err
	}
	p.Inquest = time.Since(begun)
	for at, got := range ours {
		c, g := crash[at], drgn[at]
		switch {
		case slices.Equal(c, g):
			p.Score.check(slices.Equal(c, got), "task %s: %s; crash and drgn %s", at, hex(got), hex(c))
		default:
			p.Differ++
			if slices.Equal(c, got) {
				p.WithCrash++
			}
			if slices.Equal(g, got) {
				p.WithDrgn++
			}
		}
	}
	return nil
}

// stacks are program counters in the kernel, innermost first, by task_struct.
type stacks map[mem.Virt][]mem.Virt

// sleepers walks the stacks of all tasks that were not running.
func sleepers(ctx context.Context, d lab.Dump) (stacks, error) {
	img, err := dump.Open(ctx, d.Files...)
	if err != nil {
		return nil, err
	}
	defer img.Close()
	k, err := kernel.Open(ctx, img)
	if err != nil {
		return nil, err
	}
	tasks, err := task.Load(ctx, k)
	if err != nil {
		return nil, err
	}
	u, err := stack.New(k)
	if err != nil {
		return nil, err
	}
	out := stacks{}
	for _, tr := range u.All(ctx, tasks.Tasks) {
		if t, ok := tasks.At(tr.Task); tr.Running || ok && t.State&(task.ExitDead|task.ExitZombie) != 0 {
			continue
		}
		out[tr.Task] = counters(tr.Frames)
	}
	return out, nil
}

func counters(frames []unwind.Frame) []mem.Virt {
	var out []mem.Virt
	for i := range frames {
		if !frames[i].User() {
			out = append(out, frames[i].PC)
		}
	}
	return out
}

var (
	crashTaskRE  = regexp.MustCompile(`^PID: \d+ +TASK: ([0-9a-f]+) `)
	crashFrameRE = regexp.MustCompile(`^ *#\d+ \[[0-9a-f]+\] .* at ([0-9a-f]+)`)
)

// crashStacks reads the output of crash's "foreach bt".
func crashStacks(text string) stacks {
	out := stacks{}
	at := mem.Virt(0)
	for line := range strings.Lines(text) {
		if m := crashTaskRE.FindStringSubmatch(line); m != nil {
			at = address(m[1])
		} else if m := crashFrameRE.FindStringSubmatch(line); m != nil {
			out[at] = append(out[at], address(m[1]))
		}
	}
	return out
}

// drgnOutput reads the output of drgnStacks. User code at a stack's end is not
// part of the kernel's stack.
func drgnOutput(text string) stacks {
	out := stacks{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != "task" {
			continue
		}
		at := address(f[1])
		for _, pc := range f[2:] {
			if a := address(pc); a >= 1<<63 {
				out[at] = append(out[at], a)
			}
		}
	}
	return out
}

// address reads a hexadecimal address; what is none is 0, which no task has.
func address(s string) mem.Virt {
	v, err := strconv.ParseUint(s, 16, 64)
	if err != nil {
		return 0
	}
	return mem.Virt(v)
}

func hex(pcs []mem.Virt) string {
	var out []string
	for _, pc := range pcs {
		out = append(out, pc.String())
	}
	return strings.Join(out, " ")
}

// String is the comparison on one line, and what did not agree below it.
func (p *Peers) String() string {
	if p.Err != nil {
		return fmt.Sprintf("%s: %v", p.Dump, p.Err)
	}
	s := fmt.Sprintf("%s: %d of %d stacks equal where crash and drgn agree; they differ on %d, where inquest says what crash says %d times, what drgn says %d times (crash %.1f s, drgn %.1f s, inquest %.2f s)",
		p.Dump, p.Score.Agree, p.Score.Of, p.Differ, p.WithCrash, p.WithDrgn, p.Crash.Seconds(), p.Drgn.Seconds(), p.Inquest.Seconds())
	for _, d := range p.Score.Diffs {
		s += "\n    " + d
	}
	return s
}

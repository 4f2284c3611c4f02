// Package bench measures inquest, crash and drgn on the same lab dumps in the
// same run: whole processes, one after the other in turn.
package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/kinquest/inquest/lab"
)

// Tool is a program that does a job on a dump once and says what it took.
type Tool struct {
	Name string
	Run  func(ctx context.Context, d lab.Dump) (lab.Run, error)
}

// Job is something that people do with a dump, and how each tool does it.
type Job struct {
	Name  string
	Dump  string // the dump's name in the lab
	Tools []Tool
}

// Row is what one tool took for a job.
type Row struct {
	Job, Dump, Tool string
	Best, Median    time.Duration
	MaxRSS          int64 // bytes, file pages included
	Err             error
}

// drgn scripts for the jobs.
const (
	drgnPanic = `
print(prog["UTS_RELEASE"].string_().decode())
print(prog.crashed_thread().stack_trace())
`
	drgnAll = `
from drgn.helpers.linux.pid import for_each_task
for t in for_each_task(prog):
    try:
        print(t.pid.value_(), t.comm.string_(), prog.stack_trace(t))
    except Exception as e:
        print(e)
`
)

// Jobs are the measured jobs. binary is the inquest to run.
func Jobs(l *lab.Lab, binary string) []Job {
	crash := func(commands ...string) Tool {
		return Tool{"crash", func(ctx context.Context, d lab.Dump) (lab.Run, error) { return l.Crash(ctx, d, commands...) }}
	}
	drgn := func(script string) Tool {
		return Tool{"drgn", func(ctx context.Context, d lab.Dump) (lab.Run, error) { return l.Drgn(ctx, d, script) }}
	}
	inquest := func(commands ...string) Tool {
		return Tool{"inquest", func(ctx context.Context, d lab.Dump) (lab.Run, error) { return own(ctx, binary, d, commands) }}
	}
	report := func(dump string, others ...Tool) Job {
		return Job{"report / sys; bt / panic trace", dump, append([]Tool{inquest()}, others...)}
	}
	return []Job{
		report("6.1-sysrq-note/elf", crash("sys", "bt"), drgn(drgnPanic)),
		report("6.1-sysrq-note/kdump", crash("sys", "bt")),
		report("6.1-sysrq-nonote/elf"),
		report("6.12-sysrq-note/elf", crash("sys", "bt"), drgn(drgnPanic)),
		report("6.12-sysrq-note-big/elf", crash("sys", "bt"), drgn(drgnPanic)),
		{"all stacks", "6.12-sysrq-note-big/elf", []Tool{inquest("foreach bt"), crash("foreach bt"), drgn(drgnAll)}},
	}
}

// own runs inquest: the report, or commands.
func own(ctx context.Context, binary string, d lab.Dump, commands []string) (lab.Run, error) {
	args := slices.Clone(d.Files)
	if len(commands) > 0 {
		args = append([]string{"run"}, args...)
	}
	for _, c := range commands {
		args = append(args, "-c", c)
	}
	var out, said strings.Builder
	c := exec.CommandContext(ctx, binary, args...)
	c.Stdout, c.Stderr = &out, &said
	begun := time.Now()
	err := c.Run()
	run := lab.Run{Stdout: out.String(), Stderr: said.String(), Elapsed: time.Since(begun)}
	if c.ProcessState != nil {
		if u, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
			run.MaxRSS = u.Maxrss << 10
		}
	}
	if err != nil {
		err = fmt.Errorf("inquest %s: %w: %s", strings.Join(args, " "), err, said.String())
	}
	return run, err
}

// Measure does every job runs times with each tool in turn, after one run that
// fills the page cache. Jobs whose dump the lab has not are left out and said.
func Measure(ctx context.Context, jobs []Job, dumps []lab.Dump, runs int, progress io.Writer) []Row {
	var rows []Row
	for _, j := range jobs {
		i := slices.IndexFunc(dumps, func(d lab.Dump) bool { return d.Name == j.Dump })
		if i < 0 {
			rows = append(rows, Row{Job: j.Name, Dump: j.Dump, Err: fmt.Errorf("the lab has no dump %s: make it first", j.Dump)})
			continue
		}
		fmt.Fprintf(progress, "%s on %s\n", j.Name, j.Dump)
		rows = append(rows, j.measure(ctx, dumps[i], runs)...)
	}
	return rows
}

func (j *Job) measure(ctx context.Context, d lab.Dump, runs int) []Row {
	rows := make([]Row, len(j.Tools))
	times := make([][]time.Duration, len(j.Tools))
	for n := range runs + 1 {
		for i, t := range j.Tools {
			r := &rows[i]
			r.Job, r.Dump, r.Tool = j.Name, j.Dump, t.Name
			run, err := t.Run(ctx, d)
			if err != nil && r.Err == nil {
				r.Err = err
			}
			r.MaxRSS = max(r.MaxRSS, run.MaxRSS)
			if n > 0 {
				times[i] = append(times[i], run.Elapsed)
			}
		}
	}
	for i := range rows {
		slices.Sort(times[i])
		rows[i].Best, rows[i].Median = times[i][0], times[i][len(times[i])/2]
	}
	return rows
}

// WriteMarkdown writes the rows as a table; each tool's ratio is to inquest's
// median in the same job.
func WriteMarkdown(w io.Writer, rows []Row) error {
	b := &strings.Builder{}
	b.WriteString("| job | dump | tool | best | median | × inquest | peak memory |\n|---|---|---|---|---|---|---|\n")
	var base Row
	for _, r := range rows {
		if r.Err != nil {
			fmt.Fprintf(b, "| %s | %s | %s | %v | | | |\n", r.Job, r.Dump, r.Tool, strings.ReplaceAll(r.Err.Error(), "\n", " "))
			continue
		}
		if r.Tool == "inquest" {
			base = r
		}
		ratio := "–"
		if base.Job == r.Job && base.Dump == r.Dump && base.Median > 0 {
			ratio = fmt.Sprintf("%.1f", r.Median.Seconds()/base.Median.Seconds())
		}
		fmt.Fprintf(b, "| %s | %s | %s | %.3f s | %.3f s | %s | %d MiB |\n",
			r.Job, r.Dump, r.Tool, r.Best.Seconds(), r.Median.Seconds(), ratio, r.MaxRSS>>20)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Build compiles the inquest of this source tree to a file.
func Build(ctx context.Context, to string) error {
	c := exec.CommandContext(ctx, "go", "build", "-o", to, "github.com/kinquest/inquest/cmd/inquest")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("build inquest: %w: %s", err, out)
	}
	return nil
}

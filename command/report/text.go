package report

import (
	"fmt"
	"strings"

	"github.com/kinquest/inquest/command"
	"github.com/kinquest/inquest/command/system"
	"github.com/kinquest/inquest/command/tasks"
	"github.com/kinquest/inquest/kernel/crash"
	"github.com/kinquest/inquest/render"
)

// Room on one screen.
const (
	maxFrames  = 24 // of the stack
	maxRunning = 8  // CPUs listed when nothing panicked
	labelWidth = 8
)

// WriteText writes the screen.
func (r *Result) WriteText(w *render.Writer) error {
	p := printer{w}
	p.dump(&r.System.Dump)
	p.kernel(r)
	p.machine(r.System)
	p.when(r.System)
	p.end(r)
	if r.Task.OK() {
		p.task(&r.Task.V)
	} else {
		p.line("task", "%s", unknown(r.Task.Err))
	}
	p.stack(r.Stack)
	if len(r.Log) > 0 {
		w.Text("\n")
		w.Bold("end of the log, without traces")
		w.Text("\n")
		for _, l := range r.Log {
			w.Printf("  %s %s\n", stamp(l.Time.Microseconds()), render.Line(l.Text))
		}
	}
	return w.Err()
}

// printer writes the screen's parts.
type printer struct{ w *render.Writer }

// line writes "label  text", the label right-aligned; an empty label goes on
// with the line above.
func (p printer) line(label, format string, args ...any) {
	p.w.Printf("%*s", labelWidth-len(label), "")
	p.w.Bold(label)
	p.w.Printf("  "+format+"\n", args...)
}

func unknown(err error) string { return "unknown: " + render.Line(command.Reason(err)) }

func stamp(us int64) string { return fmt.Sprintf("[%5d.%06d]", us/1e6, us%1e6) }

func (p printer) dump(d *system.DumpFacts) {
	p.line("dump", "%s", render.Line(fileNames(d.Files)))
	what := []string{d.Format}
	if d.Flattened {
		what[0] = "flattened " + what[0]
	}
	if d.Variant != "" {
		what[0] += " (" + d.Variant + ")"
	}
	if len(d.Compression) > 0 {
		what = append(what, strings.Join(d.Compression, "+")+" pages")
	}
	what = append(what, render.Size(uint64(d.Size)))
	switch {
	case d.Incomplete && d.Truncated:
		what = append(what, "INCOMPLETE and TRUNCATED")
	case d.Incomplete:
		what = append(what, "INCOMPLETE: its writer could not finish")
	case d.Truncated:
		what = append(what, "TRUNCATED: the file ends too early")
	case d.DumpLevel > 0:
		what = append(what, fmt.Sprintf("complete for dump level %d", d.DumpLevel))
	default:
		what = append(what, "complete")
	}
	p.line("", "%s", render.Line(strings.Join(what, ", ")))
}

// fileNames names the first of several files.
func fileNames(files []string) string {
	if len(files) < 2 {
		return strings.Join(files, "")
	}
	return fmt.Sprintf("%s and %d more", files[0], len(files)-1)
}

func (p printer) kernel(r *Result) {
	u := r.System.UTS
	if !u.OK() {
		p.line("kernel", "%s", unknown(u.Err))
		return
	}
	p.line("kernel", "%s  %s", render.Line(u.V.Release), render.Line(u.V.Version))
	var more []string
	if r.BuildID != "" {
		more = append(more, "build ID "+r.BuildID)
	}
	switch {
	case r.Taint.OK() && r.Taint.V != "":
		more = append(more, "tainted "+r.Taint.V)
	case r.Taint.OK():
		more = append(more, "not tainted")
	default:
		more = append(more, "taint "+unknown(r.System.Taint.Err))
	}
	p.line("", "%s", render.Line(strings.Join(more, ", ")))
}

func (p printer) machine(s *system.SysResult) {
	var parts []string
	if s.UTS.OK() && s.UTS.V.Nodename != "(none)" && s.UTS.V.Nodename != "" {
		parts = append(parts, s.UTS.V.Nodename)
	}
	if s.UTS.OK() {
		parts = append(parts, s.UTS.V.Machine)
	}
	parts = append(parts, p.cpus(&s.CPUs))
	if s.Memory.OK() {
		parts = append(parts, system.RAMSize(s.Memory.V)+" of RAM")
	} else {
		parts = append(parts, "RAM "+unknown(s.Memory.Err))
	}
	parts = append(parts, s.Tasks.Or("%d tasks", "tasks unknown"))
	p.line("machine", "%s", render.Line(strings.Join(parts, ", ")))
}

func (p printer) cpus(c *system.CPUFacts) string {
	if !c.Present.OK() {
		return "CPUs " + unknown(c.Present.Err)
	}
	s := fmt.Sprintf("%d CPUs", c.Present.V)
	if c.Present.V == 1 {
		s = "1 CPU"
	}
	if n := len(c.Stopped); n > 0 {
		s += fmt.Sprintf(" (%d stopped by panic)", n)
	}
	if off := c.Present.V - c.Online.V - len(c.Stopped); c.Online.OK() && off > 0 {
		s += fmt.Sprintf(" (%d offline)", off)
	}
	return s
}

func (p printer) when(s *system.SysResult) {
	if !s.Date.OK() {
		p.line("when", "%s", unknown(s.Date.Err))
		return
	}
	load := ", load unknown"
	if l := s.Load.V; s.Load.OK() {
		load = fmt.Sprintf(", load %.2f %.2f %.2f", l[0], l[1], l[2])
	}
	p.line("when", "%s, up %s%s", s.Date.V.Format("2006-01-02 15:04:05 MST"), render.Uptime(s.Uptime.V), load)
}

// end says how the kernel ended.
func (p printer) end(r *Result) {
	e := r.End
	switch {
	case e.Message != nil:
		p.message("panic", e.Message)
		if e.PanicLine != nil && e.PanicLine.Seq != e.Message.Seq {
			p.message("", e.PanicLine)
		}
	case e.Panicked:
		p.line("panic", "yes, by %s; the log does not say why", e.From)
	default:
		p.line("panic", "none: the system was running when the dump was taken")
		for i, t := range r.Running {
			if i == maxRunning {
				p.line("", "and %d more CPUs; `ps -A` shows them", len(r.Running)-i)
				break
			}
			p.line("", "CPU %d: PID %d %q", t.CPU, t.PID, t.Comm)
		}
	}
}

func (p printer) message(label string, m *crash.Message) {
	p.line(label, "%s %s", stamp(m.Time.Microseconds()), render.Line(m.Text))
}

func (p printer) task(t *Task) {
	what := ""
	switch {
	case t.Kernel:
		what = ", kernel thread"
	case t.Syscall != nil && t.Syscall.Name != "":
		what = ", in " + t.Syscall.Name + "()"
	case t.Syscall != nil:
		what = fmt.Sprintf(", in system call %d", t.Syscall.Number)
	}
	p.line("task", "%q, PID %d, CPU %d, %s%s", render.Line(t.Comm), t.PID, t.CPU, t.State, render.Line(what))
}

// stack writes function names; addresses are for bt.
func (p printer) stack(s command.Opt[tasks.Backtrace]) {
	w := p.w
	w.Text("\n")
	w.Bold("its stack")
	w.Text("\n")
	if !s.OK() {
		w.Printf("  %s\n", unknown(s.Err))
		return
	}
	frames := s.V.Frames
	for i := range frames {
		f := &frames[i]
		if i == maxFrames {
			w.Printf("  … %d more; `bt` shows them\n", len(frames)-i)
			break
		}
		if i > 0 && !f.User && f.Stack != frames[i-1].Stack {
			w.Printf("  --- %s stack ---\n", frames[i-1].Stack)
		}
		w.Printf("  %s\n", frameText(f, i))
	}
	if s.V.Err != "" {
		w.Printf("  (%s)\n", render.Line(s.V.Err))
	}
}

func frameText(f *tasks.BtFrame, i int) string {
	if f.User {
		return fmt.Sprintf("user mode at %#x", uint64(f.PC))
	}
	name := fmt.Sprintf("%#x", uint64(f.PC))
	if f.Function != "" {
		name = fmt.Sprintf("%s+%#x", render.Line(f.Function), f.Offset)
	}
	if f.Module != "" {
		name += " [" + render.Line(f.Module) + "]"
	}
	if !f.Reliable {
		name = "? " + name
	}
	if f.Exact && i > 0 {
		name += "  <- interrupted here"
	}
	return name
}

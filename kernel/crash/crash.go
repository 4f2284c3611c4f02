// Package crash tells the bare facts of a kernel's end: whether it panicked,
// on which CPU, in which task, and the log line that says why. The diagnosis
// built on them is triage's.
package crash

import (
	"fmt"

	"github.com/kinquest/inquest/ctype/layout"
	"github.com/kinquest/inquest/kernel"
	"github.com/kinquest/inquest/kernel/printk"
	"github.com/kinquest/inquest/kernel/sched"
	"github.com/kinquest/inquest/mem"
)

// Story is how the kernel ended.
type Story struct {
	// Panicked says that a CPU was in panic() or had called for a kdump.
	Panicked bool `json:"panicked"`
	// CPU is the one that panicked; -1 when none did.
	CPU int `json:"cpu"`
	// Task is the task_struct that the CPU was running; 0 when unknown.
	Task mem.Virt `json:"task"`
	// From tells what Panicked, CPU and Task were read from.
	From string `json:"from"`
	// Message is the log line that says why; nil when the log has none.
	Message *Message `json:"message,omitempty"`
	// PanicLine is the line that panic() printed, nil when there is none. It
	// differs from Message when it only repeats that something had happened.
	PanicLine *Message `json:"panic_line,omitempty"`
	// Problems are facts that could not be read.
	Problems []error `json:"-"`
}

// Find reads the story from the kernel's variables first and from the log second.
func Find(k *kernel.Kernel, log *printk.Log) *Story {
	s := &Story{CPU: -1}
	s.findCPU(k)
	if s.CPU >= 0 {
		task, err := currentOn(k, s.CPU)
		if err != nil {
			s.Problems = append(s.Problems, fmt.Errorf("task on CPU %d: %w", s.CPU, err))
		}
		s.Task = task
	}
	if log == nil {
		return s
	}
	s.Message, s.PanicLine = FindMessage(log.Records)
	if !s.Panicked && s.PanicLine == nil {
		s.Message = nil // whatever the log tells, the kernel survived it
	}
	return s
}

// panicCPUs are the variables that hold the number of the CPU that panicked, -1
// (C PANIC_CPU_INVALID) until then: panic_cpu since v4.5, 1717f2096b54 ("panic,
// x86: Fix re-entrance problem due to panic on NMI"); crashing_cpu is set by
// the kdump path (arch/x86/kernel/crash.c, native_machine_crash_shutdown).
var panicCPUs = []string{"panic_cpu", "crashing_cpu"}

func (s *Story) findCPU(k *kernel.Kernel) {
	for _, name := range panicCPUs {
		if !k.HasSym(name) {
			continue
		}
		v, err := k.SymU32(name)
		if err != nil {
			s.Problems = append(s.Problems, err)
			continue
		}
		if cpu := int(int32(v)); cpu >= 0 && cpu < kernel.MaxCPUs {
			s.Panicked, s.CPU, s.From = true, cpu, name
			return
		}
	}
}

type currentFields struct {
	// Per-CPU hot data lay in one struct from v6.2, e57ef2ed97c1 ("x86: Put hot
	// per CPU variables into a struct"), to v6.14.
	HotCurrent layout.Field `k:"pcpu_hot.current_task,optional"`
}

// currentOn gives the task that a CPU was running: its current_task, else its
// run queue's.
func currentOn(k *kernel.Kernel, cpu int) (mem.Virt, error) {
	var f currentFields
	if err := k.Bind(&f); err != nil {
		return 0, err
	}
	at, err := k.PerCPUSym(cpu, "current_task")
	if hot, herr := k.PerCPUSym(cpu, "pcpu_hot"); err != nil && herr == nil && f.HotCurrent.OK() {
		at, err = hot+mem.Virt(f.HotCurrent.Off), nil
	}
	if err == nil {
		v, err := mem.U64(k.Mem, at)
		if err == nil && v != 0 {
			return mem.Virt(v), nil
		}
	}
	all, err := sched.CurrentTasks(k)
	for _, c := range all {
		if c.CPU == cpu {
			return c.Task, nil
		}
	}
	if err == nil {
		err = fmt.Errorf("no run queue of CPU %d", cpu)
	}
	return 0, err
}

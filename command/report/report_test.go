package report

import (
	"testing"
	"time"

	"github.com/kinquest/inquest/command"
	"github.com/kinquest/inquest/command/system"
	"github.com/kinquest/inquest/command/tasks"
	"github.com/kinquest/inquest/internal/clitest"
	"github.com/kinquest/inquest/kernel"
	"github.com/kinquest/inquest/kernel/crash"
	"github.com/kinquest/inquest/kernel/printk"
	"github.com/kinquest/inquest/kernel/sched"
	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/render"
)

func TestParse(t *testing.T) {
	clitest.Parse(t, Commands(), []string{"report"}, map[string]string{"report -x": "report: takes no arguments"})
}

func facts() *system.SysResult {
	return &system.SysResult{
		Dump:   system.DumpFacts{Files: []string{"vmcore"}, Format: "kdump", Variant: "QEMU", Flattened: true, Compression: []string{"zlib"}, Size: 37850810},
		CPUs:   system.CPUFacts{Present: command.Some(4), Online: command.Some(1), Stopped: []int{0, 2}},
		Date:   command.Some(time.Date(2026, 11, 23, 20, 40, 11, 0, time.UTC)),
		Uptime: command.Some(50*time.Hour + 6*time.Second),
		Load:   command.Some(sched.Load{0.08, 0.02, 0.01}),
		Tasks:  command.Some(65),
		UTS:    command.Some(kernel.UTS{Nodename: "web1", Release: "6.1.0-50-amd64", Version: "#1 SMP PREEMPT_DYNAMIC", Machine: "x86_64"}),
		Memory: command.Some[uint64](512 << 20),
		Taint:  command.Some[uint64](1 << 12),
	}
}

func someStack() tasks.Backtrace {
	return tasks.Backtrace{
		Head: tasks.Head{PID: 102, Comm: "cat", Task: 0xffff888003a4a800, CPU: 1},
		Frames: []tasks.BtFrame{
			{PC: 0xffffffff81d00000, Function: "panic", Offset: 0x2e9, Stack: "task", Exact: true, Reliable: true, Method: "start"},
			{PC: 0xffffffffc0020123, Function: "boom_write", Offset: 0x23, Module: "boom", Stack: "IRQ", Reliable: true, Method: "orc"},
			{PC: 0xffffffff81100000, Function: "vfs_write", Offset: 0xc7, Stack: "task", Exact: true, Reliable: true, Method: "regs"},
			{PC: 0xffffffff81200000, Stack: "task", Method: "guess"},
			{PC: 0x47b7a0, User: true, Method: "regs", Reliable: true, Exact: true},
		},
		End: "user",
	}
}

func TestPanicText(t *testing.T) {
	about := Task{Syscall: &Syscall{Number: 1, Name: "write", Args: [6]render.Hex{1, 0x1f510150, 2}}}
	about.PID, about.Comm, about.CPU, about.State = 102, "cat", 1, "TASK_RUNNING"
	clitest.Golden(t, "panic", &Result{
		System: facts(), BuildID: "06f8bde30046985060c60820f7a11515a33afb06", Taint: command.Some("O"),
		End: &crash.Story{Panicked: true, CPU: 1, Task: 0xffff888003a4a800, From: "panic_cpu",
			Message:   &crash.Message{Text: "BUG: kernel NULL pointer dereference, address: 0000000000000008", Time: 6372572 * time.Microsecond, Seq: 7},
			PanicLine: &crash.Message{Text: "Kernel panic - not syncing: Fatal exception", Time: 6372600 * time.Microsecond, Seq: 9}},
		Task: command.Some(about), Stack: command.Some(someStack()),
		Log: []Line{{Time: time.Second, Level: 6, Text: "loop: module loaded"}, {Time: 6372572 * time.Microsecond, Text: "evil\x1b[2J"}},
	})
}

func TestRunningText(t *testing.T) {
	sys := facts()
	sys.CPUs = system.CPUFacts{Present: command.Some(1), Online: command.Some(1)}
	about := Task{Kernel: true}
	about.PID, about.Comm, about.State, about.Suffix = 9, "kworker/0:1", "TASK_RUNNING", "ACTIVE"
	long := someStack()
	for range 25 {
		long.Frames = append(long.Frames, long.Frames[2])
	}
	res := &Result{System: sys, Taint: command.Some(""), End: &crash.Story{CPU: -1}, Task: command.Some(about), Stack: command.Some(long)}
	for cpu := range 10 {
		res.Running = append(res.Running, tasks.Head{PID: int32(100 + cpu), Comm: "job", CPU: cpu})
	}
	clitest.Golden(t, "running", res)
}

func TestNothingIsShownAsZero(t *testing.T) {
	lost := error(mem.Fault(mem.Virt(0xffffffff82000000), mem.ErrNotStored))
	clitest.Golden(t, "lost", &Result{
		System: &system.SysResult{
			Dump: system.DumpFacts{Files: []string{"a.1", "a.2"}, Format: "kdump", Size: 4096, Incomplete: true, Truncated: true},
			CPUs: system.CPUFacts{Present: command.Got(0, lost), Online: command.Got(0, lost)},
			Date: command.Got(time.Time{}, lost), Uptime: command.Got(time.Duration(0), lost), Load: command.Got(sched.Load{}, lost),
			Tasks: command.Got(0, lost), UTS: command.Got(kernel.UTS{}, lost), Memory: command.Got(uint64(0), lost), Taint: command.Got(uint64(0), lost),
		},
		End:  &crash.Story{Panicked: true, CPU: 0, From: "crashing_cpu"},
		Task: command.Got(Task{}, lost), Stack: command.Got(tasks.Backtrace{}, lost),
	})
}

func TestLogTailLeavesTracesOut(t *testing.T) {
	var records []printk.Record
	for _, line := range []string{
		"systemd[1]: ready", "BUG: kernel NULL pointer dereference, address: 0000000000000008", "#PF: supervisor write access in kernel mode",
		"Oops: 0002 [#1] PREEMPT SMP", "CPU: 1 PID: 102 Comm: cat", "Hardware name: QEMU", "RIP: 0010:boom+0x1/0x2", "Code: 00 11",
		"Call Trace:", " <TASK>", " vfs_write+0xc7/0x3f0", " ? handle_mm_fault+0x1/0x2\n second+0x1/0x2", "RIP: 0033:0x47b7a0", " </TASK>",
		"Modules linked in: boom(O)", "---[ end trace 0000000000000000 ]---", "Kernel panic - not syncing: Fatal exception",
		"Kernel Offset: 0x2b400000 from 0xffffffff81000000", "---[ end Kernel panic - not syncing: Fatal exception ]---",
	} {
		records = append(records, printk.Record{Text: line})
	}
	r := &Result{}
	r.tail(records)
	want := []string{"systemd[1]: ready", "BUG: kernel NULL pointer dereference, address: 0000000000000008", "#PF: supervisor write access in kernel mode",
		"Oops: 0002 [#1] PREEMPT SMP", "Kernel panic - not syncing: Fatal exception",
		"---[ end Kernel panic - not syncing: Fatal exception ]---"}
	if len(r.Log) != len(want) {
		t.Fatalf("%d lines: %+v", len(r.Log), r.Log)
	}
	for i, l := range r.Log {
		if l.Text != want[i] {
			t.Errorf("line %d is %q", i, l.Text)
		}
	}
}

package tasks

import (
	"testing"
	"time"

	"github.com/kinquest/inquest/arch"
	"github.com/kinquest/inquest/command"
	"github.com/kinquest/inquest/internal/clitest"
	"github.com/kinquest/inquest/kernel/stack"
	"github.com/kinquest/inquest/kernel/task"
	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/render"
	"github.com/kinquest/inquest/unwind"
)

func TestParse(t *testing.T) {
	clitest.Parse(t, Commands(), []string{
		"ps", "ps -k", "ps -us", "ps -G init 1", "ps 0xffff888003a4a800 ps", "ps -S", "ps -A -H", "ps -y RR,1,deadline", "ps 'kw.*'",
		"ps -m -C 0-3", "ps 1 -lC0", `ps \17`, "ps -p 1", "ps -t 1 2",
		"bt", "bt 1", "bt 1 2 -sx", "bt -a -n idle", "bt -c 0,2-3", "bt -p", "bt -f ffff888003a4a800", "bt -FF", "bt -g 12", "bt -R schedule",
		"bt -I ffffffff81000000 -S ffff888003a4a800", "bt -r", "bt -t 1",
		"foreach bt", "foreach UN bt -f", "foreach kernel 'kw.*' bt", "foreach 1 2 user ps -t", "foreach active bt -s", `foreach \bash gleader ps`,
		"set", "set 1", "set -c 1", "set -p", "set ffff888003a4a800", "set radix 16", "set hex",
	}, map[string]string{
		"ps -z":           "ps: unknown option -z",
		"ps -k -u":        "ps: -k and -u exclude each other",
		"ps -p -c":        "ps: -p and -c exclude each other",
		"ps -C 1":         "ps: -C goes with -l or -m",
		"ps -l -C x":      `ps: "x" is no list of CPUs; write 1,3,5-7 or all`,
		"ps -y FOO":       `ps: no scheduling policy "FOO"`,
		"ps -y":           "ps: option -y needs an argument",
		"ps '('":          "ps: error parsing regexp: missing closing ): `(`",
		"bt init":         `bt: "init" is no PID or address of a task; foreach selects by name`,
		"bt -a 1":         "bt: -a takes no task",
		"bt -a -p":        "bt: -a and -p exclude each other",
		"bt -I 1":         "bt: -I and -S go together",
		"bt -n busy":      "bt: -n goes with the word idle",
		"bt -I zz -S 1":   `bt: "zz" is no address`,
		"foreach UN":      "foreach: names no command; it runs bt and ps",
		"foreach bt 1":    "foreach: tasks stand before bt",
		"foreach bt -a":   "foreach: tasks stand before bt",
		"foreach ps 1":    "foreach: tasks stand before ps",
		"set init":        `set: "init" is no PID or address of a task`,
		"set 1 2":         "set: takes one task",
		"set -c x":        `set: "x" is no CPU`,
		"set radix 8":     "set: radix is 10 or 16",
		"set -p radix 16": "set: the radix goes without options",

		"foreach kernel user bt": "foreach: kernel and user exclude each other",
	})
}

func TestPsText(t *testing.T) {
	lost := mem.Fault(mem.Virt(0xffff888003a4a800), mem.ErrExcluded)
	res := &PsResult{Tasks: []PsTask{
		{PID: 0, CPU: 0, Task: 0xffffffff8261aa40, State: "RU", Kernel: true, Comm: "swapper/0", SP: 0xffffffff82603e08,
			VSZ: command.Some[uint64](0), RSS: command.Some[uint64](0), Percent: command.Some(0.0)},
		{PID: 1, TGID: 1, CPU: 1, Task: 0xffff888003a50000, State: "RU", Active: true, Comm: "init",
			VSZ: command.Some[uint64](2260), RSS: command.Some[uint64](1660), Percent: command.Some(0.317)},
		{PID: 10522, TGID: 10522, PPID: 1, CPU: 1, Task: 0xffff888003a4a800, State: "UN", Comm: "e\x1bvil\n", SP: 0xffffc90000013b58,
			VSZ: command.Got(uint64(0), error(lost)), RSS: command.Got(uint64(0), error(lost)), Percent: command.Got(0.0, error(lost))},
	}}
	clitest.Golden(t, "ps", res)
	res.stack, res.noHeader = true, false
	clitest.Golden(t, "ps-s", res)
}

func TestPsModes(t *testing.T) {
	tasks := []*task.Task{
		{PID: 0, Idle: true, Addr: 0x1000, Leader: 0x1000, Parent: 0x1000, Comm: "swapper/0"},
		{PID: 1, Addr: 0x2000, Leader: 0x2000, Parent: 0x1000, Comm: "init", State: task.Interruptible},
		{PID: 9, Addr: 0x3000, Leader: 0x3000, Parent: 0x2000, Comm: "server", State: task.Uninterruptible},
		{PID: 10, Addr: 0x4000, Leader: 0x3000, Parent: 0x2000, Comm: "server:io", State: task.Interruptible},
	}
	clitest.Golden(t, "ps-states", countStates(tasks))
	res := &RelativesResult{mode: 'p', Groups: []Relatives{{Head: newHead(tasks[2]), Ancestors: []Head{newHead(tasks[0]), newHead(tasks[1])}}}}
	clitest.Golden(t, "ps-p", res)
	res = &RelativesResult{mode: 'c', Groups: []Relatives{{Head: newHead(tasks[1]), Children: []Head{newHead(tasks[2])}}, {Head: newHead(tasks[2])}}}
	clitest.Golden(t, "ps-c", res)
	clitest.Golden(t, "ps-t", &TimesResult{Tasks: []TaskTimes{
		{Head: newHead(tasks[1]), Run: command.Some(26*time.Hour + time.Second), Start: command.Some[uint64](702922111),
			User: command.Some[uint64](20e6), System: command.Got(uint64(0), mem.ErrExcluded)}}})
	last := &LastRunResult{Tasks: []LastRun{
		{Head: newHead(tasks[1]), State: "IN", Last: 6378385833, Ago: 3 * time.Millisecond},
		{Head: newHead(tasks[2]), State: "UN", Last: 77, Ago: 49*time.Hour + 1500*time.Millisecond}}}
	clitest.Golden(t, "ps-l", last)
	last.ago, last.byCPU = true, true
	clitest.Golden(t, "ps-m", last)
}

// regs is a full set of registers.
func regs(cs, ip, sp uint64) *arch.Regs {
	r := &arch.Regs{Full: true, CS: cs, SS: cs - 8, Flags: 0x246, OrigRAX: 1}
	for reg := arch.RAX; reg < arch.NumRegs; reg++ {
		r.Set(reg, uint64(reg)+0x100)
	}
	r.Set(arch.RIP, ip)
	r.Set(arch.RSP, sp)
	return r
}

func frame(pc, sp render.Hex, function string, off uint64) BtFrame {
	return BtFrame{PC: pc, SP: sp, Function: function, Offset: off, Stack: "task", Method: "orc", Reliable: true}
}

func TestBtText(t *testing.T) {
	inner := frame(0xffffffff8103eacb, 0xffffc90000007f50, "asm_exc_nmi", 16)
	inner.Stack = "NMI"
	halt := frame(0xffffffff8103eacc, 0xffffffff81a01ea8, "native_safe_halt", 11)
	halt.Exact, halt.Regs, halt.Method = true, registers(regs(0x10, 0xffffffff8103eacc, 0xffffffff81a01ea8)), "regs"
	mod := frame(0xffffffffc0020123, 0xffffffff81a01eb0, "boom_write", 0x23)
	mod.Module = "inquest_boom"
	mod.Words = []Word{
		{Addr: 0xffffffff81a01eb8, Value: command.Some(render.Hex(8))},
		{Addr: 0xffffffff81a01ec0, Value: command.Got(render.Hex(0), mem.ErrExcluded)},
		{Addr: 0xffffffff81a01ec8, Value: command.Some(render.Hex(0xffffffff810167bd)), Symbol: "default_idle+29"},
	}
	guess := frame(0xffffffff810167bd, 0xffffffff81a01ed0, "default_idle", 29)
	guess.Reliable, guess.Method = false, "guess"
	user := BtFrame{PC: 0x401000, SP: 0x7ffe0000, User: true, Exact: true, Method: "regs", Regs: registers(regs(0x33, 0x401000, 0x7ffe0000))}
	res := &BtResult{Stacks: []Backtrace{
		{Head: Head{PID: 0, Task: 0xffffffff81a8d020, CPU: 0, Comm: "swapper/0"}, Running: true, Source: "QEMU",
			Frames: []BtFrame{inner, halt, mod, guess}, End: "lost", Err: "caller of …: not the address of code", noted: "caller of …: not the address of code"},
		{Head: Head{PID: 10522, Task: 0xffff88007c002080, CPU: 11, Comm: "AliHids"}, Frames: []BtFrame{mod, user}, End: "user", style: btStyle{offsets: true, hex: true}},
		{Head: Head{PID: 7, Task: 0xffff88007c002081, CPU: 1, Comm: "spin"}, Frames: []BtFrame{user}, End: "user"},
	}}
	clitest.Golden(t, "bt", res)
}

func TestPartialRegistersAreNotZero(t *testing.T) {
	var r arch.Regs
	r.Full, r.CS, r.SS = true, 0x10, 0x18
	r.Set(arch.RIP, 0xffffffff81000000)
	r.Set(arch.RSP, 0xffffc90000013b58)
	f := frame(0xffffffff81000000, 0xffffc90000013b58, "x", 0)
	f.Regs, f.Exact = registers(&r), true
	clitest.Golden(t, "bt-partial", &BtResult{Stacks: []Backtrace{{Frames: []BtFrame{frame(1, 1, "y", 1), f}}}})
}

func TestEndedTaskHasNoStack(t *testing.T) {
	b := &btBuilder{}
	tr := &stack.Trace{Trace: unwind.Trace{Err: stack.ErrNoStack}}
	zombie := b.backtrace(&task.Task{PID: 5, State: task.ExitZombie}, tr)
	if zombie.noted != "the task has ended and has no stack" {
		t.Errorf("%q", zombie.noted)
	}
	if live := b.backtrace(&task.Task{PID: 5}, tr); live.noted != stack.ErrNoStack.Error() {
		t.Errorf("%q", live.noted)
	}
}

func TestSetText(t *testing.T) {
	clitest.Golden(t, "set", &SetResult{Head: Head{PID: 698, Task: 0xffff88007c002080, CPU: 2, Comm: "gen12"}, Info: 0xffff88007c002080, State: "TASK_RUNNING", Mark: "PANIC"})
	clitest.Golden(t, "radix", &RadixResult{Radix: 16})
}

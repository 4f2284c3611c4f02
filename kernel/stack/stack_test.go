package stack

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kinquest/inquest/arch"
	"github.com/kinquest/inquest/internal/kerneltest"
	"github.com/kinquest/inquest/kernel/sched"
	"github.com/kinquest/inquest/kernel/task"
	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/unwind"
)

const testTypes = `
task_struct 64
  0 ptr stack
  8 s32 pid
rq 16
  0 ptr curr
  8 ptr idle
inactive_task_frame 64
  0 u64 flags
  48 u64 bp
  56 u64 ret_addr
irq_stack 16384
cea_exception_stacks 24576
  4096 char[4096] DF_stack
  8192 char[0] NMI_stack_guard
  8192 char[4096] NMI_stack
  12288 char[8192] DB1_stack
x86_hw_tss 104
  4 u64 sp0
tss_struct 8192
  0 x86_hw_tss x86_tss
entry_stack 512
module 8
orc_entry 6
  0 u16 sp_offset
  4 u16 end
`

// Where things lie in the test kernel's memory.
const (
	base     = kerneltest.Base
	text     = base // functions of 0x100 bytes
	orcIPs   = base + 0x10000
	orcs     = base + 0x11000
	taskA    = base + 0x12000 // sleeps
	taskB    = base + 0x12100 // runs on CPU 0
	stackA   = base + 0x20000
	stackB   = base + 0x24000
	irqTop   = base + 0x30000
	estacks  = base + 0x31000
	entryTop = mem.Virt(0xfffffe0000003200)
)

// Per-CPU variables, as offsets into the areas.
const (
	pcRunqueues, pcIRQ, pcEstacks, pcCurrent, pcTSS, pcNotes = 0x100, 0x200, 0x208, 0x210, 0x400, 0x800
)

// Functions of the test kernel, in address order.
var funcs = []string{"ret_from_fork", "__schedule", "schedule", "worker", "entry_irq", "irq_handler", "panic"}

func fn(name string, off mem.Virt) uint64 {
	for i, f := range funcs {
		if f == name {
			return uint64(text + mem.Virt(i*0x100) + off)
		}
	}
	panic(name)
}

func build(t testing.TB) *kerneltest.Builder {
	b := kerneltest.New(t, 2)
	b.Types(testTypes)
	for name, at := range map[string]mem.Virt{
		"_stext": text, "_etext": text + 0x1000,
		"__entry_text_start": mem.Virt(fn("entry_irq", 0)), "__entry_text_end": mem.Virt(fn("irq_handler", 0)),
		"__start_init_stack": stackA, "__end_init_stack": stackA + 0x4000,
		"__start_orc_unwind_ip": orcIPs, "__stop_orc_unwind_ip": orcIPs + mem.Virt(4*len(funcs)), "__start_orc_unwind": orcs,
		"runqueues": pcRunqueues, "hardirq_stack_ptr": pcIRQ, "cea_exception_stacks": pcEstacks, "cpu_tss_rw": pcTSS,
		"current_task": pcCurrent, "crash_notes": base + 0x13000,
	} {
		b.Sym(name, at)
	}
	// CFA is SP+16 everywhere but where threads start and interrupts enter.
	bits := map[string]uint16{"ret_from_fork": 0x400, "entry_irq": 0x105}
	for i, f := range funcs {
		b.Sym(f, text+mem.Virt(i*0x100))
		place := orcIPs + mem.Virt(4*i)
		b.Bytes(place, binary.LittleEndian.AppendUint32(nil, uint32(text+mem.Virt(i*0x100)-place)))
		e := []byte{16, 0, 0, 0, 0x05, 0}
		if v, ok := bits[f]; ok {
			e = []byte{0, 0, 0, 0, byte(v), byte(v >> 8)}
		}
		b.Bytes(orcs+mem.Virt(6*i), e)
	}
	b.Put(taskA, "task_struct.stack", uint64(stackA))
	b.Put(taskB, "task_struct.stack", uint64(stackB))
	b.Put(taskB, "task_struct.pid", 77)
	cpu0, cpu1 := kerneltest.PerCPU(0), kerneltest.PerCPU(1)
	b.U64(cpu0+pcRunqueues, uint64(taskB), 0)
	b.U64(cpu0+pcIRQ, uint64(irqTop-8))
	b.U64(cpu0+pcEstacks, uint64(estacks))
	b.Bytes(cpu0+pcTSS+4, binary.LittleEndian.AppendUint64(nil, uint64(entryTop)))
	b.U64(cpu0+pcCurrent, uint64(taskB))
	b.U64(cpu1+pcRunqueues, 0, 0)
	b.U64(base+0x13000, pcNotes)

	// taskA: inactive_task_frame, then __schedule's frame and its callers'.
	b.U64(stackA+0x3f00, 0x246, 0, 0, 0, 0, 0, 0x5555, fn("__schedule", 0x20),
		0, fn("schedule", 0x20), 0, fn("worker", 0x20), 0, fn("ret_from_fork", 0x20))
	return b
}

func open(t testing.TB, b *kerneltest.Builder) *Unwinder {
	t.Helper()
	u, err := New(b.Kernel())
	if err != nil {
		t.Fatal(err)
	}
	return u
}

var (
	sleeping = task.Task{Addr: taskA, Stack: stackA, SP: stackA + 0x3f00, CPU: 1}
	running  = task.Task{Addr: taskB, Stack: stackB, SP: stackB + 0x3f00}
)

func names(tr Trace) string {
	var out []string
	for i := range tr.Frames {
		at := tr.Frames[i].Lookup()
		if at < text || at >= text+mem.Virt(len(funcs)*0x100) {
			out = append(out, fmt.Sprint(at))
			continue
		}
		out = append(out, funcs[(at-text)/0x100])
	}
	return strings.Join(out, " ") + " " + tr.End.String()
}

func TestSleeper(t *testing.T) {
	u := open(t, build(t))
	for _, p := range u.Problems {
		if !strings.Contains(p.Error(), "registers") {
			t.Error(p)
		}
	}
	if n, from := u.Size(); n != 0x4000 || !strings.Contains(from, "__end_init_stack") || !u.ORC() {
		t.Errorf("stacks of %d bytes by %s", n, from)
	}
	for i, tr := range u.All(context.Background(), []task.Task{sleeping, sleeping, sleeping}) {
		if got := names(tr); got != "__schedule schedule worker ret_from_fork thread-start" || tr.Err != nil {
			t.Errorf("%d: %s (%v)", i, got, tr.Err)
		}
		f := tr.Frames[0]
		if tr.Running || tr.CPU != 1 || tr.Source != FromTask || f.SP != stackA+0x3f38 || f.FP != 0x5555 {
			t.Errorf("%d: %+v", i, tr)
		}
	}
}

func TestRunning(t *testing.T) {
	b := build(t)
	var regs [arch.PtRegsSize / 8]uint64
	regs[16], regs[17], regs[18], regs[19], regs[20] = fn("worker", 0x40), arch.KernelCS, 0x246, uint64(stackB+0x3f80), arch.KernelSS
	b.U64(stackB+0x3f80, 0, fn("ret_from_fork", 0x20))
	// The handler's frame lies on the NMI stack, below the saved registers.
	b.U64(estacks+0x3000-arch.PtRegsSize-0x10, 0, fn("entry_irq", 0x10))
	b.U64(estacks+0x3000-arch.PtRegsSize, regs[:]...)
	u := open(t, b)

	var r arch.Regs
	r.Set(arch.RIP, fn("irq_handler", 0x30))
	r.Set(arch.RSP, uint64(estacks+0x3000-arch.PtRegsSize-0x10))
	r.Full, r.CS = true, arch.KernelCS
	u.regs[0] = arch.CPU{Regs: r, Source: "QEMU"}
	tr := u.Task(context.Background(), &running)
	if got := names(tr); got != "irq_handler entry_irq worker ret_from_fork thread-start" || tr.Err != nil || tr.Source != "QEMU" {
		t.Errorf("%s (%v)", got, tr.Err)
	}
	if k := tr.Frames[0].Stack; k != arch.NMIStack {
		t.Errorf("first frame is on the %v stack", k)
	}
	if k := tr.Frames[3].Stack; k != arch.TaskStack {
		t.Errorf("last frame is on the %v stack", k)
	}
	u.regs[0] = arch.CPU{Regs: arch.Regs{Full: true, CS: arch.UserCS}}
	if tr = u.Task(context.Background(), &running); !tr.UserMode() || tr.End != unwind.EndUser {
		t.Errorf("user mode: %+v", tr)
	}
}

// TestSearch: without registers a task's frames are those above a call of
// panic from which a walk ends well, or none.
func TestSearch(t *testing.T) {
	b := build(t)
	// worker calls panic at +0x3b, and __schedule, which is stale, at +0x4b.
	at := mem.Virt(fn("worker", 0x3b))
	b.Bytes(at, append([]byte{0xe8}, binary.LittleEndian.AppendUint32(nil, uint32(fn("panic", 0)-uint64(at)-5))...))
	at = mem.Virt(fn("worker", 0x4b))
	b.Bytes(at, append([]byte{0xe8}, binary.LittleEndian.AppendUint32(nil, uint32(fn("__schedule", 0)-uint64(at)-5))...))
	b.U64(stackB+0x3f00, fn("worker", 0x50), 0, fn("worker", 0x40), 0x5555, 0x6666) // leads nowhere
	u := open(t, b)
	if tr := u.Task(context.Background(), &running); !errors.Is(tr.Err, ErrNoRegisters) || !tr.Running || len(tr.Frames) != 0 || tr.Source != "" {
		t.Errorf("nothing to be found: %+v", tr)
	}
	b = build(t)
	b.Bytes(at-0x10, append([]byte{0xe8}, binary.LittleEndian.AppendUint32(nil, uint32(fn("panic", 0)-uint64(at)+0x10-5))...))
	b.U64(stackB+0x3f00, fn("worker", 0x50), 0, fn("worker", 0x40), 0, fn("schedule", 0x20), 0, fn("ret_from_fork", 0x20))
	u = open(t, b)
	tr := u.Task(context.Background(), &running)
	if got := names(tr); got != "worker schedule ret_from_fork thread-start" || tr.Source != FromSearch || !errors.Is(tr.Err, ErrNoRegisters) {
		t.Errorf("%s from %q (%v)", got, tr.Source, tr.Err)
	}
	for i, f := range tr.Frames {
		if f.Reliable || (f.Method == unwind.MethodGuess) != (i == 0) {
			t.Errorf("frame %d: %+v", i, f)
		}
	}
}

func TestCrashNote(t *testing.T) {
	b := build(t)
	note := make([]byte, noteSize)
	binary.LittleEndian.PutUint32(note, 5)
	binary.LittleEndian.PutUint32(note[4:], 336)
	binary.LittleEndian.PutUint32(note[8:], 1)
	copy(note[12:], "CORE")
	binary.LittleEndian.PutUint32(note[20+32:], 77)
	binary.LittleEndian.PutUint64(note[20+112+16*8:], fn("worker", 0x10)) // rip
	b.Bytes(kerneltest.PerCPU(0)+pcNotes, note)
	u := open(t, b)
	r, ok := u.Registers(0)
	if !ok || r.PID != 77 || r.Regs.Val(arch.RIP) != fn("worker", 0x10) || Source(r.Source) != FromCrashNotes {
		t.Errorf("CPU 0: %+v, %v", r, ok)
	}
	if r, ok := u.Registers(1); ok {
		t.Errorf("CPU 1 saved nothing, but has %+v", r)
	}
}

// TestContextSwitch: the stack belongs to current_task while rq.curr is ahead.
func TestContextSwitch(t *testing.T) {
	b := build(t)
	b.U64(kerneltest.PerCPU(0)+pcRunqueues, uint64(taskA), 0)
	u := open(t, b)
	if tr := u.Task(context.Background(), &sleeping); tr.Running || tr.Source != FromTask {
		t.Errorf("next task: %+v", tr)
	}
	if tr := u.Task(context.Background(), &running); !tr.Running || tr.CPU != 0 {
		t.Errorf("current task: %+v", tr)
	}
}

func TestStacksOfCPU(t *testing.T) {
	u := open(t, build(t))
	want := map[arch.StackKind][2]mem.Virt{
		arch.TaskStack:  {stackB, stackB + 0x4000},
		arch.IRQStack:   {irqTop - 0x4000, irqTop},
		arch.DFStack:    {estacks + 0x1000, estacks + 0x2000},
		arch.NMIStack:   {estacks + 0x2000, estacks + 0x3000},
		arch.DBStack:    {estacks + 0x3000, estacks + 0x5000},
		arch.EntryStack: {entryTop - 512, entryTop},
	}
	got := u.Stacks(&running)
	for _, s := range got {
		if w := want[s.Kind]; s.Lo != w[0] || s.Hi != w[1] {
			t.Errorf("%v stack is %v to %v, want %v to %v", s.Kind, s.Lo, s.Hi, w[0], w[1])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d stacks, want %d", len(got), len(want))
	}
	if got := u.Stacks(&sleeping); len(got) != 1 || got[0].Kind != arch.TaskStack {
		t.Errorf("a sleeping task's: %+v", got)
	}
	if got := u.perCPU[1]; len(got) != 0 {
		t.Errorf("a CPU that never came up has %+v", got)
	}
}

func TestNoStack(t *testing.T) {
	u := open(t, build(t))
	for name, tk := range map[string]task.Task{
		"dead":        {Addr: taskA},
		"below":       {Addr: taskA, Stack: stackA, SP: stackA - 8},
		"at the end":  {Addr: taskA, Stack: stackA, SP: stackA + 0x4000 - 56},
		"wraps round": {Addr: taskA, Stack: stackA, SP: ^mem.Virt(7)},
	} {
		if tr := u.Task(context.Background(), &tk); !errors.Is(tr.Err, ErrNoStack) || len(tr.Frames) != 0 {
			t.Errorf("%s: %+v", name, tr)
		}
	}
	b := build(t)
	b.Lose(stackA+0x3000, mem.ErrExcluded)
	u = open(t, b)
	if tr := u.Task(context.Background(), &sleeping); !errors.Is(tr.Err, mem.ErrExcluded) {
		t.Errorf("excluded stack: %v", tr.Err)
	}
}

func TestIdentify(t *testing.T) {
	u := open(t, build(t))
	run := u.testRunning()
	at := func(sp mem.Virt, cs uint64) arch.Regs {
		r := arch.Regs{Full: true, CS: cs}
		r.Set(arch.RSP, uint64(sp))
		return r
	}
	for name, c := range map[string]struct {
		n    arch.CPU
		want int // -1: unknown
	}{
		"GS base":         {arch.CPU{Control: &arch.Control{GSBase: uint64(kerneltest.PerCPU(1))}}, 1},
		"kernel GS base":  {arch.CPU{Control: &arch.Control{KernelGSBase: uint64(kerneltest.PerCPU(1)), HasKernelGSBase: true}}, 1},
		"task's stack":    {arch.CPU{Regs: at(stackB+0x3000, arch.KernelCS)}, 0},
		"IRQ stack":       {arch.CPU{Regs: at(irqTop-0x100, arch.KernelCS)}, 0},
		"PID":             {arch.CPU{Regs: at(0x7fff0000, arch.UserCS), PID: 77}, 0},
		"PID of QEMU":     {arch.CPU{Regs: at(0x7fff0000, arch.UserCS), PID: 77, Control: &arch.Control{}}, -1},
		"unknown PID":     {arch.CPU{Regs: at(0x7fff0000, arch.UserCS), PID: 78}, -1},
		"somewhere":       {arch.CPU{Regs: at(base, arch.KernelCS)}, -1},
		"no registers":    {arch.CPU{}, -1},
		"GS base of none": {arch.CPU{Control: &arch.Control{}}, -1},
	} {
		cpu, ok := u.identify(&c.n, run)
		if ok != (c.want >= 0) || ok && cpu != c.want {
			t.Errorf("%s: CPU %d, %v", name, cpu, ok)
		}
	}
}

func TestFuncStart(t *testing.T) {
	b := build(t)
	b.Sym("panic.cold", text+0x800)
	b.Sym("twice", text+0x900)
	b.Sym("twice", text+0xa00)
	b.Sym("twice.cold", text+0xb00)
	c := open(t, b).code
	for pc, want := range map[mem.Virt]mem.Virt{
		text + 0x123: text + 0x100,
		text + 0x823: mem.Virt(fn("panic", 0)),
		text + 0xa10: text + 0xa00,
		text + 0xb10: text + 0xb00, // of which function cannot be told
	} {
		if got, ok := c.FuncStart(pc); !ok || got != want {
			t.Errorf("%v: %v, %v", pc, got, ok)
		}
	}
	if at, ok := c.FuncStart(0x1000); ok {
		t.Errorf("user code lies in %v", at)
	}
}

// TestCode: the kinds of code by address.
func TestCode(t *testing.T) {
	c := open(t, build(t)).code
	for pc, want := range map[mem.Virt]unwind.Code{
		text: unwind.Text, text - 1: unwind.NotCode, text + 0x1000: unwind.NotCode,
		mem.Virt(fn("entry_irq", 5)): unwind.EntryText, mem.Virt(fn("irq_handler", 0)): unwind.Text,
		0: unwind.NotCode, moduleLo + 5: unwind.NotCode, moduleHi: unwind.NotCode,
	} {
		if got := c.Code(pc); got != want {
			t.Errorf("%v: %d, want %d", pc, got, want)
		}
	}
}

func TestMissing(t *testing.T) {
	b := build(t)
	b.Bytes(orcs, make([]byte, 6*len(funcs))) // entries of no known format
	u := open(t, b)
	if u.ORC() || len(u.Problems) == 0 {
		t.Errorf("a table of zeros is used: %v", u.Problems)
	}
	k := kerneltest.New(t, 1)
	k.Types("task_struct 16\n 0 ptr stack\n 8 s32 pid\n")
	if u, err := New(k.Kernel()); err == nil || u != nil {
		t.Error("a kernel without symbols has stacks")
	}
}

func BenchmarkAll(b *testing.B) {
	u := open(b, build(b))
	tasks := make([]task.Task, 2000)
	for i := range tasks {
		tasks[i] = sleeping
	}
	for b.Loop() {
		u.All(context.Background(), tasks)
	}
}

// testRunning is what the scheduler says of the test kernel.
func (u *Unwinder) testRunning() []sched.Current { return []sched.Current{{CPU: 0, Task: taskB}} }

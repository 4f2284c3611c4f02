package unwind

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/kinquest/inquest/arch"
	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/unwind/orc"
)

// fake is a little kernel: functions of 0x100 bytes from textBase on, one for
// each name, all of whose bytes are calls into the first one (so that every
// address in steps of 5 follows a call); ORC entries by name; and stacks.
type fake struct {
	names []string
	orc   map[string]orc.Entry
	mem   map[mem.Virt]uint64 // stack words by address
}

const (
	textBase = mem.Virt(0xffffffff81000000)
	funcSize = 0x100
	genBase  = mem.Virt(0xffffffffc0000000)

	taskTop = mem.Virt(0xffffc90000004000)
	irqTop  = mem.Virt(0xffffc90000104000)
	nmiTop  = mem.Virt(0xfffffe0000010000)
)

var (
	taskStack = Stack{arch.TaskStack, taskTop - 0x4000, taskTop}
	irqStack  = Stack{arch.IRQStack, irqTop - 0x4000, irqTop}
	nmiStack  = Stack{arch.NMIStack, nmiTop - 0x1000, nmiTop}
)

func (k *fake) Code(pc mem.Virt) Code {
	switch i := int64(pc-textBase) / funcSize; {
	case pc >= genBase && pc < genBase+0x1000:
		return Generated
	case pc < textBase || i >= int64(len(k.names)):
		return NotCode
	case strings.HasPrefix(k.names[i], "entry"):
		return EntryText
	default:
		return Text
	}
}

func (k *fake) FuncStart(pc mem.Virt) (mem.Virt, bool) {
	if c := k.Code(pc); c == NotCode || c == Generated {
		return 0, false
	}
	return pc &^ (funcSize - 1), true
}

func (k *fake) Find(pc mem.Virt) (orc.Entry, error) {
	if c := k.Code(pc); c == NotCode || c == Generated {
		return orc.Entry{}, orc.ErrNoEntry
	}
	e, ok := k.orc[k.names[(pc-textBase)/funcSize]]
	if !ok {
		e = orc.Entry{SPOffset: 16, BPOffset: -16, SPReg: orc.RegSP, BPReg: orc.RegPrevSP, Type: orc.TypeCall}
	}
	return e, nil
}

func (k *fake) ReadMem(p []byte, addr mem.Virt) (int, error) {
	for i := range p {
		a := addr + mem.Virt(i)
		if k.Code(a) != NotCode { // call to textBase, ending at multiples of 5
			next := a - (a-textBase)%5 + 5
			b := append([]byte{0xe8}, binary.LittleEndian.AppendUint32(nil, uint32(textBase-next))...)
			p[i] = b[5-(next-a)]
			continue
		}
		w, ok := k.mem[a&^7]
		if !ok && !k.hasPage(a) {
			return i, mem.Fault(a, mem.ErrUnmapped)
		}
		p[i] = byte(w >> (a % 8 * 8))
	}
	return len(p), nil
}

func (k *fake) hasPage(a mem.Virt) bool {
	for _, s := range []Stack{taskStack, irqStack, nmiStack} {
		if s.contains(a, 1) {
			return true
		}
	}
	return false
}

// pc gives the address of a name with an offset, which becomes the next one
// that follows a call.
func (k *fake) pc(t testing.TB, s string) mem.Virt {
	name, off, _ := strings.Cut(s, "+")
	for i, n := range k.names {
		if n == name {
			o, _ := strconv.ParseUint(off, 0, 64)
			a := textBase + mem.Virt(i*funcSize)
			if o != 0 {
				a += mem.Virt(o) - (a-textBase+mem.Virt(o))%5 + 5
			}
			return a
		}
	}
	t.Fatalf("no function %q", name)
	return 0
}

// put writes words below top, one a line, outermost last; a word is a number, a
// function+offset, or top-N.
func (k *fake) put(t testing.TB, top mem.Virt, text string) (lowest mem.Virt) {
	words := strings.Fields(text)
	at := top - mem.Virt(8*len(words))
	lowest = at
	for _, s := range words {
		k.mem[at] = k.word(t, top, s)
		at += 8
	}
	return lowest
}

func (k *fake) word(t testing.TB, top mem.Virt, s string) uint64 {
	if v, err := strconv.ParseUint(s, 0, 64); err == nil {
		return v
	}
	bases := map[string]mem.Virt{"top": top, "task": taskTop, "irq": irqTop, "nmi": nmiTop, "gen": genBase}
	for name, base := range bases {
		if rest, ok := strings.CutPrefix(s, name+"-"); ok {
			v, _ := strconv.ParseUint(rest, 0, 64)
			return uint64(base) - v
		}
	}
	return uint64(k.pc(t, s))
}

// regs is the text of a pt_regs whose general registers are all 0x77 but RBP.
func regs(bp, ip, cs, sp, ss string) string {
	return strings.Join([]string{
		"0x77 0x77 0x77 0x77", bp, "0x77 0x77 0x77 0x77 0x77 0x77 0x77 0x77 0x77 0x77 0x77",
		ip, cs, "0x246", sp, ss,
	}, " ")
}

var userRegs = regs("0x1", "0x401000", "0x33", "0x7ffff000", "0x2b")

func newFake() *fake {
	return &fake{
		names: []string{"__schedule", "schedule", "read", "fault", "panic", "handler", "irqrun", "entry_sys", "entry_exc", "entry_irq", "hole", "ret_from_fork"},
		orc: map[string]orc.Entry{
			"entry_sys":     {SPReg: orc.RegSP, Type: orc.TypeRegs, Signal: true},
			"entry_exc":     {SPReg: orc.RegSP, Type: orc.TypeRegs, Signal: true},
			"entry_irq":     {SPReg: orc.RegSP, Type: orc.TypeRegs, Signal: true},
			"ret_from_fork": {Type: orc.TypeEnd},
			"hole":          {Type: orc.TypeUndefined},
			"irqrun":        {SPReg: orc.RegSPIndirect, SPOffset: 16, Type: orc.TypeCall},
		},
		mem: map[mem.Virt]uint64{},
	}
}

// start begins at a return address in the lowest word of a stack.
func (k *fake) start(slot mem.Virt) Start {
	var r arch.Regs
	r.Set(arch.RIP, k.mem[slot])
	r.Set(arch.RSP, uint64(slot)+8)
	return Start{Regs: r, Slot: slot, Stacks: []Stack{taskStack, irqStack, nmiStack}}
}

// running begins at a CPU's registers.
func (k *fake) running(pc, sp mem.Virt) Start {
	var r arch.Regs
	r.Set(arch.RIP, uint64(pc))
	r.Set(arch.RSP, uint64(sp))
	r.Set(arch.RBP, 0)
	r.Full, r.CS = true, arch.KernelCS
	return Start{Regs: r, Stacks: []Stack{taskStack, irqStack, nmiStack}}
}

// show writes a trace as text: a line for each frame, function+offset or
// "user", with "?" when unreliable, and the end.
func (k *fake) show(tr Trace) string {
	var b strings.Builder
	for i := range tr.Frames {
		f := &tr.Frames[i]
		if !f.Reliable {
			b.WriteString("? ")
		}
		switch at := f.Lookup(); {
		case f.User():
			b.WriteString("user")
		case k.Code(at) == NotCode:
			fmt.Fprintf(&b, "%#x", uint64(f.PC))
		case k.Code(at) == Generated:
			b.WriteString("generated")
		default:
			b.WriteString(k.names[(at-textBase)/funcSize])
		}
		fmt.Fprintf(&b, "/%v/%v ", f.Method, f.Stack)
	}
	return b.String() + tr.End.String()
}

func (k *fake) walk(s Start) Trace { return New(k, k, k).Walk(context.Background(), s) }

func check(t *testing.T, k *fake, tr Trace, want string) {
	t.Helper()
	if got := k.show(tr); got != want {
		t.Errorf("got  %s\nwant %s\n(%v)", got, want, tr.Err)
	}
}

func TestSleeper(t *testing.T) {
	k := newFake()
	slot := k.put(t, taskTop, "__schedule+0x20 0 schedule+8 0 read+9 0 entry_sys+1 "+userRegs)
	tr := k.walk(k.start(slot))
	check(t, k, tr, "__schedule/start/task schedule/orc/task read/orc/task entry_sys/orc/task user/regs/unknown user")
	if tr.Err != nil {
		t.Error(tr.Err)
	}
	for i, f := range tr.Frames[:4] {
		want := slot + mem.Virt(16*i)
		if f.SP != want || f.Exact || f.Regs != nil || f.RegsAt != 0 {
			t.Errorf("frame %d: %+v, slot is %v", i, f, want)
		}
	}
	if f := tr.Frames[0]; f.CFA != slot+8+16 {
		t.Errorf("CFA is %v", f.CFA)
	}
	u := tr.Frames[4]
	if u.PC != 0x401000 || u.SP != 0x7ffff000 || u.RegsAt != taskTop-arch.PtRegsSize || u.Regs.Val(arch.RAX) != 0x77 {
		t.Errorf("user frame: %+v", u)
	}
}

func TestThreadStart(t *testing.T) {
	k := newFake()
	slot := k.put(t, taskTop, "__schedule+0x20 0 schedule+8 0 ret_from_fork+0x20 0 0 0")
	check(t, k, k.walk(k.start(slot)), "__schedule/start/task schedule/orc/task ret_from_fork/orc/task thread-start")
	// A task that has not run: its return address is the start of a function,
	// and the entry before it is not the one that counts.
	k = newFake()
	slot = k.put(t, taskTop, "ret_from_fork 0 0")
	check(t, k, k.walk(k.start(slot)), "ret_from_fork/start/task thread-start")
}

func TestUserMode(t *testing.T) {
	k := newFake()
	k.put(t, taskTop, "__schedule+0x20 0 schedule+8 0 read+9 0 entry_sys+1 "+userRegs) // stale
	s := k.running(0x401000, 0x7ffff000)
	s.Regs.CS = arch.UserCS
	check(t, k, k.walk(s), "user/start/unknown user")
}

// TestStackSwitches goes from the NMI stack to the IRQ stack, through an
// exception on it, to the task's.
func TestStackSwitches(t *testing.T) {
	k := newFake()
	k.put(t, taskTop, "read+5 0 irqrun+1 0 entry_irq+1 "+regs("0", "schedule+0x30", "0x10", "task-0xc8", "0x18")+
		" 0 read+9 0 entry_sys+1 "+userRegs)
	// irqrun saved RSP on top of the IRQ stack: its own frame lies on the task's.
	k.put(t, irqTop, "handler+1 0 entry_exc+1 "+regs("0", "handler+0x40", "0x10", "irq-0x18", "0x18")+" 0 irqrun+7 task-0x180")
	k.put(t, nmiTop, "panic+1 0 entry_exc+1 "+regs("0", "handler+0x50", "0x10", "irq-0xe0", "0x18"))
	tr := k.walk(k.running(k.pc(t, "panic+0x60"), nmiTop-0xc8))
	check(t, k, tr, "panic/start/NMI panic/orc/NMI entry_exc/orc/NMI handler/regs/IRQ handler/orc/IRQ entry_exc/orc/IRQ handler/regs/IRQ "+
		"irqrun/orc/IRQ entry_irq/orc/task schedule/regs/task read/orc/task entry_sys/orc/task user/regs/unknown user")
	if tr.Err != nil {
		t.Error(tr.Err)
	}
}

func TestNullCall(t *testing.T) {
	k := newFake()
	at := k.put(t, taskTop, "read+5 0 read+9 0 entry_sys+1 "+userRegs)
	tr := k.walk(k.running(0, at))
	check(t, k, tr, "0x0/start/task read/null-call/task read/orc/task entry_sys/orc/task user/regs/unknown user")
	// The word on top is no return address: what follows is guessed.
	at = k.put(t, taskTop, "read+3 0 read+9 0 entry_sys+1 "+userRegs)
	k.mem[at]++
	tr = k.walk(k.running(0x1234, at))
	check(t, k, tr, "0x1234/start/task ? read/guess/task ? entry_sys/orc/task ? user/regs/unknown user")
	if !errors.Is(tr.Err, errNotCode) {
		t.Error(tr.Err)
	}
}

func TestLostWalkSaysSo(t *testing.T) {
	for name, c := range map[string]struct {
		stack, want string
		err         error
	}{
		"overwritten return address": {
			"__schedule+0x20 0 0x4141414141414141 0x4141 read+9 0 entry_sys+1 " + userRegs,
			"__schedule/start/task ? read/guess/task ? entry_sys/orc/task ? user/regs/unknown user", errNotCode},
		"no unwind information": {
			"__schedule+0x20 0 hole+9 0 0x55 entry_sys+1 " + userRegs,
			"__schedule/start/task hole/orc/task ? entry_sys/guess/task ? user/regs/unknown user", errUndefined},
		"return trampoline": { // as the function graph tracer's return_to_handler
			"__schedule+0x20 0 schedule 0 read+9 0 entry_sys+1 " + userRegs,
			"__schedule/start/task ? read/guess/task ? entry_sys/orc/task ? user/regs/unknown user", errTrampoline},
		"overwritten user registers": {
			"__schedule+0x20 0 read+9 0 entry_sys+1 " + strings.Replace(userRegs, "0x33", "0x3332332c", 1),
			"__schedule/start/task read/orc/task entry_sys/orc/task lost", errImplausible},
		"nothing left": {
			"__schedule+0x20 0 0x4141 0x4141 0x4141 0x4141",
			"__schedule/start/task lost", errNotCode},
		"only the user's registers": {
			"__schedule+0x20 0 0x4141 0x4141 " + userRegs,
			"__schedule/start/task ? user/guess/unknown user", errNotCode},
		"exception frame behind the damage": {
			"__schedule+0x20 0 0x4141 0x4141 " + regs("0", "schedule+0x30", "0x10", "task-0xc8", "0x18") + " 0x4141 read+9 0 entry_sys+1 " + userRegs,
			"__schedule/start/task ? schedule/guess/task ? read/orc/task ? entry_sys/orc/task ? user/regs/unknown user", errNotCode},
	} {
		k := newFake()
		tr := k.walk(k.start(k.put(t, taskTop, c.stack)))
		t.Log(name)
		check(t, k, tr, c.want)
		if !errors.Is(tr.Err, c.err) {
			t.Errorf("%s: %v", name, tr.Err)
		}
	}
}

// TestGuessChangesStacks: a walk that is lost on the IRQ stack goes on through
// the pt_regs it finds, or through the link at the stack's end.
func TestGuessChangesStacks(t *testing.T) {
	k := newFake()
	k.put(t, taskTop, "0x41 read+9 0 entry_sys+1 "+userRegs)
	at := k.put(t, irqTop, "0x41 0x41 0x41 task-0xc8")
	tr := k.walk(k.running(k.pc(t, "handler+0x41"), at))
	check(t, k, tr, "handler/start/IRQ ? read/guess/task ? entry_sys/orc/task ? user/regs/unknown user")

	k = newFake()
	k.put(t, taskTop, "0x41 0x41 read+9 0 entry_sys+1 "+userRegs)
	at = k.put(t, nmiTop, "0x41 0x41 0x41 "+regs("0", "read+0x41", "0x10", "task-0xc8", "0x18"))
	tr = k.walk(k.running(k.pc(t, "handler+0x41"), at))
	check(t, k, tr, "handler/start/NMI ? read/guess/task ? read/orc/task ? entry_sys/orc/task ? user/regs/unknown user")
}

func TestNoLoops(t *testing.T) {
	// Registers that point back to their own stack's inner end, and a stack
	// that was left before.
	k := newFake()
	k.put(t, nmiTop, "panic+1 0 entry_exc+1 "+regs("0", "panic+0x50", "0x10", "nmi-0xf0", "0x18"))
	tr := k.walk(k.running(k.pc(t, "panic+0x60"), nmiTop-0xc8))
	if tr.End != EndLost || !errors.Is(tr.Err, errDirection) {
		t.Errorf("inward: %s (%v)", k.show(tr), tr.Err)
	}
	k = newFake()
	k.put(t, nmiTop, "entry_exc+1 "+regs("0", "panic+0x50", "0x10", "irq-0xb0", "0x18"))
	k.put(t, irqTop, "entry_exc+1 "+regs("0", "panic+0x50", "0x10", "nmi-0x8", "0x18"))
	tr = k.walk(k.start(nmiTop - 0xb0))
	if tr.End != EndLost || !errors.Is(tr.Err, errRevisit) && !errors.Is(tr.Err, errNotCode) {
		t.Errorf("back: %s (%v)", k.show(tr), tr.Err)
	}
}

func TestOverflowIntoGuardPage(t *testing.T) {
	k := newFake()
	k.orc["fault"] = orc.Entry{SPOffset: 0x18, SPReg: orc.RegSP, Type: orc.TypeCall}
	k.mem[taskStack.Lo] = uint64(k.pc(t, "read+9"))
	k.put(t, taskTop, userRegs)
	tr := k.walk(k.running(k.pc(t, "fault+0x20"), taskStack.Lo-0x10))
	if got := k.show(tr); !strings.HasPrefix(got, "fault/start/task read/orc/task ") {
		t.Errorf("%s (%v)", got, tr.Err)
	}
}

func TestStartElsewhere(t *testing.T) {
	k := newFake()
	tr := k.walk(k.running(k.pc(t, "read+9"), 0xffff888000001000))
	check(t, k, tr, "read/start/unknown lost")
	if !errors.Is(tr.Err, errOffStack) {
		t.Error(tr.Err)
	}
	if tr := k.walk(Start{}); len(tr.Frames) != 0 || tr.Err == nil || tr.End != EndLost {
		t.Errorf("no registers: %+v", tr)
	}
}

func TestFramePointers(t *testing.T) {
	k := newFake()
	// __schedule and read have frames; entry code calls C with RSP at pt_regs.
	at := k.put(t, taskTop, "__schedule+0x20 0x5 0x5 task-0xb8 read+9 0x5 0x5 0 entry_sys+1 "+userRegs)
	s := k.start(at)
	s.Regs.Set(arch.RBP, uint64(at)+24)
	tr := New(k, nil, k).Walk(context.Background(), s)
	check(t, k, tr, "__schedule/start/task read/frame-pointer/task entry_sys/frame-pointer/task user/regs/unknown user")
	if tr.Err != nil || tr.Frames[2].SP != taskTop-arch.PtRegsSize-8 {
		t.Errorf("%+v, %v", tr.Frames[2], tr.Err)
	}
	// RBP marks saved registers; a thread's first frame has none.
	at = k.put(t, taskTop, regs("task-0x10", "read+0x41", "0x10", "task-0x20", "0x18")+" 0x5 0x5 0 ret_from_fork+9")
	k.names[11] = "entry_fork"
	s = k.running(k.pc(t, "handler+0x41"), at-8)
	s.Regs.Set(arch.RBP, uint64(at)|1)
	tr = New(k, nil, k).Walk(context.Background(), s)
	check(t, k, tr, "handler/start/task read/regs/task entry_fork/frame-pointer/task thread-start")
}

func TestGeneratedCode(t *testing.T) {
	k := newFake()
	at := k.put(t, taskTop, "gen-0 0x5 task-0x0 read+9 0 entry_sys+1 "+userRegs)
	k.mem[at] = uint64(genBase) + 0x25
	s := k.start(at)
	s.Regs.Set(arch.RBP, uint64(at)+16)
	tr := k.walk(s)
	check(t, k, tr, "generated/start/task ? read/frame-pointer/task ? entry_sys/orc/task ? user/regs/unknown user")
	if !errors.Is(tr.Err, orc.ErrNoEntry) {
		t.Error(tr.Err)
	}
}

func TestLimits(t *testing.T) {
	k := newFake()
	slot := k.put(t, taskTop, "__schedule+0x20 0 schedule+8 0 read+9 0 entry_sys+1 "+userRegs)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	tr := New(k, k, k).Walk(ctx, k.start(slot))
	if tr.End != EndLimit || !errors.Is(tr.Err, context.Canceled) || len(tr.Frames) != 1 {
		t.Errorf("cancelled: %+v", tr)
	}
	big := Stack{arch.TaskStack, taskTop - 1<<20, taskTop}
	for at := big.Lo; at < big.Hi; at += 8 {
		k.mem[at] = uint64(k.pc(t, "read+9"))
	}
	k.orc["read"] = orc.Entry{SPOffset: 8, SPReg: orc.RegSP, Type: orc.TypeCall}
	s := k.start(big.Lo)
	s.Stacks = []Stack{big}
	tr = k.walk(s)
	if tr.End != EndLimit || len(tr.Frames) != maxFrames || tr.Err == nil {
		t.Errorf("endless: %d frames, %v, %v", len(tr.Frames), tr.End, tr.Err)
	}
}

func TestIndirectCall(t *testing.T) {
	for text, want := range map[string]bool{
		"ff d0":                true,  // call *%rax
		"41 ff d3":             true,  // call *%r11
		"ff 10":                true,  // call *(%rax)
		"ff 50 18":             true,  // call *0x18(%rax)
		"ff 90 00 01 00 00":    true,  // call *0x100(%rax)
		"ff 15 00 01 00 00":    true,  // call *0x100(%rip)
		"ff 14 c5":             false, // cut short
		"ff 14 c5 00 10 00 00": true,  // call *0x1000(,%rax,8)
		"ff 14 24":             true,  // call *(%rsp)
		"ff 54 24 08":          true,  // call *8(%rsp)
		"ff 94 24 00 01 00 00": true,  // call *0x100(%rsp)
		"ff e0":                false, // jmp *%rax
		"ff 30":                false, // push (%rax)
		"ff 15 00 01 00":       false,
		"90 90 90":             false,
	} {
		b := make([]byte, maxCallLen)
		f := strings.Fields(text)
		for i, s := range f {
			v, _ := strconv.ParseUint(s, 16, 8)
			b[len(b)-len(f)+i] = byte(v)
		}
		if got := indirectCall(b); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// FuzzWalk walks stacks of any words: every walk ends, goes outward on each
// stack, and says why it was lost.
func FuzzWalk(f *testing.F) {
	f.Add(make([]byte, 256), uint16(0x100), false)
	f.Add([]byte("\x09\x00\x00\x81\xff\xff\xff\xff"), uint16(8), true)
	f.Fuzz(func(t *testing.T, b []byte, below uint16, fps bool) {
		k := newFake()
		at := taskTop - mem.Virt(below)
		for i := 0; i+8 <= len(b); i += 8 {
			k.mem[at&^7+mem.Virt(i)] = binary.LittleEndian.Uint64(b[i:])
		}
		var o ORC = k
		if fps {
			o = nil
		}
		s := k.running(k.pc(t, "read+9"), at)
		s.Regs.Set(arch.RBP, uint64(at+8))
		tr := New(k, o, k).Walk(context.Background(), s)
		if len(tr.Frames) == 0 || len(tr.Frames) > maxFrames {
			t.Fatalf("%d frames", len(tr.Frames))
		}
		if (tr.End == EndLost || tr.End == EndLimit) && tr.Err == nil {
			t.Fatalf("%v without a reason", tr.End)
		}
		reliable := true
		for i := range tr.Frames {
			fr := &tr.Frames[i]
			if fr.Reliable && !reliable {
				t.Fatalf("frame %d is reliable after one that is not", i)
			}
			reliable = fr.Reliable
			if i > 0 && fr.Stack == tr.Frames[i-1].Stack && !fr.User() && fr.SP < tr.Frames[i-1].SP {
				t.Fatalf("frame %d lies inward: %+v", i, tr.Frames)
			}
		}
	})
}

func BenchmarkWalk(b *testing.B) {
	k := newFake()
	slot := k.put(b, taskTop, "__schedule+0x20 0 "+strings.Repeat("schedule+8 0 ", 10)+"read+9 0 entry_sys+1 "+userRegs)
	u := New(k, k, k)
	s := k.start(slot)
	b.ReportAllocs()
	for b.Loop() {
		if tr := u.Walk(context.Background(), s); tr.End != EndUser {
			b.Fatal(tr.Err)
		}
	}
}

// TestCallSite: a function without an entry is left by the call of it; every
// call of the fake kernel is one of __schedule.
func TestCallSite(t *testing.T) {
	k := newFake()
	k.orc["__schedule"] = orc.Entry{Type: orc.TypeUndefined}
	k.orc["read"] = orc.Entry{SPOffset: 16, BPOffset: -16, SPReg: orc.RegBP, BPReg: orc.RegPrevSP, Type: orc.TypeCall}
	at := k.put(t, taskTop, "0x1 0x2 read+9 0x3 0 entry_sys+1 "+userRegs)
	s := k.running(k.pc(t, "__schedule+0x40"), at)
	s.Regs.Set(arch.RBP, uint64(at)+32) // read's frame, which __schedule left alone
	tr := k.walk(s)
	// entry_sys does not call read: RBP cannot be taken on trust.
	check(t, k, tr, "__schedule/start/task read/call-site/task ? entry_sys/guess/task ? user/regs/unknown user")
	if tr.Err == nil || tr.Frames[1].SP != at+16 || tr.Frames[0].CFA != at+24 {
		t.Errorf("%+v, %v", tr.Frames, tr.Err)
	}
	// With __schedule as the caller's function the call does fit.
	k.orc["schedule"] = orc.Entry{SPOffset: 16, SPReg: orc.RegSP, Type: orc.TypeCall}
	at = k.put(t, taskTop, "0x1 0x2 schedule+9 0x3 read+9 0x3 task-0xb8 0x5 0 entry_sys+1 "+userRegs)
	tr = k.walk(k.running(k.pc(t, "__schedule+0x40"), at))
	if got := k.show(tr); !strings.HasPrefix(got, "__schedule/start/task schedule/call-site/task read/orc/task ") {
		t.Errorf("%s (%v)", got, tr.Err)
	}
	// No word follows a call of the function: the walk is lost.
	k.orc["hole"] = orc.Entry{Type: orc.TypeUndefined}
	at = k.put(t, taskTop, "0x1 read+9 0x3 0 entry_sys+1 "+userRegs)
	tr = k.walk(k.running(k.pc(t, "hole+0x40"), at))
	if !errors.Is(tr.Err, errUndefined) || tr.Frames[1].Reliable {
		t.Errorf("%s (%v)", k.show(tr), tr.Err)
	}
}

// TestNoreturnCall: a return address may be the first byte of the next function.
func TestNoreturnCall(t *testing.T) {
	k := newFake()
	k.names = append([]string{"a", "b", "c"}, k.names...) // read moves to 0x500, which follows a call
	slot := k.put(t, taskTop, "read 0 entry_sys+1 "+userRegs)
	check(t, k, k.walk(k.start(slot)), "schedule/start/task entry_sys/orc/task user/regs/unknown user")
}

func TestGuessedStart(t *testing.T) {
	k := newFake()
	s := k.start(k.put(t, taskTop, "read+9 0 entry_sys+1 "+userRegs))
	s.Guess = true
	check(t, k, k.walk(s), "? read/guess/task ? entry_sys/orc/task ? user/regs/unknown user")
}

// BenchmarkHostile walks a big stack of nothing but return addresses into a
// function that no table covers: the worst that a dump can hold.
func BenchmarkHostile(b *testing.B) {
	k := newFake()
	big := Stack{arch.TaskStack, taskTop - 128<<10, taskTop}
	for at := big.Lo; at < big.Hi; at += 8 {
		k.mem[at] = uint64(k.pc(b, "hole+9"))
	}
	s := k.start(big.Lo)
	s.Stacks = []Stack{big}
	u := New(k, k, k)
	for b.Loop() {
		u.Walk(context.Background(), s)
	}
}

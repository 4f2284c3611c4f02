// Package unwind walks the stacks of an x86_64 kernel: by the ORC tables of the
// kernel and its modules, by frame pointers where there are none, and as a last
// resort by guessing, which it says. It knows nothing of tasks; see
// kernel/stack.
package unwind

import (
	"context"
	"sync"

	"github.com/kinquest/inquest/arch"
	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/unwind/orc"
)

// Method says how a frame was found.
type Method uint8

// The methods, surest first.
const (
	MethodStart Method = iota // the registers the walk began with
	MethodRegs                // registers that an exception or interrupt saved, found by the frame below
	MethodORC                 // the kernel's ORC table
	MethodCall                // a word of the stack that follows a call of the very function below, which has no ORC entry
	MethodNull                // the word on top of the stack, after a jump to no code
	MethodFP                  // the chain of frame pointers
	MethodGuess               // a word of the stack that follows a call instruction
)

var methodNames = [...]string{"start", "regs", "orc", "call-site", "null-call", "frame-pointer", "guess"}

// String is the method's name in machine-readable output.
func (m Method) String() string {
	if int(m) < len(methodNames) {
		return methodNames[m]
	}
	return "unknown"
}

// Frame is one function on a stack, or the interrupted user code at its end.
type Frame struct {
	// PC is the return address into the function; when Exact, the instruction
	// the CPU was at.
	PC mem.Virt
	// SP is the address of the stack slot that holds PC: what crash prints in
	// brackets. Of an Exact frame it is the value of RSP.
	SP mem.Virt
	// CFA is the stack pointer of the caller at its call (the slot above this
	// frame's own return address); 0 when the walk did not get that far.
	CFA mem.Virt
	// FP is the value of RBP in the frame; 0 when it is unknown.
	FP mem.Virt
	// Regs are the registers of an Exact frame, as far as they were saved; nil
	// for the others.
	Regs *arch.Regs
	// RegsAt is the address of the struct pt_regs that Regs came from; 0 when
	// they came from elsewhere. Of a partial frame it is where the whole
	// structure would begin.
	RegsAt mem.Virt
	Stack  arch.StackKind // stack that SP lies on; NoStack for user code
	Method Method
	// Reliable: this frame and all below it follow from the kernel's own data.
	Reliable bool
	Exact    bool
}

// Lookup is the address to find the function's name by: PC, or the call before
// it, which may be the last instruction of a function.
func (f *Frame) Lookup() mem.Virt {
	if f.Exact {
		return f.PC
	}
	return f.PC - 1
}

// User says whether the frame is user code, with the registers it had on entry
// to the kernel.
func (f *Frame) User() bool { return f.Regs != nil && f.Regs.User() }

// End says where a walk ended.
type End uint8

// The ends of a walk.
const (
	EndLost  End = iota // before the outermost frame; see Trace.Err
	EndUser             // at the registers that user mode entered the kernel with
	EndTask             // at the beginning of a kernel thread, a new task or a CPU
	EndLimit            // at the limit of frames, or the context's end
)

var endNames = [...]string{"lost", "user", "thread-start", "limit"}

// String is the end's name in machine-readable output.
func (e End) String() string {
	if int(e) < len(endNames) {
		return endNames[e]
	}
	return "unknown"
}

// Trace is a walked stack, innermost frame first.
type Trace struct {
	Frames []Frame
	End    End
	// Err is the first thing that went wrong: why frames from there on are
	// unreliable, or missing. Nil when the walk was sound to its end.
	Err error
}

// Stack is a kernel stack that a walk may go through.
type Stack struct {
	Kind   arch.StackKind
	Lo, Hi mem.Virt
}

// contains says whether n bytes at addr lie on the stack.
func (s *Stack) contains(addr mem.Virt, n uint64) bool {
	return addr >= s.Lo && addr < s.Hi && uint64(s.Hi-addr) >= n
}

// Code says what kind of code lies at an address.
type Code uint8

// The kinds of code.
const (
	NotCode   Code = iota
	Text           // of the kernel or a module
	EntryText      // of the kernel, where exceptions, interrupts and system calls enter
	Generated      // may be a BPF program, an ftrace or kprobe trampoline
)

// Coder knows the kernel's code. Implementations are safe for concurrent use.
type Coder interface {
	// Code gives the kind of code at pc.
	Code(pc mem.Virt) Code
	// FuncStart gives the address of the function that pc lies in.
	FuncStart(pc mem.Virt) (mem.Virt, bool)
}

// ORC finds the unwind entry of a text address; the error is orc.ErrNoEntry
// when there is none. *orc.Set is one.
type ORC interface {
	Find(pc mem.Virt) (orc.Entry, error)
}

// Unwinder walks stacks of one kernel. It is safe for concurrent use.
type Unwinder struct {
	mem  mem.Reader[mem.Virt]
	orc  ORC
	code Coder
	pool sync.Pool // of *walk
}

// New makes an Unwinder. Without ORC tables (o is nil) it follows frame
// pointers.
func New(m mem.Reader[mem.Virt], o ORC, c Coder) *Unwinder {
	return &Unwinder{mem: m, orc: o, code: c}
}

// Start is where a walk begins.
type Start struct {
	// Regs has at least RIP and RSP; RBP where it is known. When they are those
	// of user mode, the trace is one frame that says so.
	Regs arch.Regs
	// Slot is the address RIP was read from when it is a return address, as in
	// a task that gave up the CPU; 0 when the CPU was at RIP.
	Slot mem.Virt
	// RegsAt is the address of the pt_regs that Regs are, or 0.
	RegsAt mem.Virt
	// Guess: that RIP is a live return address is a guess; no frame is reliable.
	Guess bool
	// Stacks are those the walk may go through, each at most once: the task's,
	// and those of the CPU that it was on.
	Stacks []Stack
}

// maxFrames bounds a walk. A 16 KiB stack has room for 1,000 of the smallest
// frames, and there is one big stack among those of a CPU.
const maxFrames = 4096

// Walk gives the frames from start outward. It always ends: every frame lies
// above the one before it or on a stack that was not visited yet. When neither
// tables nor frame pointers lead on, it says so in Trace.Err and goes on with
// words of the stack that follow a call instruction: unreliable frames.
func (u *Unwinder) Walk(ctx context.Context, start Start) Trace {
	w, _ := u.pool.Get().(*walk)
	if w == nil {
		w = new(walk)
	}
	w.reset(u, &start)
	w.run(ctx, &start)
	t := w.trace
	w.trace = Trace{}
	w.stacks = nil
	u.pool.Put(w)
	return t
}

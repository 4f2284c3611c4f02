package tasks

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/kinquest/inquest/arch"
	"github.com/kinquest/inquest/command"
	"github.com/kinquest/inquest/kernel/stack"
	"github.com/kinquest/inquest/kernel/task"
	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/render"
	"github.com/kinquest/inquest/unwind"
)

// BtResult is a list of kernel stacks.
type BtResult struct {
	command.Partial
	Stacks []Backtrace `json:"stacks"`
}

// Backtrace is the kernel stack of one task, innermost frame first.
type Backtrace struct {
	Head
	Running bool      `json:"running"`
	Source  string    `json:"source,omitempty"` // of the registers that the walk began with
	Frames  []BtFrame `json:"frames"`
	End     string    `json:"end"`             // lost, user, thread-start, limit
	Err     string    `json:"error,omitempty"` // why frames are missing or doubtful

	style btStyle
	noted string // the error as the text form shows it
}

// BtFrame is one function on a stack, or the user code at its end.
type BtFrame struct {
	PC       render.Hex `json:"pc"`
	SP       render.Hex `json:"sp"` // where PC was read; of an exact frame, RSP
	Function string     `json:"function,omitempty"`
	Offset   uint64     `json:"offset"`
	Module   string     `json:"module,omitempty"`
	Stack    string     `json:"stack,omitempty"`
	Method   string     `json:"method"`   // how the frame was found
	Reliable bool       `json:"reliable"` // it follows from the kernel's own data
	Exact    bool       `json:"exact"`    // PC is where the CPU was, no return address
	User     bool       `json:"user,omitempty"`
	Regs     *Registers `json:"registers,omitempty"`
	Words    []Word     `json:"words,omitempty"`
}

// Registers are those that were saved; the others are missing.
type Registers map[string]render.Hex

// Word is a word of a stack.
type Word struct {
	Addr   render.Hex              `json:"addr"`
	Value  command.Opt[render.Hex] `json:"value"`
	Symbol string                  `json:"symbol,omitempty"` // with -F
}

// NewBacktrace names the frames of a task's trace.
func NewBacktrace(env *command.Env, t *task.Task, tr *stack.Trace) Backtrace {
	b := &btBuilder{env: env}
	return b.backtrace(t, tr)
}

// btBuilder names the frames of traces.
type btBuilder struct {
	env   *command.Env
	style btStyle
}

func (b *btBuilder) backtrace(t *task.Task, tr *stack.Trace) Backtrace {
	bt := Backtrace{
		Head: newHead(t), Running: tr.Running, Source: string(tr.Source), End: tr.End.String(),
		Frames: make([]BtFrame, 0, len(tr.Frames)), style: b.style,
	}
	bt.CPU = tr.CPU
	if tr.Err != nil {
		bt.Err = tr.Err.Error()
		bt.noted = bt.Err
		if errors.Is(tr.Err, stack.ErrNoStack) && gone(t) {
			bt.noted = "the task has ended and has no stack"
		}
	}
	for i := range tr.Frames {
		bt.Frames = append(bt.Frames, b.frame(&tr.Frames[i]))
	}
	return bt
}

func (b *btBuilder) frame(f *unwind.Frame) BtFrame {
	out := BtFrame{
		PC: render.Hex(f.PC), SP: render.Hex(f.SP), Method: f.Method.String(), Reliable: f.Reliable,
		Exact: f.Exact, User: f.User(), Regs: registers(f.Regs),
	}
	if out.User {
		return out
	}
	out.Stack = f.Stack.String()
	if s, _, err := b.env.Kernel.Symbols.At(f.Lookup()); err == nil {
		out.Function, out.Module, out.Offset = s.Name, s.Module, uint64(f.PC-s.Addr)
	}
	if b.style.words {
		out.Words = b.words(f)
	}
	return out
}

// maxWords bounds the words of one frame: a whole stack of 64 KiB.
const maxWords = 8192

// words reads a frame's part of the stack: behind the slot of its own return
// address, up to and with that of its caller's.
func (b *btBuilder) words(f *unwind.Frame) []Word {
	lo := f.SP
	if !f.Exact {
		lo += 8
	}
	if f.CFA <= lo || uint64(f.CFA-lo)/8 > maxWords {
		return nil
	}
	out := make([]Word, 0, int(f.CFA-lo)/8)
	for at := lo; at < f.CFA; at += 8 {
		v, err := mem.U64(b.env.Kernel.Mem, at)
		w := Word{Addr: render.Hex(at), Value: command.Got(render.Hex(v), err)}
		if b.style.symbols && err == nil {
			w.Symbol = b.env.SymbolAt(mem.Virt(v))
		}
		out = append(out, w)
	}
	return out
}

// regRows are the general registers as crash arranges them.
var regRows = [][]arch.Reg{
	{arch.RAX, arch.RBX, arch.RCX}, {arch.RDX, arch.RSI, arch.RDI}, {arch.RBP, arch.R8, arch.R9},
	{arch.R10, arch.R11, arch.R12}, {arch.R13, arch.R14, arch.R15},
}

func registers(r *arch.Regs) *Registers {
	if r == nil {
		return nil
	}
	out := Registers{}
	for reg := arch.Reg(0); reg < arch.NumRegs; reg++ {
		if v, ok := r.Get(reg); ok {
			out[reg.String()] = render.Hex(v)
		}
	}
	if r.Full {
		out["RFLAGS"], out["CS"], out["SS"] = render.Hex(r.Flags), render.Hex(r.CS), render.Hex(r.SS)
		if r.Known(arch.RAX) { // of a partial frame only what the CPU pushed is known
			out["ORIG_RAX"] = render.Hex(r.OrigRAX)
		}
	}
	return &out
}

// WriteText writes crash's layout.
func (r *BtResult) WriteText(w *render.Writer) error {
	for i := range r.Stacks {
		if i > 0 {
			w.Text("\n")
		}
		r.Stacks[i].WriteText(w)
	}
	return w.Err()
}

// WriteText writes one stack below its task's line.
func (b *Backtrace) WriteText(w *render.Writer) {
	b.Head.write(w)
	b.WriteFrames(w)
}

// WriteFrames writes the frames without the task's line. As in crash, what an
// exception interrupted has its registers instead of a number.
func (b *Backtrace) WriteFrames(w *render.Writer) {
	number := 0
	for i := range b.Frames {
		f := &b.Frames[i]
		if f.User {
			f.Regs.write(w)
			continue
		}
		// The registers lie on the stack that the exception ran on.
		exception := i > 0 && f.Regs != nil
		if exception {
			w.Printf("    [exception RIP: %s]\n", f.name(true, b.style.hex))
			f.Regs.write(w)
		}
		if i > 0 && f.Stack != b.Frames[i-1].Stack {
			w.Printf("--- <%s stack> ---\n", stackTitle(b.Frames[i-1].Stack))
		}
		if !exception {
			b.writeFrame(w, f, number)
			number++
		}
		writeWords(w, f.Words)
	}
	if b.noted != "" {
		w.Printf("    (%s)\n", render.Line(b.noted))
	}
}

// writeFrame writes the line of a numbered frame.
func (b *Backtrace) writeFrame(w *render.Writer, f *BtFrame, number int) {
	mark, module := "", ""
	if !f.Reliable {
		mark = "? "
	}
	if f.Module != "" {
		module = " [" + render.Line(f.Module) + "]"
	}
	w.Printf("%3s [%016x] %s%s at %016x%s\n", fmt.Sprintf("#%d", number), uint64(f.SP), mark,
		f.name(b.style.offsets, b.style.hex), uint64(f.PC), module)
}

// stackTitle names a stack as crash does, where it has a name for it.
func stackTitle(kind string) string {
	switch kind {
	case arch.DFStack.String():
		return "DOUBLEFAULT exception"
	case arch.DBStack.String():
		return "DEBUG exception"
	case arch.MCEStack.String():
		return "MCE exception"
	case arch.NMIStack.String():
		return "NMI exception"
	}
	return kind
}

func (f *BtFrame) name(offset, hex bool) string {
	switch {
	case f.Function == "":
		return "(unknown)"
	case !offset:
		return render.Line(f.Function)
	case hex:
		return fmt.Sprintf("%s+%#x", render.Line(f.Function), f.Offset)
	}
	return fmt.Sprintf("%s+%d", render.Line(f.Function), f.Offset)
}

// write writes the registers in crash's rows; unknown ones as question marks.
func (r *Registers) write(w *render.Writer) {
	val := func(name string, width int) string {
		if v, ok := (*r)[name]; ok {
			return fmt.Sprintf("%0*x", width, uint64(v))
		}
		return fmt.Sprintf("%-*s", width, "(unknown)")
	}
	w.Printf("    RIP: %s  RSP: %s  RFLAGS: %s\n", val("RIP", 16), val("RSP", 16), val("RFLAGS", 8))
	for _, row := range regRows {
		w.Printf("    %3s: %s  %3s: %s  %3s: %s\n", row[0], val(row[0].String(), 16),
			row[1], val(row[1].String(), 16), row[2], val(row[2].String(), 16))
	}
	w.Printf("    ORIG_RAX: %s  CS: %s  SS: %s\n", val("ORIG_RAX", 16), val("CS", 4), val("SS", 4))
}

func writeWords(w *render.Writer, words []Word) {
	for i, word := range words {
		if i%2 == 0 {
			w.Printf("    %016x: ", uint64(word.Addr))
		}
		text := word.Value.Or("%s", "(unreadable)")
		if word.Value.OK() {
			text = fmt.Sprintf("%016x", uint64(word.Value.V))
		}
		if word.Symbol != "" {
			text = fmt.Sprintf("%-16s", render.Line(word.Symbol))
		}
		w.Printf("%s ", text)
		if i%2 == 1 || i == len(words)-1 {
			w.Text("\n")
		}
	}
}

// le64 reads the little-endian word at the start of b, shorter ones padded.
func le64(b []byte) uint64 {
	var word [8]byte
	copy(word[:], b)
	return binary.LittleEndian.Uint64(word[:])
}

package tasks

import (
	"context"
	"fmt"

	"github.com/kinquest/inquest/command"
	"github.com/kinquest/inquest/kernel/stack"
	"github.com/kinquest/inquest/kernel/task"
	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/render"
)

// ScanResult is the content of stacks, not their frames (bt -r, -t, -T).
type ScanResult struct {
	command.Partial
	Stacks []StackScan `json:"stacks"`

	raw, offsets bool
}

// StackScan is the content of one task's stack.
type StackScan struct {
	Head
	Start string     `json:"start,omitempty"` // the innermost frame: function
	PC    render.Hex `json:"pc,omitempty"`
	Words []ScanWord `json:"words"`
}

// ScanWord is a word of a stack; without -r, one that is an address of code.
type ScanWord struct {
	Word
	Offset uint64 `json:"offset,omitempty"`
	Module string `json:"module,omitempty"`
}

func (a *btArgs) scan(ctx context.Context, env *command.Env, u *stack.Unwinder, who []*task.Task) (command.Result, error) {
	res := &ScanResult{raw: a.style.scan == 'r', offsets: a.style.offsets, Stacks: make([]StackScan, 0, len(who))}
	size, _ := u.Size()
	for _, t := range who {
		if err := ctx.Err(); err != nil {
			return res, err
		}
		s := StackScan{Head: newHead(t), Words: []ScanWord{}}
		from := t.Stack
		if a.style.scan == 't' {
			tr := u.Task(ctx, t)
			if len(tr.Frames) > 0 {
				f := &tr.Frames[0]
				s.PC = render.Hex(f.PC)
				if sym, _, err := env.Kernel.Symbols.At(f.Lookup()); err == nil {
					s.Start = sym.Name
				}
				if f.SP > from && uint64(f.SP-from) < size {
					from = f.SP
				}
			}
		}
		res.Lacks(fmt.Sprintf("stack of PID %d", t.PID), s.read(env, from&^7, t.Stack+mem.Virt(size), res.raw))
		res.Stacks = append(res.Stacks, s)
	}
	return res, nil
}

// read takes the words from lo to hi: all, or those that are addresses of code.
func (s *StackScan) read(env *command.Env, lo, hi mem.Virt, all bool) error {
	if lo == 0 || lo >= hi {
		return stack.ErrNoStack
	}
	var first error
	buf := make([]byte, mem.PageSize)
	for at := lo; at < hi; {
		n := min(int(hi-at), mem.PageSize-int(at%mem.PageSize))
		got, err := env.Kernel.Mem.ReadMem(buf[:n], at)
		if err != nil && first == nil {
			first = err
		}
		for i := 0; i+8 <= got; i += 8 {
			s.word(env, at+mem.Virt(i), le64(buf[i:]), all)
		}
		at += mem.Virt(n)
	}
	return first
}

func (s *StackScan) word(env *command.Env, at mem.Virt, v uint64, all bool) {
	w := ScanWord{Word: Word{Addr: render.Hex(at), Value: command.Some(render.Hex(v))}}
	if !all {
		if !env.Kernel.Symbols.Text(mem.Virt(v)) {
			return
		}
		sym, off, err := env.Kernel.Symbols.At(mem.Virt(v))
		if err != nil {
			return
		}
		w.Symbol, w.Module, w.Offset = sym.Name, sym.Module, off
	}
	s.Words = append(s.Words, w)
}

// WriteText writes crash's layout.
func (r *ScanResult) WriteText(w *render.Writer) error {
	for i := range r.Stacks {
		s := &r.Stacks[i]
		if i > 0 {
			w.Text("\n")
		}
		s.Head.write(w)
		if r.raw {
			for j, word := range s.Words {
				if j%2 == 0 {
					w.Printf("%016x:  ", uint64(word.Addr))
				}
				w.Printf("%016x ", uint64(word.Value.V))
				if j%2 == 1 || j == len(s.Words)-1 {
					w.Text("\n")
				}
			}
			continue
		}
		if s.Start != "" {
			w.Printf("              START: %s at %x\n", render.Line(s.Start), uint64(s.PC))
		}
		for _, word := range s.Words {
			module := ""
			if word.Module != "" {
				module = " [" + render.Line(word.Module) + "]"
			}
			name := render.Line(word.Symbol)
			if r.offsets {
				name += fmt.Sprintf("+%d", word.Offset)
			}
			w.Printf("  [%016x] %s at %016x%s\n", uint64(word.Addr), name, uint64(word.Value.V), module)
		}
	}
	return w.Err()
}

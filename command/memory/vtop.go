package memory

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kinquest/inquest/command"
	"github.com/kinquest/inquest/kernel/task"
	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/mem/xlat"
	"github.com/kinquest/inquest/render"
)

type vtopCommand struct{}

func (vtopCommand) Info() command.Info {
	return command.Info{
		Name: "vtop", Theme: theme, Short: "translate virtual addresses, with every page-table entry",
		Args: "[-k|-u] [-c pid | task] address | symbol ...",
		Help: `  -k        by the kernel's page tables
  -u        by the current task's, which is also the choice for user addresses
  -c task   by this task's`,
	}
}

// vtopArgs is a parsed vtop command line.
type vtopArgs struct {
	kernel, user bool
	sel          *command.TaskSel
	at           []command.Expr
}

func (vtopCommand) Parse(args []string) (command.Job, error) {
	flags, rest, err := command.Getopt("vtop", "kuc:", args)
	if err != nil {
		return nil, err
	}
	a := &vtopArgs{}
	for _, f := range flags {
		switch f.Name {
		case 'k':
			a.kernel = true
		case 'u':
			a.user = true
		case 'c':
			s, err := command.ParseTaskSel("vtop", f.Arg)
			if err != nil {
				return nil, err
			}
			if !s.Exact() {
				return nil, command.Usagef("vtop", "%q is no PID or address of a task", f.Arg)
			}
			a.sel = &s
		}
	}
	if a.kernel && (a.user || a.sel != nil) {
		return nil, command.Usagef("vtop", "-k goes without -u and -c")
	}
	if len(rest) == 0 {
		return nil, command.Usagef("vtop", "takes an address")
	}
	for _, r := range rest {
		e, err := command.ParseExpr(r, true)
		if err != nil {
			return nil, command.Usagef("vtop", "%v", err)
		}
		a.at = append(a.at, e)
	}
	return a.run, nil
}

// kernelHalf is where the kernel's half of the address space begins.
const kernelHalf = 1 << 63

func (a *vtopArgs) run(ctx context.Context, env *command.Env) (command.Result, error) {
	res := &VtopResult{Walks: make([]Walk, 0, len(a.at))}
	for _, e := range a.at {
		v, err := e.Eval(env.Symbol)
		if err != nil {
			return nil, err
		}
		space := env.Kernel.Mem
		if a.user || a.sel != nil || v < kernelHalf && !a.kernel {
			t, err := a.task(ctx, env)
			if err != nil {
				return nil, err
			}
			if space, err = env.UserSpace(t); err != nil {
				return nil, err
			}
		}
		res.Walks = append(res.Walks, newWalk(space, mem.Virt(v)))
	}
	return res, nil
}

// task gives the task of -c, else the current one.
func (a *vtopArgs) task(ctx context.Context, env *command.Env) (*task.Task, error) {
	if a.sel == nil {
		return env.Current(ctx)
	}
	tab, err := env.Tasks(ctx)
	if err != nil {
		return nil, err
	}
	for i := range tab.Tasks {
		t := &tab.Tasks[i]
		if a.sel.Match(int(t.PID), t.Addr, t.Comm) {
			return t, nil
		}
	}
	return nil, fmt.Errorf("no task %s", a.sel.Word)
}

// VtopResult is the translation of each address.
type VtopResult struct {
	Walks []Walk `json:"walks"`
}

// Walk is a walk through page tables.
type Walk struct {
	Virt     render.Hex              `json:"virt"`
	Phys     command.Opt[render.Hex] `json:"phys"`
	Root     render.Hex              `json:"root"` // physical address of the top-level table
	Entries  []Entry                 `json:"entries"`
	PageSize uint64                  `json:"page_size,omitempty"` // bytes
	Flags    []string                `json:"flags,omitempty"`     // of the entry that maps the page
}

// Entry is one page-table entry.
type Entry struct {
	Level string     `json:"level"`
	At    render.Hex `json:"at"` // physical
	Value render.Hex `json:"value"`
}

func newWalk(space *xlat.Space, va mem.Virt) Walk {
	m, err := space.Walk(va)
	w := Walk{
		Virt: render.Hex(va), Root: render.Hex(space.Root()), Phys: command.Got(render.Hex(m.Phys), err),
		PageSize: m.PageSize, Entries: []Entry{},
	}
	for _, s := range m.Steps() {
		w.Entries = append(w.Entries, Entry{s.Level, render.Hex(s.At), render.Hex(s.Entry)})
	}
	if leaf, ok := m.Leaf(); ok && err == nil {
		w.Flags = entryFlags(leaf.Entry)
	}
	return w
}

var flagNames = []struct {
	bit  uint64
	name string
}{
	{xlat.PagePresent, "PRESENT"}, {xlat.PageRW, "RW"}, {xlat.PageUser, "USER"}, {xlat.PagePWT, "PWT"}, {xlat.PagePCD, "PCD"},
	{xlat.PageAccessed, "ACCESSED"}, {xlat.PageDirty, "DIRTY"}, {xlat.PagePSE, "PSE"}, {xlat.PageGlobal, "GLOBAL"}, {xlat.PageNX, "NX"},
}

func entryFlags(e uint64) []string {
	var out []string
	for _, f := range flagNames {
		if e&f.bit != 0 {
			out = append(out, f.name)
		}
	}
	return out
}

// WriteText writes crash's blocks.
func (r *VtopResult) WriteText(w *render.Writer) error {
	for i := range r.Walks {
		if i > 0 {
			w.Text("\n")
		}
		r.Walks[i].writeText(w)
	}
	return w.Err()
}

func (v *Walk) writeText(w *render.Writer) {
	to := "(unknown)"
	switch {
	case v.Phys.OK():
		to = fmt.Sprintf("%x", uint64(v.Phys.V))
	case errors.Is(v.Phys.Err, mem.ErrUnmapped):
		to = "(not mapped)"
	}
	w.Printf("%-16s  %-16s\n%-16x  %-16s\n\n", "VIRTUAL", "PHYSICAL", uint64(v.Virt), to)
	w.Printf("PAGE DIRECTORY: %x\n", uint64(v.Root))
	for _, e := range v.Entries {
		w.Printf("   %s: %x => %x\n", e.Level, uint64(e.At), uint64(e.Value))
	}
	if !v.Phys.OK() {
		if errors.Is(v.Phys.Err, mem.ErrUnmapped) {
			return
		}
		w.Printf("  %s\n", render.Line(v.Phys.Text("%x")))
		return
	}
	page, size := uint64(v.Phys.V)&^(v.PageSize-1), ""
	if v.PageSize > mem.PageSize {
		size = "  (" + strings.ReplaceAll(render.Size(v.PageSize), " ", "") + ")"
	}
	w.Printf("  PAGE: %x%s\n\n", page, size)
	leaf := fmt.Sprintf("%x", uint64(v.Entries[len(v.Entries)-1].Value))
	addr := fmt.Sprintf("%x", page)
	wide := max(len(addr), len("PHYSICAL"))
	w.Printf("%s  %*s  FLAGS\n", center("PTE", len(leaf)), wide, "PHYSICAL")
	w.Printf("%s  %*s  (%s)\n", leaf, wide, addr, strings.Join(v.Flags, "|"))
}

// center puts s in the middle of width columns.
func center(s string, width int) string {
	left := max(width-len(s), 0) / 2
	return fmt.Sprintf("%*s%-*s", left, "", max(width-left, len(s)), s)
}

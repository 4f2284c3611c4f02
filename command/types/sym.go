package types

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/kinquest/inquest/command"
	"github.com/kinquest/inquest/kernel"
	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/render"
	"github.com/kinquest/inquest/sym"
)

type symCommand struct{}

func (symCommand) Info() command.Info {
	return command.Info{
		Name: "sym", Theme: theme, Short: "symbols by name and by address",
		Args: "[-l | -M | -m module | -q string | [-p] [-n] symbol | address ...]",
		Help: `  -l         all symbols
  -M         all symbols of modules
  -m module  the symbols of one module
  -q string  symbols whose name contains the string
  -p, -n     with the previous and the next symbol
  symbol, address (hexadecimal), or an expression of them`,
	}
}

// symArgs is a parsed sym command line.
type symArgs struct {
	list       byte   // l, M, m or q; 0 for a lookup
	arg        string // of -m and -q
	prev, next bool
	exprs      []command.Expr
}

func (symCommand) Parse(args []string) (command.Job, error) {
	flags, rest, err := command.Getopt("sym", "lMm:q:pn", args)
	if err != nil {
		return nil, err
	}
	a := &symArgs{}
	for _, f := range flags {
		switch f.Name {
		case 'p':
			a.prev = true
		case 'n':
			a.next = true
		default:
			if a.list != 0 {
				return nil, command.Usagef("sym", "-%c and -%c exclude each other", a.list, f.Name)
			}
			a.list, a.arg = f.Name, f.Arg
		}
	}
	for _, r := range rest {
		e, err := command.ParseExpr(r, true)
		if err != nil {
			return nil, command.Usagef("sym", "%v", err)
		}
		a.exprs = append(a.exprs, e)
	}
	if (a.list == 0) == (len(a.exprs) == 0) {
		return nil, command.Usagef("sym", "takes a symbol or address, or one of -l, -M, -m and -q")
	}
	return a.run, nil
}

func (a *symArgs) run(ctx context.Context, env *command.Env) (command.Result, error) {
	res := &SymResult{Symbols: []SymbolRow{}}
	if a.list == 0 {
		return res, a.lookup(env, res)
	}
	known := a.list != 'm'
	for s := range symbolsOf(ctx, env.Kernel.Symbols) {
		var take bool
		switch a.list {
		case 'l':
			take = true
		case 'M':
			take = s.Module != ""
		case 'm':
			take = s.Module == a.arg
		case 'q':
			take = strings.Contains(s.Name, a.arg)
		}
		if take {
			res.Symbols = append(res.Symbols, newRow(s, 0))
		}
	}
	if a.list == 'm' {
		known = res.module(env.Kernel, a.arg)
	}
	if err := ctx.Err(); err != nil {
		return res, err
	}
	if !known {
		return nil, fmt.Errorf("no module %s", a.arg)
	}
	return res, nil
}

// symbolsOf stops the walk over all symbols when the context ends.
func symbolsOf(ctx context.Context, t *sym.Table) iter.Seq[sym.Symbol] {
	return func(yield func(sym.Symbol) bool) {
		for s := range t.All() {
			if ctx.Err() != nil || !yield(s) {
				return
			}
		}
	}
}

// lookup answers each argument; a name gives all symbols of that name.
func (a *symArgs) lookup(env *command.Env, res *SymResult) error {
	t := env.Kernel.Symbols
	for _, e := range a.exprs {
		if name := e.Symbol(); name != "" {
			if found, err := t.Lookup(name); err == nil {
				for _, s := range found {
					a.add(t, res, s, 0)
				}
				continue
			}
		}
		v, err := e.Eval(env.Symbol)
		if err != nil {
			return err
		}
		s, off, err := t.At(mem.Virt(v))
		if err != nil {
			return err
		}
		a.add(t, res, s, off)
	}
	return nil
}

// add adds a symbol, between its neighbours if asked for.
func (a *symArgs) add(t *sym.Table, res *SymResult, s sym.Symbol, off uint64) {
	if a.prev {
		if p, _, err := t.At(s.Addr - 1); err == nil {
			res.Symbols = append(res.Symbols, newRow(p, 0))
		}
	}
	res.Symbols = append(res.Symbols, newRow(s, off))
	if a.next {
		if n, _, err := t.At(s.Addr + mem.Virt(s.Size)); err == nil && s.Size > 0 {
			res.Symbols = append(res.Symbols, newRow(n, 0))
		}
	}
}

// SymResult is a list of symbols.
type SymResult struct {
	command.Partial
	Symbols []SymbolRow `json:"symbols"`
	Module  *ModuleSpan `json:"module,omitempty"` // with -m

}

// ModuleSpan is where a module lies.
type ModuleSpan struct {
	Name  string     `json:"name"`
	Start render.Hex `json:"start"`
	End   render.Hex `json:"end"`
}

// SymbolRow is a symbol, or a place in it.
type SymbolRow struct {
	Addr   render.Hex `json:"addr"` // of the place
	Type   string     `json:"type"` // the letter nm(1) shows
	Name   string     `json:"name"`
	Offset uint64     `json:"offset"` // of the place in the symbol
	Size   uint64     `json:"size"`   // bytes, 0 when unknown
	Module string     `json:"module,omitempty"`
}

func newRow(s sym.Symbol, off uint64) SymbolRow {
	return SymbolRow{Addr: render.Hex(s.Addr) + render.Hex(off), Type: string(rune(s.Type)), Name: s.Name, Offset: off, Size: s.Size, Module: s.Module}
}

// module notes where the module lies; ok is false if there is none.
func (r *SymResult) module(k *kernel.Kernel, name string) (ok bool) {
	mods, err := k.Modules()
	r.Lacks("module list", err)
	for _, m := range mods {
		if m.Name != name {
			continue
		}
		span := ModuleSpan{Name: name, Start: render.Hex(m.Base), End: render.Hex(m.Base)}
		for _, reg := range m.Regions {
			if reg.Start >= m.Base {
				span.End = max(span.End, render.Hex(reg.Start)+render.Hex(reg.Size))
			}
		}
		r.Module = &span
		return true
	}
	return false
}

// WriteText writes crash's lines.
func (r *SymResult) WriteText(w *render.Writer) error {
	if r.Module != nil {
		w.Printf("%016x MODULE START: %s\n", uint64(r.Module.Start), render.Line(r.Module.Name))
	}
	for _, s := range r.Symbols {
		name := render.Line(s.Name)
		if s.Offset > 0 {
			name += fmt.Sprintf("+%d", s.Offset)
		}
		if s.Module != "" && r.Module == nil {
			name += " [" + render.Line(s.Module) + "]"
		}
		w.Printf("%016x (%s) %s\n", uint64(s.Addr), s.Type, name)
	}
	if r.Module != nil {
		w.Printf("%016x MODULE END: %s\n", uint64(r.Module.End), render.Line(r.Module.Name))
	}
	return w.Err()
}

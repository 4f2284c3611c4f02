package types

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/kinquest/inquest/command"
	"github.com/kinquest/inquest/ctype"
	"github.com/kinquest/inquest/ctype/ctext"
	"github.com/kinquest/inquest/mem"
)

// structCommand is struct, or union, which differs only in its name.
type structCommand struct{ name string }

func (c structCommand) Info() command.Info {
	return command.Info{
		Name: c.name, Theme: theme, Short: "show a " + c.name + "'s members, or its values at an address",
		Args: "name[.member,...] [-oxdru] [-l offset] [-c count] [address | symbol[:cpus] [count]]",
		Help: `  name       the tag, without "struct" or "union"; a typedef will do
  .member    only these members; they may go on: se.load.weight, pid_links[1]
  -o         with the offsets of the members; of an address, where each lies
  -x, -d     integers in hexadecimal, decimal
  -r         the bytes, not the members
  -u         the address is of the current task's user memory
  -l offset  the address is of the member at this offset (bytes, or struct.member)
  -c count   this many of an array; negative: the ones up to the address
  :cpus      of a per-CPU variable the copies of these CPUs: 0,2-3, a for all, nothing for the current task's`,
	}
}

// structArgs is a parsed struct command line.
type structArgs struct {
	verb    string
	name    string
	members []string

	offsets, raw, user bool

	radix   int    // 0: the session's
	embed   string // -l
	at      *command.Expr
	perCPU  bool
	cpus    *command.CPUs // nil: the current task's CPU
	count   int64
	counted bool
}

func (c structCommand) Parse(args []string) (command.Job, error) {
	flags, rest, err := command.Getopt(c.name, "oxdrul:c:", negativeCount(args))
	if err != nil {
		return nil, err
	}
	a := &structArgs{verb: c.name, count: 1}
	for _, f := range flags {
		switch f.Name {
		case 'o':
			a.offsets = true
		case 'x':
			a.radix = 16
		case 'd':
			a.radix = 10
		case 'r':
			a.raw = true
		case 'u':
			a.user = true
		case 'l':
			a.embed = f.Arg
		case 'c':
			if err := a.setCount(f.Arg); err != nil {
				return nil, err
			}
		}
	}
	if err := a.operands(rest); err != nil {
		return nil, err
	}
	if a.at == nil && (a.raw || a.user || a.embed != "" || a.counted) {
		return nil, command.Usagef(c.name, "-r, -u, -l and -c need an address")
	}
	return a.run, nil
}

// negativeCount keeps "-c -2" from being taken for options.
func negativeCount(args []string) []string {
	out := make([]string, 0, len(args))
	for i := 0; i < len(args); i++ {
		if args[i] == "-c" && i+1 < len(args) {
			out = append(out, "-c"+args[i+1])
			i++
			continue
		}
		out = append(out, args[i])
	}
	return out
}

// maxCount bounds the elements of one answer.
const maxCount = 1 << 16

func (a *structArgs) setCount(s string) error {
	n, err := strconv.ParseInt(s, 0, 32)
	if err != nil || n == 0 || n > maxCount || n < -maxCount {
		return command.Usagef(a.verb, "%q is no count of 1 to %d", s, maxCount)
	}
	a.count, a.counted = n, true
	return nil
}

func (a *structArgs) operands(rest []string) error {
	if len(rest) == 0 || len(rest) > 3 {
		return command.Usagef(a.verb, "takes a name, an address and a count")
	}
	name, members, some := strings.Cut(rest[0], ".")
	a.name = name
	if some {
		a.members = strings.Split(members, ",")
	}
	if len(rest) > 1 {
		src, cpus, perCPU := strings.Cut(rest[1], ":")
		e, err := command.ParseExpr(src, true)
		if err != nil {
			return command.Usagef(a.verb, "%v", err)
		}
		a.at, a.perCPU = &e, perCPU
		if cpus != "" {
			c, err := command.ParseCPUs(a.verb, cpus)
			if err != nil {
				return err
			}
			a.cpus = &c
		}
	}
	if len(rest) > 2 {
		return a.setCount(rest[2])
	}
	return nil
}

// findType gives the struct, union, or typedef of that name.
func findType(src ctype.Source, name string) (ctype.Type, error) {
	if src == nil {
		return nil, errors.New("the kernel's types are not known")
	}
	for _, kind := range []ctype.Kind{ctype.StructKind, ctype.UnionKind, ctype.TypedefKind} {
		t, err := src.Find(kind, name)
		if err == nil {
			return t, nil
		}
		if !errors.Is(err, ctype.ErrNotFound) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("no struct, union or typedef %s: %w", name, ctype.ErrNotFound)
}

func (a *structArgs) run(ctx context.Context, env *command.Env) (command.Result, error) {
	t, err := findType(env.Kernel.Types, a.name)
	if err != nil {
		return nil, err
	}
	picked, err := pick(t, a.members)
	if err != nil {
		return nil, err
	}
	style := ctext.Style{Offsets: a.offsets, Hex: a.radix == 16 || a.radix == 0 && env.Hex()}
	if a.at == nil {
		return newLayout(t, picked, style), nil
	}
	bases, err := a.bases(ctx, env, t.Size())
	if err != nil {
		return nil, err
	}
	if a.offsets && !a.raw {
		style.At = bases[0].Addr
		return newLayout(t, picked, style), nil
	}
	reader, err := a.reader(ctx, env)
	if err != nil {
		return nil, err
	}
	res := &ObjectsResult{raw: a.raw}
	d := decoder{t: t, picked: picked, mem: reader, printer: newPrinter(env, reader, style.Hex), raw: a.raw}
	for _, b := range bases {
		if err := ctx.Err(); err != nil {
			return res, err
		}
		o, err := d.object(b)
		if err != nil && !o.some() {
			return res, fmt.Errorf("%s: %w", a.name, err)
		}
		res.Lacks(fmt.Sprintf("%s at %#x", a.name, uint64(b.Addr)), err)
		res.Objects = append(res.Objects, o)
	}
	return res, nil
}

// pick gives the members at the paths.
func pick(t ctype.Type, paths []string) ([]ctype.Member, error) {
	var out []ctype.Member
	for _, p := range paths {
		m, err := ctype.Path(t, p)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// base is where one object lies.
type base struct {
	Addr mem.Virt
	CPU  int
}

// bases gives the objects' addresses: one for each CPU and each of the count.
func (a *structArgs) bases(ctx context.Context, env *command.Env, size uint64) ([]base, error) {
	v, err := a.at.Eval(env.Symbol)
	if err != nil {
		return nil, err
	}
	back, err := a.embedded(env)
	if err != nil {
		return nil, err
	}
	at := mem.Virt(v - back)
	firsts := []base{{at, -1}}
	if a.perCPU {
		if firsts, err = a.perCPUBases(ctx, env, at); err != nil {
			return nil, err
		}
	}
	var out []base
	for _, b := range firsts {
		n, step := a.count, mem.Virt(size)
		if n < 0 {
			n = -n
			b.Addr -= step * mem.Virt(n-1)
		}
		for range n {
			out = append(out, b)
			b.Addr += step
		}
	}
	return out, nil
}

func (a *structArgs) perCPUBases(ctx context.Context, env *command.Env, at mem.Virt) ([]base, error) {
	var out []base
	want := a.cpus
	if want == nil {
		t, err := env.Current(ctx)
		if err != nil {
			return nil, err
		}
		p, err := env.Kernel.PerCPU(at, t.CPU)
		return []base{{p, t.CPU}}, err
	}
	for _, cpu := range env.Kernel.PossibleCPUs() {
		if !want.Has(cpu) {
			continue
		}
		p, err := env.Kernel.PerCPU(at, cpu)
		if err != nil {
			return nil, err
		}
		out = append(out, base{p, cpu})
	}
	if out == nil {
		return nil, errors.New("none of these CPUs exists")
	}
	return out, nil
}

// embedded gives how far into the struct the given address points (-l).
func (a *structArgs) embedded(env *command.Env) (uint64, error) {
	if a.embed == "" {
		return 0, nil
	}
	if n, ok := command.ParseNumber(a.embed, false); ok {
		return n, nil
	}
	name, member, _ := strings.Cut(a.embed, ".")
	t, err := findType(env.Kernel.Types, name)
	if err != nil {
		return 0, err
	}
	m, err := ctype.Path(t, member)
	return m.Off, err
}

func (a *structArgs) reader(ctx context.Context, env *command.Env) (mem.Reader[mem.Virt], error) {
	if !a.user {
		return env.Kernel.Mem, nil
	}
	t, err := env.Current(ctx)
	if err != nil {
		return nil, err
	}
	return env.UserSpace(t)
}

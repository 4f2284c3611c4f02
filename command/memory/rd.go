package memory

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/kinquest/inquest/command"
	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/render"
)

type rdCommand struct{}

func (rdCommand) Info() command.Info {
	return command.Info{
		Name: "rd", Theme: theme, Short: "show memory",
		Args: "[-8|-16|-32|-64] [-dDsxapuNR] [-o offset] [-e address] address | symbol | (expression) [count]",
		Help: `  -8 -16 -32 -64  size of the values in bits; 64 by default
  -d, -D      signed, unsigned decimal; hexadecimal by default
  -s          as symbols where they are such
  -x          without the characters at the end of the line
  -a          as characters, to the first that does not print if there is no count
  -p          a physical address
  -u          an address of the current task's user memory
  -N          in network byte order (16 and 32 bits)
  -R          the values up to and with the address
  -o offset   this far behind the address
  -e address  up to this address
  count       number of values; 1 by default`,
	}
}

// rdArgs is a parsed rd command line.
type rdArgs struct {
	size    int  // bytes of a value
	format  byte // x, d, D, s or a
	noASCII bool
	phys    bool
	user    bool
	network bool
	reverse bool
	offset  uint64
	end     *command.Expr
	at      command.Expr
	count   uint64
	counted bool
}

// maxRead bounds one answer, in bytes.
const maxRead = 16 << 20

func (rdCommand) Parse(args []string) (command.Job, error) {
	flags, rest, err := command.Getopt("rd", "81:3:6:dDsxapuNRo:e:", args)
	if err != nil {
		return nil, err
	}
	a := &rdArgs{size: 8, format: 'x', count: 1}
	for _, f := range flags {
		if err := a.option(f); err != nil {
			return nil, err
		}
	}
	if len(rest) == 0 || len(rest) > 2 {
		return nil, command.Usagef("rd", "takes an address and a count")
	}
	if a.at, err = command.ParseExpr(rest[0], true); err != nil {
		return nil, command.Usagef("rd", "%v", err)
	}
	if len(rest) == 2 {
		n, ok := command.ParseNumber(rest[1], false)
		if !ok || n == 0 || n > maxRead {
			return nil, command.Usagef("rd", "%q is no count of 1 to %d", rest[1], maxRead)
		}
		a.count, a.counted = n, true
	}
	return a.run, a.check()
}

func (a *rdArgs) option(f command.Flag) error {
	var err error
	switch f.Name {
	case '8':
		a.size = 1
	case '1', '3', '6':
		bits, _ := strconv.Atoi(string(f.Name) + f.Arg)
		if bits != 16 && bits != 32 && bits != 64 {
			return command.Usagef("rd", "-%c%s is no size", f.Name, f.Arg)
		}
		a.size = bits / 8
	case 'd', 'D', 's', 'a':
		if a.format != 'x' && a.format != f.Name {
			return command.Usagef("rd", "-%c and -%c exclude each other", a.format, f.Name)
		}
		a.format = f.Name
	case 'x':
		a.noASCII = true
	case 'p':
		a.phys = true
	case 'u':
		a.user = true
	case 'N':
		a.network = true
	case 'R':
		a.reverse = true
	case 'o':
		n, ok := command.ParseNumber(f.Arg, false)
		if !ok {
			return command.Usagef("rd", "%q is no offset", f.Arg)
		}
		a.offset = n
	case 'e':
		var e command.Expr
		if e, err = command.ParseExpr(f.Arg, true); err != nil {
			return command.Usagef("rd", "%v", err)
		}
		a.end = &e
	}
	return nil
}

func (a *rdArgs) check() error {
	switch {
	case a.phys && a.user:
		return command.Usagef("rd", "-p and -u exclude each other")
	case a.network && a.size != 2 && a.size != 4:
		return command.Usagef("rd", "-N goes with -16 and -32")
	case a.format == 's' && a.size != 8:
		return command.Usagef("rd", "symbols have 64 bits")
	case a.end != nil && (a.counted || a.reverse):
		return command.Usagef("rd", "-e goes without a count and -R")
	}
	return nil
}

func (a *rdArgs) run(ctx context.Context, env *command.Env) (command.Result, error) {
	at, err := a.at.Eval(env.Symbol)
	if err != nil {
		return nil, err
	}
	at += a.offset
	size := uint64(a.size)
	if a.format == 'a' {
		size = 1
	}
	n := a.count * size
	switch {
	case a.end != nil:
		end, err := a.end.Eval(env.Symbol)
		if err != nil {
			return nil, err
		}
		if end <= at || end-at > maxRead {
			return nil, fmt.Errorf("from %x to %x: %d bytes at most, and the end lies behind the start", at, end, maxRead)
		}
		n = (end - at + size - 1) / size * size
	case a.reverse:
		at -= n - size
	case a.format == 'a' && !a.counted:
		n = maxRead
	}
	if n > maxRead {
		return nil, fmt.Errorf("%d bytes are more than the %d that are shown", n, maxRead)
	}
	read, space, err := a.reader(ctx, env)
	if err != nil {
		return nil, err
	}
	res := &RdResult{Addr: render.Hex(at), Space: space, args: *a}
	err = res.read(ctx, read, n)
	if a.format == 's' {
		res.symbols = func(v uint64) string { return env.SymbolAt(mem.Virt(v)) }
	}
	res.fill()
	if len(res.b) == 0 && err != nil {
		return nil, err
	}
	return res, err
}

// readFunc reads one address space.
type readFunc func(p []byte, addr uint64) (int, error)

func (a *rdArgs) reader(ctx context.Context, env *command.Env) (readFunc, string, error) {
	if a.phys {
		return func(p []byte, addr uint64) (int, error) { return env.Kernel.Phys.ReadMem(p, mem.Phys(addr)) }, "phys", nil
	}
	space := env.Kernel.Mem
	if a.user {
		t, err := env.Current(ctx)
		if err != nil {
			return nil, "", err
		}
		if space, err = env.UserSpace(t); err != nil {
			return nil, "", err
		}
	}
	return func(p []byte, addr uint64) (int, error) { return space.ReadMem(p, mem.Virt(addr)) }, "virt", nil
}

// RdResult is a piece of memory.
type RdResult struct {
	Addr   render.Hex `json:"addr"`
	Space  string     `json:"space"`             // phys or virt
	Size   int        `json:"size"`              // bytes of a value
	Values []any      `json:"values,omitempty"`  // hexadecimal or decimal strings, as asked for
	Names  []string   `json:"symbols,omitempty"` // with -s, "" for values that are none
	Text   string     `json:"text,omitempty"`    // with -a

	args    rdArgs
	b       []byte
	symbols func(uint64) string
}

// read fills r.b; with -a and no count it ends at the first byte that does not
// print.
func (r *RdResult) read(ctx context.Context, read readFunc, n uint64) error {
	text := r.args.format == 'a' && !r.args.counted && r.args.end == nil
	buf := make([]byte, mem.PageSize)
	for at := uint64(r.Addr); n > 0 && ctx.Err() == nil; {
		step := min(n, mem.PageSize-at%mem.PageSize)
		got, err := read(buf[:step], at)
		for i, c := range buf[:got] {
			if text && (c < ' ' || c >= 0x7f) {
				r.b = append(r.b, buf[:i]...)
				return nil
			}
		}
		r.b = append(r.b, buf[:got]...)
		if err != nil {
			return err
		}
		at, n = at+step, n-step
	}
	return ctx.Err()
}

// value gives value i, in the machine's byte order or the network's.
func (r *RdResult) value(i int) uint64 {
	var b [8]byte
	s := r.args.size
	copy(b[:s], r.b[i*s:])
	if r.args.network {
		for j := range s / 2 {
			b[j], b[s-1-j] = b[s-1-j], b[j]
		}
	}
	return binary.LittleEndian.Uint64(b[:])
}

// signed extends a value's sign.
func (r *RdResult) signed(v uint64) int64 {
	shift := 64 - 8*r.args.size
	return int64(v<<shift) >> shift
}

// fill makes the JSON form.
func (r *RdResult) fill() {
	if r.args.format == 'a' {
		r.Size, r.Text = 1, string(r.b)
		return
	}
	r.Size = r.args.size
	r.b = r.b[:len(r.b)/r.Size*r.Size]
	for i := range len(r.b) / r.Size {
		v := r.value(i)
		switch r.args.format {
		case 'd':
			r.Values = append(r.Values, strconv.FormatInt(r.signed(v), 10))
		case 'D':
			r.Values = append(r.Values, strconv.FormatUint(v, 10))
		default:
			r.Values = append(r.Values, render.Hex(v))
		}
		if r.symbols != nil {
			r.Names = append(r.Names, r.symbols(v))
		}
	}
}

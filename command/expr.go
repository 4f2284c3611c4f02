package command

import (
	"fmt"
	"strconv"
	"strings"
)

// Expr is an address expression that was parsed but not yet evaluated, since
// symbols have no value before a dump is open.
type Expr struct {
	Source string
	root   node
}

// node is a number, a symbol, or an operation on one or two nodes. A word like
// "dead" has both sym and num: it is the symbol if there is one.
type node struct {
	op    string // "" for a leaf
	num   uint64
	isNum bool
	sym   string
	l, r  *node
}

// Symbols gives the value of a symbol.
type Symbols func(name string) (uint64, error)

// maxExpr bounds the length of an expression, and so the depth of its tree.
const maxExpr = 4096

// ParseExpr parses a C-like expression of symbols, numbers and
// + - * / % & | ^ << >> ~ ( ). A word is a symbol if it cannot be a number.
// Numbers with 0x are hexadecimal; others too if hexDefault is set, which is
// how addresses are read, else only if they contain a to f.
func ParseExpr(s string, hexDefault bool) (Expr, error) {
	if len(s) > maxExpr {
		return Expr{}, fmt.Errorf("expression is longer than %d bytes", maxExpr)
	}
	p := exprParser{s: s, hex: hexDefault}
	n := p.binary(0)
	if p.err == nil && p.skip() < len(s) {
		p.fail("unexpected %q", s[p.i:])
	}
	if p.err != nil {
		return Expr{}, p.err
	}
	return Expr{Source: s, root: n}, nil
}

// Eval computes the expression in 64-bit arithmetic.
func (e Expr) Eval(symbols Symbols) (uint64, error) {
	v, err := e.root.eval(symbols)
	if err != nil && e.root.sym == "" {
		err = fmt.Errorf("%s: %w", e.Source, err)
	}
	return v, err
}

// Symbol gives the name if the expression is a lone symbol, else "".
func (e Expr) Symbol() string { return e.root.sym }

// Number gives the value if the expression is a lone number.
func (e Expr) Number() (v uint64, ok bool) {
	return e.root.num, e.root.isNum
}

func (n *node) eval(symbols Symbols) (uint64, error) {
	switch {
	case n.sym != "":
		v, err := symbols(n.sym)
		if err != nil && n.isNum {
			return n.num, nil
		}
		return v, err
	case n.op == "":
		return n.num, nil
	}
	l, err := n.l.eval(symbols)
	if err != nil {
		return 0, err
	}
	if n.r == nil {
		if n.op == "~" {
			return ^l, nil
		}
		return -l, nil
	}
	r, err := n.r.eval(symbols)
	if err != nil {
		return 0, err
	}
	return apply(n.op, l, r)
}

func apply(op string, l, r uint64) (uint64, error) {
	switch op {
	case "+":
		return l + r, nil
	case "-":
		return l - r, nil
	case "*":
		return l * r, nil
	case "&":
		return l & r, nil
	case "|":
		return l | r, nil
	case "^":
		return l ^ r, nil
	case "<<":
		return l << r, nil
	case ">>":
		return l >> r, nil
	}
	if r == 0 {
		return 0, fmt.Errorf("division by zero")
	}
	if op == "/" {
		return l / r, nil
	}
	return l % r, nil
}

// levels holds the binary operators by precedence, the loosest first.
var levels = [...][]string{{"|"}, {"^"}, {"&"}, {"<<", ">>"}, {"+", "-"}, {"*", "/", "%"}}

type exprParser struct {
	s   string
	i   int
	hex bool
	err error
}

func (p *exprParser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("expression %q: %s", p.s, fmt.Sprintf(format, args...))
	}
	p.i = len(p.s)
}

func (p *exprParser) skip() int {
	for p.i < len(p.s) && (p.s[p.i] == ' ' || p.s[p.i] == '\t') {
		p.i++
	}
	return p.i
}

func (p *exprParser) operator(level int) string {
	p.skip()
	for _, op := range levels[level] {
		if strings.HasPrefix(p.s[p.i:], op) {
			p.i += len(op)
			return op
		}
	}
	return ""
}

func (p *exprParser) binary(level int) node {
	if level == len(levels) {
		return p.unary()
	}
	n := p.binary(level + 1)
	for op := p.operator(level); op != ""; op = p.operator(level) {
		r := p.binary(level + 1)
		l := n
		n = node{op: op, l: &l, r: &r}
	}
	return n
}

func (p *exprParser) unary() node {
	if p.skip() == len(p.s) {
		p.fail("a value is missing")
		return node{}
	}
	switch c := p.s[p.i]; c {
	case '-', '~':
		p.i++
		v := p.unary()
		return node{op: string(c), l: &v}
	case '(':
		p.i++
		n := p.binary(0)
		if p.skip() == len(p.s) || p.s[p.i] != ')' {
			p.fail("a parenthesis is not closed")
			return node{}
		}
		p.i++
		return n
	}
	start := p.i
	for p.i < len(p.s) && wordByte(p.s[p.i]) {
		p.i++
	}
	return p.word(p.s[start:p.i])
}

func (p *exprParser) word(w string) node {
	if w == "" {
		p.fail("unexpected %q", p.s[p.i:])
		return node{}
	}
	v, ok := ParseNumber(w, p.hex)
	if w[0] < '0' || w[0] > '9' {
		return node{sym: w, num: v, isNum: ok}
	}
	if !ok {
		p.fail("%q is no number of 64 bits", w)
	}
	return node{num: v, isNum: ok}
}

func wordByte(c byte) bool {
	return c == '_' || c == '.' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// ParseNumber reads a number as the commands do: hexadecimal with 0x, or if
// hexDefault is set, or if it contains a to f; decimal otherwise.
func ParseNumber(s string, hexDefault bool) (uint64, bool) {
	base := 10
	if h, ok := strings.CutPrefix(strings.ToLower(s), "0x"); ok {
		s, base = h, 16
	} else if hexDefault || strings.ContainsAny(s, "abcdefABCDEF") {
		base = 16
	}
	v, err := strconv.ParseUint(s, base, 64)
	return v, err == nil
}

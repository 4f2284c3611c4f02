// Package cdecl reads C type names, as casts and sizeof take them:
// "struct list_head", "unsigned long [64]", "struct module *",
// "int (*)(struct rq *, ...)".
package cdecl

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/kinquest/inquest/ctype"
)

// SyntaxError is text that is no C type name.
type SyntaxError struct {
	Text string
	Pos  int // byte in Text
	What string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("C type %q: at %q: %s", e.Text, e.Text[e.Pos:], e.What)
}

// maxDepth bounds how deep parentheses may nest.
const maxDepth = 32

// Parse finds the type that a C type name means among the types of src. The
// error is a *SyntaxError, or a *ctype.LookupError for a type that src lacks. A
// struct that is only declared may be pointed to, but is not a type by itself.
func Parse(src ctype.Source, text string) (ctype.Type, error) {
	p := &parser{src: src, text: text}
	p.next()
	t, err := p.typeName(0)
	if err == nil && p.tok != "" {
		err = p.fail("unexpected")
	}
	if err != nil {
		return nil, err
	}
	return t, complete(t)
}

// complete refuses a declared struct, and arrays of it.
func complete(t ctype.Type) error {
	for {
		switch u := ctype.Strip(t).(type) {
		case *ctype.Array:
			t = u.Elem
		case *ctype.Forward:
			return &ctype.LookupError{In: "types of this kernel", Tried: []string{"definition of " + ctype.Describe(u)}}
		default:
			return nil
		}
	}
}

type parser struct {
	src  ctype.Source
	text string
	pos  int    // behind tok
	tok  string // the token to be read next, "" at the end
}

func (p *parser) fail(what string) error {
	return &SyntaxError{Text: p.text, Pos: p.pos - len(p.tok), What: what}
}

// next moves on to the following word, number or punctuation mark.
func (p *parser) next() {
	rest := strings.TrimLeft(p.text[p.pos:], " \t\n")
	start := len(p.text) - len(rest)
	n := 0
	for n < len(rest) && isWord(rest[n]) {
		n++
	}
	if n == 0 && strings.HasPrefix(rest, "...") {
		n = 3
	}
	if n == 0 && rest != "" {
		n = 1
	}
	p.tok, p.pos = rest[:n], start+n
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// take reads the token if it is that one.
func (p *parser) take(tok string) bool {
	if p.tok != tok {
		return false
	}
	p.next()
	return true
}

func (p *parser) typeName(depth int) (ctype.Type, error) {
	base, err := p.specifiers()
	if err != nil {
		return nil, err
	}
	wrap, err := p.declarator(depth)
	if err != nil {
		return nil, err
	}
	return wrap(base), nil
}

// specifiers reads the base type and its qualifiers.
func (p *parser) specifiers() (ctype.Type, error) {
	var quals, words []string
	var base ctype.Type
	for p.tok != "" && isWord(p.tok[0]) {
		word := p.tok
		switch word {
		case "const", "volatile":
			quals = append(quals, word)
			p.next()
			continue
		case "struct", "union", "enum":
			if base != nil || words != nil {
				return nil, p.fail("a second type")
			}
			p.next()
			t, err := p.tagged(word)
			if err != nil {
				return nil, err
			}
			base = t
			continue
		}
		if base != nil {
			return nil, p.fail("a second type")
		}
		words = append(words, word)
		p.next()
	}
	if base == nil {
		t, err := p.named(strings.Join(words, " "))
		if err != nil {
			return nil, err
		}
		base = t
	}
	for _, q := range quals {
		base = &ctype.Qualified{Qualifier: q, Target: base}
	}
	return base, nil
}

// tagged finds "struct NAME" and the like; the word has been read.
func (p *parser) tagged(word string) (ctype.Type, error) {
	if p.tok == "" || !isWord(p.tok[0]) {
		return nil, p.fail("no name behind " + word)
	}
	kind := map[string]ctype.Kind{"struct": ctype.StructKind, "union": ctype.UnionKind, "enum": ctype.EnumKind}[word]
	t, err := p.src.Find(kind, p.tok)
	p.next()
	return t, err
}

// named finds an integer type or a typedef.
func (p *parser) named(name string) (ctype.Type, error) {
	switch {
	case name == "":
		return nil, p.fail("no type")
	case name == "void":
		return &ctype.Void{}, nil
	}
	if t, err := p.src.Find(ctype.TypedefKind, name); err == nil {
		return t, nil
	}
	return p.src.Find(ctype.IntKind, name)
}

// wrapper makes the declared type around a base type.
type wrapper func(ctype.Type) ctype.Type

// declarator reads an abstract declarator: stars, then what is in parentheses,
// then the arrays and parameters behind it, which bind more tightly.
func (p *parser) declarator(depth int) (wrapper, error) {
	if depth > maxDepth {
		return nil, p.fail("nested too deeply")
	}
	if p.take("*") {
		var quals []string
		for p.tok == "const" || p.tok == "volatile" {
			quals = append(quals, p.tok)
			p.next()
		}
		inner, err := p.declarator(depth + 1)
		if err != nil {
			return nil, err
		}
		return func(t ctype.Type) ctype.Type {
			t = ctype.PointerTo(t)
			for _, q := range quals {
				t = &ctype.Qualified{Qualifier: q, Target: t}
			}
			return inner(t)
		}, nil
	}
	inner := wrapper(func(t ctype.Type) ctype.Type { return t })
	if strings.HasPrefix(strings.TrimLeft(p.text[p.pos:], " "), "*") && p.take("(") {
		var err error
		if inner, err = p.declarator(depth + 1); err != nil {
			return nil, err
		}
		if !p.take(")") {
			return nil, p.fail("want )")
		}
	}
	return p.suffixes(inner, depth)
}

// suffixes reads "[N]" and "(parameters)". The last one applies first.
func (p *parser) suffixes(inner wrapper, depth int) (wrapper, error) {
	switch {
	case depth > maxDepth:
		return nil, p.fail("nested too deeply")
	case p.take("["):
		n := uint64(0)
		if p.tok != "]" {
			var err error
			if n, err = strconv.ParseUint(p.tok, 0, 32); err != nil {
				return nil, p.fail("no array size")
			}
			p.next()
		}
		if !p.take("]") {
			return nil, p.fail("want ]")
		}
		rest, err := p.suffixes(func(t ctype.Type) ctype.Type { return t }, depth+1)
		if err != nil {
			return nil, err
		}
		return func(t ctype.Type) ctype.Type { return inner(&ctype.Array{Elem: rest(t), Len: n}) }, nil
	case p.take("("):
		f, err := p.params(depth + 1)
		if err != nil {
			return nil, err
		}
		return func(t ctype.Type) ctype.Type {
			return inner(&ctype.FuncProto{Result: t, Params: f.Params, Variadic: f.Variadic})
		}, nil
	}
	return inner, nil
}

// params reads a parameter list up to its ")".
func (p *parser) params(depth int) (*ctype.FuncProto, error) {
	f := &ctype.FuncProto{}
	if p.take(")") {
		return f, nil
	}
	for {
		if p.take("...") {
			f.Variadic = true
		} else {
			t, err := p.typeName(depth)
			if err != nil {
				return nil, err
			}
			f.Params = append(f.Params, ctype.Param{Type: t})
		}
		if p.take(")") {
			break
		}
		if f.Variadic || !p.take(",") {
			return nil, p.fail("want , or )")
		}
	}
	if len(f.Params) == 1 && !f.Variadic {
		if _, void := f.Params[0].Type.(*ctype.Void); void {
			f.Params = nil
		}
	}
	return f, nil
}

package ctype

import (
	"strconv"
	"strings"
)

// Describe names a type as C does, without a declared name: "struct list_head",
// "char *", "int [4]", "void (*)(void)".
func Describe(t Type) string { return Declare(t, "") }

// Declare writes the C declaration of name as a t, without a semicolon:
// "struct list_head *next", "void (*func)(struct callback_head *)",
// "unsigned long bits[4]". Anonymous structs, unions and enums are shown as
// "struct {...}". What goes on longer than any real declaration ends in "...".
func Declare(t Type, name string) string {
	quals, base, decl := Split(t, name)
	out := quals + baseName(base)
	if decl == "" {
		return out
	}
	return out + " " + decl
}

// Split gives the parts of the declaration of name as a t: qualifiers ("const "
// or empty), the base type, which is no pointer, array or function, and the
// declarator around the name. A base of nil stands for "...".
func Split(t Type, name string) (quals string, base Type, decl string) {
	d := declarer{left: maxDeclaration}
	return d.split(t, name)
}

// maxDeclaration bounds the pointers, arrays, parameters and qualifiers of one
// declaration. The longest of a distribution kernel has under 40; a function
// that hostile data makes a parameter of itself would never end.
const maxDeclaration = 256

// declarer writes one declaration; left is what it may still visit.
type declarer struct{ left int }

// split is Split for a declarator built so far. C reads declarators inside out, so each
// level of t wraps inner and hands it on.
func (d *declarer) split(t Type, inner string) (quals string, base Type, decl string) {
	if d.left--; d.left < 0 {
		return "", nil, inner
	}
	switch u := t.(type) {
	case *Pointer:
		return d.split(u.Target(), "*"+inner)
	case *Array:
		n := ""
		if u.Len != 0 {
			n = strconv.FormatUint(u.Len, 10)
		}
		return d.split(u.Elem, group(inner)+"["+n+"]")
	case *FuncProto:
		return d.split(u.Result, group(inner)+"("+d.params(u)+")")
	case *Qualified:
		return d.qualified(u, inner)
	}
	return "", t, inner
}

// qualified puts a qualifier of a pointer behind its star, and of anything else in front of the base type.
func (d *declarer) qualified(q *Qualified, inner string) (quals string, base Type, decl string) {
	if q.Qualifier == "" {
		return d.split(q.Target, inner)
	}
	if _, ok := q.Target.(*Pointer); ok {
		if inner != "" {
			inner = " " + inner
		}
		return d.split(q.Target, " "+q.Qualifier+inner)
	}
	quals, base, decl = d.split(q.Target, inner)
	return q.Qualifier + " " + quals, base, decl
}

// group parenthesises a pointer declarator before an array or parameter list follows it.
func group(inner string) string {
	if strings.HasPrefix(inner, "*") {
		return "(" + inner + ")"
	}
	return inner
}

func (d *declarer) params(f *FuncProto) string {
	if len(f.Params) == 0 && !f.Variadic {
		return "void"
	}
	out := make([]string, 0, len(f.Params)+1)
	for _, p := range f.Params {
		quals, base, decl := d.split(p.Type, "")
		if decl != "" {
			decl = " " + decl
		}
		out = append(out, quals+baseName(base)+decl)
	}
	if f.Variadic {
		out = append(out, "...")
	}
	return strings.Join(out, ", ")
}

// baseName names a type that is no pointer, array, function or qualifier.
func baseName(t Type) string {
	switch u := t.(type) {
	case nil:
		return "..."
	case *Int:
		return u.Name
	case *Float:
		return u.Name
	case *Typedef:
		return u.Name
	case *Forward:
		return tag(u.Union, u.Name)
	case *Struct:
		if u.Name == "" {
			return u.Tag() + " {...}"
		}
		return u.Tag()
	case *Enum:
		if u.Name == "" {
			return "enum {...}"
		}
		return "enum " + u.Name
	}
	return "void"
}

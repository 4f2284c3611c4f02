// Package ctext writes C types and typed memory as text, in the layout of crash 9
// and gdb 16, and as data. It reads nothing: callers hand it types and bytes.
package ctext

import (
	"fmt"
	"strings"

	"github.com/kinquest/inquest/ctype"
	"github.com/kinquest/inquest/mem"
)

// maxNodes bounds the members of one definition and the values of one object.
// Real ones have some thousand; damaged types can nest unions so that they would
// double at each level.
const maxNodes = 1 << 16

// Def is the layout of a struct or union.
type Def struct {
	Decl    string   `json:"decl"` // "struct list_head"
	Size    uint64   `json:"size"` // bytes
	Members []Member `json:"members"`
}

// Member is a member of a Def.
type Member struct {
	Name    string   `json:"name,omitempty"`
	Decl    string   `json:"decl"`              // "struct list_head *next"; without a body for an expanded one
	Off     uint64   `json:"offset"`            // bytes from the start of the outermost struct
	Size    uint64   `json:"size"`              // bytes of the type
	BitOff  uint64   `json:"bitOffset"`         // bits from the start of the outermost struct
	Bits    uint64   `json:"bits,omitempty"`    // width of a bit-field
	Members []Member `json:"members,omitempty"` // of an anonymous struct or union, else nil

	quals, word, declarator string // parts around the body of an expanded member
}

// Define gives the layout of a struct or union, typedefs looked through; nil for
// other types. Anonymous structs and unions are expanded; of those that have a
// member name, only the outermost, as gdb does.
func Define(t ctype.Type) *Def {
	st, ok := ctype.Strip(t).(*ctype.Struct)
	if !ok {
		return nil
	}
	d := definer{left: maxNodes}
	return &Def{Decl: st.Tag(), Size: st.Bytes, Members: d.members(st, 0, 1)}
}

type definer struct{ left int }

// members lists those of st, which starts at byte off of the outermost struct.
// Anonymous types are expanded while show, which falls with each level that has
// a member name, is not negative.
func (d *definer) members(st *ctype.Struct, off uint64, show int) []Member {
	out := make([]Member, 0, min(len(st.Members), d.left))
	for i := range st.Members {
		if d.left--; d.left < 0 {
			break
		}
		m := &st.Members[i]
		out = append(out, d.member(m, off, show, st.Union || i < len(st.Members)-1))
	}
	return out
}

func (d *definer) member(m *ctype.Member, off uint64, show int, inner bool) Member {
	quals, base, decl := ctype.Split(m.Type, m.Name)
	if inner { // a flexible array stands last in its struct; others have no elements
		decl = strings.Replace(decl, "[]", "[0]", 1)
	}
	if m.Bits != 0 {
		decl += fmt.Sprintf(" : %d", m.Bits)
	}
	out := Member{
		Name: m.Name, Off: off + m.Off, Size: m.Type.Size(), BitOff: off*8 + m.BitOff, Bits: m.Bits,
		quals: quals, declarator: decl,
	}
	if m.Name != "" {
		show--
	}
	switch u := base.(type) {
	case *ctype.Struct:
		if u.Name == "" && show >= 0 {
			out.word = u.Tag()
			out.Decl = strings.TrimSpace(quals + u.Tag() + " {...} " + decl)
			out.Members = d.members(u, out.Off, show)
			return out
		}
	case *ctype.Enum:
		if u.Name == "" && show >= 0 {
			out.Decl = strings.TrimSpace(quals + enumBody(u) + " " + decl)
			return out
		}
	}
	out.Decl = strings.TrimSpace(quals + ctype.Describe(base) + " " + decl)
	return out
}

// enumBody writes "enum {A, B = 4}".
func enumBody(e *ctype.Enum) string {
	var b strings.Builder
	b.WriteString("enum {")
	next := uint64(0)
	for i, v := range e.Values {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(v.Name)
		if v.Value != next {
			fmt.Fprintf(&b, " = %s", enumNumber(e, v.Value))
		}
		next = v.Value + 1
	}
	return b.String() + "}"
}

func enumNumber(e *ctype.Enum, v uint64) string {
	if e.Signed {
		return fmt.Sprint(int64(v))
	}
	return fmt.Sprint(v)
}

// Style says what a definition shows besides the members.
type Style struct {
	Offsets bool     // offsets before members: crash's -o
	Hex     bool     // offsets and size in hex: crash's -x
	At      mem.Virt // with Offsets, not 0: show addresses from here on
	Only    string   // not empty: only the member of that name, and no size
}

// Text writes the definition with a line for its size, each line ended.
func (d *Def) Text(s Style) string {
	w := &defWriter{style: s}
	if s.Offsets {
		w.width = len(w.number(d.Size)) + 4
		if s.At != 0 {
			w.width = len("  []") + 16
		}
	}
	w.line(nil, 0, d.Decl+" {")
	if len(d.Members) == 0 {
		w.line(nil, 1, "<no data fields>")
	}
	for i := range d.Members {
		if s.Only == "" || s.Only == d.Members[i].Name {
			w.member(&d.Members[i], 1)
		}
	}
	w.line(nil, 0, "}")
	if s.Only == "" {
		fmt.Fprintf(&w.b, "SIZE: %s\n", w.number(d.Size))
	}
	return w.b.String()
}

// Typedef writes the definition as that of a typedef's name, as crash does for
// "struct atomic_t".
func (d *Def) Typedef(name string, s Style) string {
	text := d.Text(s)
	at := strings.LastIndex(text, "}\n")
	return "typedef " + text[:at] + "} " + name + ";\n" + text[at+2:]
}

type defWriter struct {
	b     strings.Builder
	style Style
	width int // of the column of offsets
}

func (w *defWriter) number(n uint64) string {
	if w.style.Hex {
		return fmt.Sprintf("%#x", n)
	}
	return fmt.Sprint(n)
}

func (w *defWriter) member(m *Member, level int) {
	if m.Members == nil {
		w.line(m, level, m.Decl+";")
		return
	}
	w.line(nil, level, m.quals+m.word+" {")
	if len(m.Members) == 0 {
		w.line(nil, level+1, "<no data fields>")
	}
	for i := range m.Members {
		w.member(&m.Members[i], level+1)
	}
	if m.declarator == "" {
		w.line(nil, level, "};")
		return
	}
	w.line(m, level, "} "+m.declarator+";")
}

// line writes a line; m, if any, is the member whose offset it shows.
func (w *defWriter) line(m *Member, level int, text string) {
	indent := strings.Repeat("    ", level)
	if w.width == 0 || level == 0 {
		fmt.Fprintf(&w.b, "%s%s\n", indent, text)
		return
	}
	column := ""
	switch {
	case m == nil:
	case w.style.At != 0:
		column = fmt.Sprintf("[%016x]", uint64(w.style.At)+m.Off)
	default:
		column = "[" + w.number(m.Off) + "]"
	}
	fmt.Fprintf(&w.b, "%*s %s%s\n", w.width, column, indent[4:], text)
}

// EnumText lists the enumerators of an enum as crash does.
func EnumText(e *ctype.Enum) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s {\n", strings.TrimSuffix(ctype.Describe(e), " {...}"))
	for i, v := range e.Values {
		if i == maxNodes {
			break
		}
		fmt.Fprintf(&b, "  %s = %s\n", v.Name, enumNumber(e, v.Value))
	}
	b.WriteString("};\n")
	return b.String()
}

// Text writes what is known of any type: the definition of a struct, union, enum
// or a typedef of one, with its size; other typedefs by their target; of other
// types the size alone.
func Text(t ctype.Type, s Style) string {
	if d := Define(t); d != nil {
		if td, ok := t.(*ctype.Typedef); ok {
			return d.Typedef(td.Name, s)
		}
		return d.Text(s)
	}
	w := &defWriter{style: s}
	size := "SIZE: " + w.number(t.Size()) + "\n"
	switch u := t.(type) {
	case *ctype.Typedef:
		return "typedef " + ctype.Declare(resolve(u.Target), u.Name) + ";\n" + size
	case *ctype.Enum:
		return EnumText(u)
	case *ctype.Forward:
		return ctype.Describe(u) + " {\n    <incomplete type>\n}\n"
	}
	return size
}

// resolve looks through typedefs of typedefs.
func resolve(t ctype.Type) ctype.Type {
	for td, ok := t.(*ctype.Typedef); ok; td, ok = t.(*ctype.Typedef) {
		t = td.Target
	}
	return t
}

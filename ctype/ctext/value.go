package ctext

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/kinquest/inquest/ctype"
	"github.com/kinquest/inquest/mem"
)

// maxElements is how many elements of an array, or bytes of a string, are shown,
// as crash sets gdb's "print elements".
const maxElements = 256

// Printer writes typed memory as gdb does. The zero Printer writes decimal
// numbers and plain addresses.
type Printer struct {
	// Hex writes integers in hex: crash's -x.
	Hex bool
	// Symbol names an address, "init_task+192", or gives "". It may be nil.
	Symbol func(mem.Virt) string
	// CString reads the string at an address, of at most limit bytes. If it is
	// nil, pointers to char are shown without their text.
	CString func(addr mem.Virt, limit int) (string, error)
}

// Value writes the object of type t in b, which lies at addr: "{" and lines
// indented by two spaces for structs, else one line; without a newline at the
// end. Where b is shorter than the type, what is missing shows as
// "<not readable>".
func (p *Printer) Value(t ctype.Type, b []byte, addr mem.Virt) string {
	w := &valueWriter{Printer: p, left: maxNodes}
	w.value(place{t: t, b: b, addr: addr, has: uint64(len(b)) >= t.Size()}, 0)
	return w.out.String()
}

// Member writes one member of an object as "name = value". The bytes and the
// address are those of the object, and the name may be a path, as ctype.Path
// gives it.
func (p *Printer) Member(m ctype.Member, object []byte, addr mem.Virt) string {
	w := &valueWriter{Printer: p, left: maxNodes}
	w.out.WriteString("  " + m.Name + " = ")
	w.value(memberPlace(&m, place{b: object, addr: addr}), 1)
	return w.out.String()
}

type valueWriter struct {
	*Printer
	out  strings.Builder
	left int // values that may still be written
}

// place is an object to write.
type place struct {
	t    ctype.Type
	b    []byte // its bytes, from the first on; fewer where not all were read
	addr mem.Virt
	bit  uint64
	bits uint64 // of a bit-field, else 0
	has  bool   // b is complete
}

// memberPlace finds a member within the bytes of its struct.
func memberPlace(m *ctype.Member, outer place) place {
	in := place{t: m.Type, addr: outer.addr + mem.Virt(m.Off), bit: m.BitOff % 8, bits: m.Bits}
	size := m.Type.Size()
	if m.Bits != 0 {
		size = (in.bit + m.Bits + 7) / 8
	}
	return in.cut(outer.b, m.Off, size)
}

// cut gives the place its size bytes at off of b, as far as they are there.
func (in place) cut(b []byte, off, size uint64) place {
	n := uint64(len(b))
	off = min(off, n)
	end := min(n, off+size)
	in.b, in.has = b[off:end], end-off == size
	return in
}

// notReadable stands for a value whose bytes the dump does not have.
const notReadable = "<not readable>"

// value writes one object; level is how deep it lies.
func (w *valueWriter) value(at place, level int) {
	if w.left--; w.left < 0 {
		w.out.WriteString("...")
		return
	}
	switch t := ctype.Strip(at.t).(type) {
	case *ctype.Struct:
		w.structure(t, at, level)
	case *ctype.Array:
		w.array(t, at, level)
	case *ctype.Forward:
		w.out.WriteString("<incomplete type>")
	case *ctype.Void, *ctype.FuncProto:
		w.out.WriteString("void")
	default:
		if at.has {
			w.scalar(t, at)
		} else {
			w.out.WriteString(notReadable)
		}
	}
}

func (w *valueWriter) structure(t *ctype.Struct, at place, level int) {
	if len(t.Members) == 0 {
		w.out.WriteString("{<No data fields>}")
		return
	}
	w.out.WriteString("{\n")
	for i := range t.Members {
		m := &t.Members[i]
		if w.left < 0 {
			break
		}
		w.indent(level + 1)
		if m.Name != "" {
			w.out.WriteString(m.Name + " = ")
		}
		w.value(memberPlace(m, at), level+1)
		if i < len(t.Members)-1 {
			w.out.WriteByte(',')
		}
		w.out.WriteByte('\n')
	}
	w.indent(level)
	w.out.WriteByte('}')
}

func (w *valueWriter) indent(level int) {
	for range level {
		w.out.WriteString("  ")
	}
}

func (w *valueWriter) array(t *ctype.Array, at place, level int) {
	size := t.Elem.Size()
	if t.Len == 0 || size == 0 { // shown as the address of what follows
		w.pointer(t.Elem, uint64(at.addr), true)
		return
	}
	if isChar(t.Elem) && at.has {
		w.quote(at.b)
		return
	}
	w.out.WriteByte('{')
	for i := range min(t.Len, maxElements) {
		if w.left < 0 {
			break
		}
		if i > 0 {
			w.out.WriteString(", ")
		}
		elem := place{t: t.Elem, addr: at.addr + mem.Virt(i*size)}
		w.value(elem.cut(at.b, i*size, size), level+1)
	}
	if t.Len > maxElements {
		w.out.WriteString("...")
	}
	w.out.WriteByte('}')
}

// scalar writes a number, enumerator, bool or pointer.
func (w *valueWriter) scalar(t ctype.Type, at place) {
	width := at.bits
	if width == 0 {
		width = uint64(len(at.b)) * 8
	}
	signed := false
	switch u := t.(type) {
	case *ctype.Int:
		if u.Bytes > 8 && at.bits == 0 {
			w.wide(u, at.b)
			return
		}
		signed = u.Signed
	case *ctype.Enum:
		signed = u.Signed
	case *ctype.Float:
		w.float(at.b)
		return
	}
	v := ctype.Bits(at.b, at.bit, width, signed)
	switch u := t.(type) {
	case *ctype.Pointer:
		w.pointer(u.Target(), v, !isChar(u.Target()))
	case *ctype.Enum:
		w.enum(u, v)
	case *ctype.Int:
		w.integer(u, v, width)
	}
}

func (w *valueWriter) integer(t *ctype.Int, v, width uint64) {
	switch {
	case w.Hex:
		w.out.WriteString(hex(v, width))
	case t.Bool && v <= 1:
		w.out.WriteString(strconv.FormatBool(v == 1))
	case t.Bytes == 1 && !t.Bool:
		w.out.WriteString(decimal(v, t.Signed) + " '")
		w.char(byte(v), '\'')
		w.out.WriteByte('\'')
	default:
		w.out.WriteString(decimal(v, t.Signed))
	}
}

func decimal(v uint64, signed bool) string {
	if signed {
		return strconv.FormatInt(int64(v), 10)
	}
	return strconv.FormatUint(v, 10)
}

func hex(v, width uint64) string {
	if width < 64 {
		v &= 1<<width - 1
	}
	return "0x" + strconv.FormatUint(v, 16)
}

// wide writes an integer of more than 64 bits.
func (w *valueWriter) wide(t *ctype.Int, b []byte) {
	big10 := slices.Clone(b)
	slices.Reverse(big10)
	n := new(big.Int).SetBytes(big10)
	if w.Hex {
		w.out.WriteString("0x" + n.Text(16))
		return
	}
	if t.Signed && n.Bit(len(b)*8-1) == 1 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(len(b)*8)))
	}
	w.out.WriteString(n.String())
}

func (w *valueWriter) float(b []byte) {
	switch len(b) {
	case 4:
		w.out.WriteString(strconv.FormatFloat(float64(math.Float32frombits(binary.LittleEndian.Uint32(b))), 'g', 9, 32))
	case 8:
		w.out.WriteString(strconv.FormatFloat(math.Float64frombits(binary.LittleEndian.Uint64(b)), 'g', 17, 64))
	default:
		fmt.Fprintf(&w.out, "<float of %d bytes>", len(b))
	}
}

// enum writes an enumerator, or the enumerators of a flag word as "(A | B)".
func (w *valueWriter) enum(t *ctype.Enum, v uint64) {
	flags := true
	for i := range t.Values {
		e := &t.Values[i]
		if e.Value == v {
			w.out.WriteString(e.Name)
			return
		}
		flags = flags && e.Value&(e.Value-1) == 0
	}
	if !flags || v == 0 || len(t.Values) == 0 {
		w.out.WriteString(decimal(v, t.Signed))
		return
	}
	sep, rest := "(", v
	for i := range t.Values {
		if e := &t.Values[i]; rest&e.Value != 0 {
			w.out.WriteString(sep + e.Name)
			sep, rest = " | ", rest&^e.Value
		}
	}
	if rest != 0 {
		fmt.Fprintf(&w.out, "%sunknown: %#x", sep, rest)
	}
	w.out.WriteByte(')')
}

// pointer writes an address, the symbol it lies in, and the text of a string.
// Without within, the symbol must start there: string constants lie behind
// whatever symbol the linker put before them.
func (w *valueWriter) pointer(target ctype.Type, v uint64, within bool) {
	fmt.Fprintf(&w.out, "0x%x", v)
	if v == 0 {
		return
	}
	if w.Symbol != nil {
		if s := w.Symbol(mem.Virt(v)); s != "" && (within || !strings.Contains(s, "+")) {
			w.out.WriteString(" <" + s + ">")
		}
	}
	if w.CString == nil || !isChar(target) {
		return
	}
	s, err := w.CString(mem.Virt(v), maxElements+1)
	switch {
	case err != nil && s == "":
		fmt.Fprintf(&w.out, " <error: %v>", err)
	case s == "":
		w.out.WriteString(` ""`)
	default:
		w.out.WriteByte(' ')
		w.quote([]byte(s + "\x00"))
	}
}

// isChar says whether arrays of t are text: gdb takes all integers of one byte for it.
func isChar(t ctype.Type) bool {
	i, ok := ctype.Strip(t).(*ctype.Int)
	return ok && i.Bytes == 1 && !i.Bool
}

// quote writes a char array as a string. One NUL byte at its end is implied.
func (w *valueWriter) quote(b []byte) {
	cut := len(b) > maxElements
	switch {
	case cut && len(b) == maxElements+1 && b[maxElements] == 0:
		b, cut = b[:maxElements], false
	case cut:
		b = b[:maxElements]
	case len(b) > 0 && b[len(b)-1] == 0:
		b = b[:len(b)-1]
	}
	w.out.WriteByte('"')
	for _, c := range b {
		w.char(c, '"')
	}
	w.out.WriteByte('"')
	if cut {
		w.out.WriteString("...")
	}
}

// char writes one byte of a string or character constant.
func (w *valueWriter) char(c, quote byte) {
	if i := strings.IndexByte("\a\b\f\n\r\t\v", c); i >= 0 {
		w.out.WriteByte('\\')
		w.out.WriteByte("abfnrtv"[i])
		return
	}
	switch {
	case c == quote || c == '\\':
		w.out.WriteByte('\\')
		w.out.WriteByte(c)
	case c < ' ' || c > '~':
		fmt.Fprintf(&w.out, "\\%03o", c)
	default:
		w.out.WriteByte(c)
	}
}

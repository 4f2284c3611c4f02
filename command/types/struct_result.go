package types

import (
	"encoding/binary"
	"fmt"

	"github.com/kinquest/inquest/command"
	"github.com/kinquest/inquest/ctype"
	"github.com/kinquest/inquest/ctype/ctext"
	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/render"
)

// LayoutResult is the declaration of a struct or union, or of some members.
type LayoutResult struct {
	*ctext.Def
	At render.Hex `json:"addr,omitempty"` // the object whose members' addresses are shown

	t     ctype.Type
	style ctext.Style
}

func newLayout(t ctype.Type, picked []ctype.Member, style ctext.Style) *LayoutResult {
	r := &LayoutResult{Def: ctext.Define(t), At: render.Hex(style.At), t: t, style: style}
	if picked != nil && r.Def != nil { // the members asked for, as those of a struct
		r.Members = ctext.Define(&ctype.Struct{Bytes: r.Size, Members: picked}).Members
		r.t, r.style.Offsets = nil, true
	}
	return r
}

// WriteText writes crash's layout.
func (r *LayoutResult) WriteText(w *render.Writer) error {
	if r.t != nil {
		w.Text(ctext.Text(r.t, r.style))
		return w.Err()
	}
	if r.Def == nil {
		w.Text("no members\n")
		return w.Err()
	}
	w.Printf("%s {\n", r.Decl)
	for _, m := range r.Members {
		one := ctext.Def{Decl: r.Decl, Size: r.Size, Members: []ctext.Member{m}}
		style := r.style
		style.Only = m.Name
		w.Text(body(one.Text(style)))
	}
	w.Text("}\n")
	return w.Err()
}

// body cuts the first and the last line off.
func body(text string) string {
	start, end := 0, len(text)-1
	for start < end && text[start] != '\n' {
		start++
	}
	for end--; end > start && text[end] != '\n'; {
		end--
	}
	return text[start+1 : end+1]
}

// ObjectsResult is objects in memory.
type ObjectsResult struct {
	command.Partial
	Objects []Object `json:"objects"`

	raw bool
}

// Object is a struct or union in memory: all of it, or some members.
type Object struct {
	Addr    render.Hex   `json:"addr"`
	CPU     *int         `json:"cpu,omitempty"` // of a per-CPU variable
	Value   *ctext.Node  `json:"value,omitempty"`
	Members []ctext.Node `json:"members,omitempty"`
	Bytes   string       `json:"bytes,omitempty"` // with -r, hexadecimal

	text []string
	b    []byte
}

// some says that a part of the object could be read.
func (o *Object) some() bool { return len(o.b) > 0 }

// decoder reads objects of one type.
type decoder struct {
	t       ctype.Type
	picked  []ctype.Member // nil for the whole
	mem     mem.Reader[mem.Virt]
	printer *ctext.Printer
	raw     bool
}

// maxObject bounds one object, in bytes; the largest structs of a kernel have
// some 200 KiB.
const maxObject = 1 << 20

// newPrinter makes the printer that looks symbols and strings up in the kernel.
func newPrinter(env *command.Env, r mem.Reader[mem.Virt], hex bool) *ctext.Printer {
	return &ctext.Printer{
		Hex:     hex,
		Symbol:  env.SymbolAt,
		CString: func(a mem.Virt, limit int) (string, error) { return mem.CString(r, a, limit) },
	}
}

// object reads the object at b. What lies behind the first unreadable byte is
// missing from it, and the error says so.
func (d *decoder) object(b base) (Object, error) {
	size := d.t.Size()
	if size == 0 || size > maxObject {
		return Object{}, fmt.Errorf("%s has %d bytes; from 1 to %d can be shown", ctype.Describe(d.t), size, maxObject)
	}
	o := Object{Addr: render.Hex(b.Addr), b: make([]byte, size)}
	if b.CPU >= 0 {
		o.CPU = &b.CPU
	}
	n, err := d.mem.ReadMem(o.b, b.Addr)
	o.b = o.b[:n]
	switch {
	case d.raw:
		o.Bytes = fmt.Sprintf("%x", o.b)
	case d.picked == nil:
		node := d.printer.Data(d.t, o.b, b.Addr)
		o.Value = &node
		o.text = []string{ctype.Describe(d.t) + " " + d.printer.Value(d.t, o.b, b.Addr)}
	default:
		for _, m := range d.picked {
			o.Members = append(o.Members, d.member(m, o.b, b.Addr))
			o.text = append(o.text, d.printer.Member(m, o.b, b.Addr)+",")
		}
		err = d.missed(n, err)
	}
	return o, err
}

// member decodes one member.
func (d *decoder) member(m ctype.Member, b []byte, at mem.Virt) ctext.Node {
	all := d.printer.Data(&ctype.Struct{Bytes: d.t.Size(), Members: []ctype.Member{m}}, b, at)
	return all.Members[0]
}

// missed drops an error that lies behind all members asked for.
func (d *decoder) missed(n int, err error) error {
	for _, m := range d.picked {
		if m.Off+m.Type.Size() > uint64(n) {
			return err
		}
	}
	return nil
}

// WriteText writes crash's layout.
func (r *ObjectsResult) WriteText(w *render.Writer) error {
	for i := range r.Objects {
		o := &r.Objects[i]
		if i > 0 {
			w.Text("\n")
		}
		if o.CPU != nil {
			w.Printf("[%d]: %x\n", *o.CPU, uint64(o.Addr))
		}
		if r.raw {
			o.writeRaw(w)
		}
		for _, t := range o.text {
			w.Printf("%s\n", t)
		}
	}
	return w.Err()
}

// writeRaw writes the bytes as rd does.
func (o *Object) writeRaw(w *render.Writer) {
	for off := 0; off < len(o.b); off += 16 {
		line := o.b[off:min(off+16, len(o.b))]
		w.Printf("%016x:  ", uint64(o.Addr)+uint64(off))
		for i := 0; i < 16; i += 8 {
			if i >= len(line) {
				w.Printf("%16s ", "")
				continue
			}
			var word [8]byte
			copy(word[:], line[i:])
			w.Printf("%016x ", binary.LittleEndian.Uint64(word[:]))
		}
		w.Printf("  %s\n", render.ASCII(line))
	}
}

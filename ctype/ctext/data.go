package ctext

import (
	"github.com/kinquest/inquest/ctype"
	"github.com/kinquest/inquest/mem"
)

// Node is a typed object as data, for JSON: exactly one of Value, Members,
// Elems and Absent is set, or none for an empty struct.
type Node struct {
	Name    string   `json:"name,omitempty"` // of a member
	Type    string   `json:"type"`           // as C writes it: "struct list_head *"
	Addr    mem.Virt `json:"addr"`
	Value   any      `json:"value,omitempty"`  // int64, uint64, bool, or string for text and enumerators; mem.Virt for a pointer
	Symbol  string   `json:"symbol,omitempty"` // of a pointer
	Members []Node   `json:"members,omitempty"`
	Elems   []Node   `json:"elems,omitempty"`
	Length  uint64   `json:"length,omitempty"` // of an array, of which Elems may be the start
	Absent  string   `json:"absent,omitempty"` // why there is no value
}

// Data gives the object of type t in b, which lies at addr, as data. Where b is
// shorter than the type, what is missing is marked absent. Arrays stop after 256
// elements, and the whole after some ten thousand nodes.
func (p *Printer) Data(t ctype.Type, b []byte, addr mem.Virt) Node {
	d := &dataMaker{Printer: p, left: maxNodes}
	return d.node(place{t: t, b: b, addr: addr, has: uint64(len(b)) >= t.Size()})
}

type dataMaker struct {
	*Printer
	left int
}

func (d *dataMaker) node(at place) Node {
	d.left--
	n := Node{Type: ctype.Describe(at.t), Addr: at.addr}
	switch t := ctype.Strip(at.t).(type) {
	case *ctype.Struct:
		for i := range t.Members {
			if d.left < 0 {
				break
			}
			m := d.node(memberPlace(&t.Members[i], at))
			m.Name = t.Members[i].Name
			n.Members = append(n.Members, m)
		}
	case *ctype.Array:
		d.array(&n, t, at)
	case *ctype.Int, *ctype.Enum, *ctype.Pointer, *ctype.Float:
		if !at.has {
			n.Absent = "not readable"
			break
		}
		d.scalar(&n, t, at)
	default:
		n.Absent = "incomplete type"
	}
	return n
}

func (d *dataMaker) array(n *Node, t *ctype.Array, at place) {
	n.Length = t.Len
	size := t.Elem.Size()
	switch {
	case isChar(t.Elem) && t.Len > 0 && at.has:
		n.Value = mem.Fixed(at.b)
		return
	case size == 0:
		return
	}
	for i := range min(t.Len, maxElements) {
		if d.left < 0 {
			return
		}
		elem := place{t: t.Elem, addr: at.addr + mem.Virt(i*size)}
		n.Elems = append(n.Elems, d.node(elem.cut(at.b, i*size, size)))
	}
}

func (d *dataMaker) scalar(n *Node, t ctype.Type, at place) {
	w := valueWriter{Printer: &Printer{}}
	width := at.bits
	if width == 0 {
		width = uint64(len(at.b)) * 8
	}
	_, signed := ctype.Scalar(t)
	v := ctype.Bits(at.b, at.bit, width, signed)
	switch u := t.(type) {
	case *ctype.Pointer:
		n.Value = mem.Virt(v)
		if d.Symbol != nil && v != 0 {
			n.Symbol = d.Symbol(mem.Virt(v))
		}
		return
	case *ctype.Enum:
		w.enum(u, v)
	case *ctype.Int:
		switch {
		case u.Bool && v <= 1:
			n.Value = v == 1
			return
		case width <= 64 && signed:
			n.Value = int64(v)
			return
		case width <= 64:
			n.Value = v
			return
		}
		w.wide(u, at.b)
	default:
		w.float(at.b)
	}
	n.Value = w.out.String()
}

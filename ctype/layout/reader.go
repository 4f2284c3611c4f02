package layout

import "github.com/kinquest/inquest/mem"

// Reader reads several members of one object and keeps the first error, so
// that a decoder checks once. After an error every read gives zero.
type Reader struct {
	mem    mem.Reader[mem.Virt]
	at     mem.Virt
	object []byte
	err    error
}

// NewReader reads members of the object at base from memory.
func NewReader(r mem.Reader[mem.Virt], base mem.Virt) *Reader {
	return &Reader{mem: r, at: base}
}

// Of reads members out of the bytes of an object.
func Of(object []byte) *Reader { return &Reader{object: object} }

// Uint gives the value of a scalar member, as Field.Uint does.
func (r *Reader) Uint(f *Field) uint64 {
	if r.err != nil {
		return 0
	}
	var v uint64
	if r.mem != nil {
		v, r.err = f.Read(r.mem, r.at)
	} else {
		v, r.err = f.Uint(r.object)
	}
	return v
}

// Ptr gives the value of a pointer member.
func (r *Reader) Ptr(f *Field) mem.Virt { return mem.Virt(r.Uint(f)) }

// Text gives a character array up to its first NUL byte.
func (r *Reader) Text(f *Field) string {
	if r.err != nil {
		return ""
	}
	var b []byte
	if r.mem != nil {
		b, r.err = f.ReadBytes(r.mem, r.at)
	} else {
		b, r.err = f.Bytes(r.object)
	}
	return mem.Fixed(b)
}

// Err is the first error, which names the member and the object's address.
func (r *Reader) Err() error { return r.err }

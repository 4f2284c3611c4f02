package btf

import (
	"fmt"

	"github.com/kinquest/inquest/ctype"
)

// maxNesting bounds how deep structs, arrays, typedefs and qualifiers contain
// each other by value; kernels stay below 30. It also ends circles, which only
// damaged data has.
const maxNesting = 128

// void is the type of id 0, which no record describes.
var void = &ctype.Void{}

// Type decodes the type of an id: 0 is void, then come those of the base, then
// this Spec's own. The same id gives the same Type each time; FUNC gives its
// prototype, VAR its type. The error is a *FormatError.
func (s *Spec) Type(id uint32) (ctype.Type, error) {
	for id < s.first && id != 0 {
		s = s.base
	}
	if id == 0 {
		return void, nil
	}
	if id >= s.end() {
		return nil, &FormatError{s.at, fmt.Sprintf("no type %d: there are %d", id, s.end()-1)}
	}
	s.mu.RLock()
	t := s.done[id-s.first]
	s.mu.RUnlock()
	if t != nil {
		return t, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.decode(id, 0)
}

// Resolve implements ctype.Resolver for the targets of pointers.
func (s *Spec) Resolve(id uint64) ctype.Type {
	t, err := s.Type(uint32(id))
	if err != nil {
		return &ctype.Forward{}
	}
	return t
}

// decode gives a type that may be the base's or not decoded yet. It holds s.mu.
func (s *Spec) decode(id uint32, depth int) (ctype.Type, error) {
	switch {
	case id < s.first:
		if s.base == nil {
			return void, nil
		}
		return s.base.Type(id)
	case id >= s.end():
		return nil, &FormatError{s.at, fmt.Sprintf("no type %d: there are %d", id, s.end()-1)}
	}
	if t := s.done[id-s.first]; t != nil {
		return t, nil
	}
	rec := s.record(id)
	if depth > maxNesting {
		return nil, s.damaged(rec.off, fmt.Sprintf("type %d contains itself, or too many others in each other", id))
	}
	t, err := s.build(&rec, depth)
	if err != nil {
		return nil, err
	}
	s.done[id-s.first] = t
	return t, nil
}

// build makes the ctype.Type of one record.
func (s *Spec) build(rec *record, depth int) (ctype.Type, error) {
	name, ok := s.str(rec.name)
	if !ok {
		return nil, s.damaged(rec.off, fmt.Sprintf("name offset %#x", rec.name))
	}
	switch rec.kind() {
	case kindInt:
		return s.buildInt(rec, name)
	case kindFloat:
		return &ctype.Float{Name: name, Bytes: uint64(rec.arg)}, nil
	case kindPtr:
		return ctype.LazyPointer(s, uint64(rec.arg)), nil
	case kindArray:
		elem, err := s.decode(rec.u32(0), depth+1)
		return &ctype.Array{Elem: elem, Len: uint64(rec.u32(8))}, err
	case kindStruct, kindUnion:
		return s.buildStruct(rec, name, depth)
	case kindEnum, kindEnum64:
		return s.buildEnum(rec, name)
	case kindFwd:
		return &ctype.Forward{Name: name, Union: rec.flag()}, nil
	case kindFuncProto:
		return s.buildProto(rec, depth)
	case kindTypedef:
		target, err := s.decode(rec.arg, depth+1)
		return &ctype.Typedef{Name: name, Target: target}, err
	case kindConst, kindVolatile, kindRestrict, kindTypeTag:
		target, err := s.decode(rec.arg, depth+1)
		return &ctype.Qualified{Qualifier: qualifier(rec.kind()), Target: target}, err
	case kindFunc, kindVar:
		return s.decode(rec.arg, depth+1)
	}
	return nil, s.damaged(rec.off, fmt.Sprintf("a record of kind %d is no type", rec.kind()))
}

func qualifier(kind uint32) string {
	switch kind {
	case kindConst:
		return "const"
	case kindVolatile:
		return "volatile"
	case kindRestrict:
		return "restrict"
	}
	return "" // BTF_KIND_TYPE_TAG: __user, __rcu, __percpu
}

// The bits of BTF_INT_ENCODING.
const (
	intSigned = 1 << 0
	intChar   = 1 << 1
	intBool   = 1 << 2
)

// maxScalar is the size of the largest integers and floats of C (__int128, long double) in bytes.
const maxScalar = 16

func (s *Spec) buildInt(rec *record, name string) (ctype.Type, error) {
	if rec.arg == 0 || rec.arg > maxScalar {
		return nil, s.damaged(rec.off, fmt.Sprintf("integer %s of %d bytes", name, rec.arg))
	}
	enc := rec.u32(0) >> 24
	return &ctype.Int{
		Name: ctype.BaseName(name), Bytes: uint64(rec.arg),
		Signed: enc&intSigned != 0,
		// pahole leaves BTF_INT_CHAR out.
		Char: enc&intChar != 0 || rec.arg == 1 && (name == "char" || name == "signed char" || name == "unsigned char"),
		Bool: enc&intBool != 0,
	}, nil
}

func (s *Spec) buildStruct(rec *record, name string, depth int) (ctype.Type, error) {
	st := &ctype.Struct{
		Name: name, Union: rec.kind() == kindUnion, Bytes: uint64(rec.arg),
		Members: make([]ctype.Member, rec.vlen()),
	}
	for i := range st.Members {
		if err := s.buildMember(rec, &st.Members[i], i*12, depth); err != nil {
			return nil, fmt.Errorf("%s: %w", st.Tag(), err)
		}
		if m := &st.Members[i]; m.Off+(m.Bits+7)/8 > st.Bytes || m.Bits == 0 && m.Off+m.Type.Size() > st.Bytes {
			return nil, s.damaged(rec.off, fmt.Sprintf("%s of %d bytes: member %s at %d runs over its end", st.Tag(), st.Bytes, m.Name, m.Off))
		}
	}
	return st, nil
}

// buildMember decodes the struct btf_member at byte at behind the record.
func (s *Spec) buildMember(rec *record, m *ctype.Member, at, depth int) error {
	name, ok := s.str(rec.u32(at))
	if !ok {
		return s.damaged(rec.off, fmt.Sprintf("member's name offset %#x", rec.u32(at)))
	}
	t, err := s.decode(rec.u32(at+4), depth+1)
	if err != nil {
		return err
	}
	off := uint64(rec.u32(at + 8))
	m.Name, m.Type = name, t
	if rec.flag() {
		m.Bits, off = off>>24, off&0xffffff
	} else if width, shift := s.oldBitField(rec.u32(at + 4)); width != 0 {
		m.Bits, off = width, off+shift
	}
	m.Off, m.BitOff = off/8, off
	if m.Bits > 64 || m.Bits == 0 && off%8 != 0 {
		return s.damaged(rec.off, fmt.Sprintf("member %s of %d bits at bit %d", name, m.Bits, off))
	}
	return nil
}

// oldBitField gives width and position of a bit-field that a struct without
// kind_flag declares through an integer type of odd width, as compilers and
// pahole did before 5.0; width 0 for all other types.
func (s *Spec) oldBitField(id uint32) (width, shift uint64) {
	for range maxNesting {
		for id < s.first && s.base != nil {
			s = s.base
		}
		if id < s.first || id >= s.end() {
			return 0, 0
		}
		rec := s.record(id)
		switch rec.kind() {
		case kindInt:
			width, shift = uint64(rec.u32(0)&0xff), uint64(rec.u32(0)>>16&0xff)
			if width == uint64(rec.arg)*8 && shift == 0 {
				return 0, 0
			}
			return width, shift
		case kindTypedef, kindConst, kindVolatile:
			id = rec.arg
		default:
			return 0, 0
		}
	}
	return 0, 0
}

func (s *Spec) buildEnum(rec *record, name string) (ctype.Type, error) {
	e := &ctype.Enum{Name: name, Bytes: uint64(rec.arg), Signed: s.signed(rec), Values: make([]ctype.EnumValue, rec.vlen())}
	switch e.Bytes {
	case 1, 2, 4, 8:
	default:
		return nil, s.damaged(rec.off, fmt.Sprintf("enum %s of %d bytes", name, e.Bytes))
	}
	for i := range e.Values {
		v := &e.Values[i]
		var ok bool
		if v.Name, v.Value, ok = s.enumerator(rec, i); !ok {
			return nil, s.damaged(rec.off, fmt.Sprintf("enum %s: bad name of enumerator %d", name, i))
		}
	}
	return e, nil
}

// signed says whether a record's enumerators are signed. kind_flag tells since
// 6089fb325cf7 ("bpf: Add btf enum64 support", v6.0); before, no enum has it, and
// all are signed.
func (s *Spec) signed(rec *record) bool { return rec.flag() || !s.enumFlags }

// enumerator gives the i-th struct btf_enum or btf_enum64 of a record.
func (s *Spec) enumerator(rec *record, i int) (name string, value uint64, ok bool) {
	size := 8
	if rec.kind() == kindEnum64 {
		size = 12
	}
	name, ok = s.str(rec.u32(i * size))
	switch lo := rec.u32(i*size + 4); {
	case size == 12:
		value = uint64(lo) | uint64(rec.u32(i*size+8))<<32
	case s.signed(rec):
		value = uint64(int64(int32(lo)))
	default:
		value = uint64(lo)
	}
	return name, value, ok
}

func (s *Spec) buildProto(rec *record, depth int) (ctype.Type, error) {
	result, err := s.decode(rec.arg, depth+1)
	if err != nil {
		return nil, err
	}
	n := rec.vlen()
	p := &ctype.FuncProto{Result: result, Params: make([]ctype.Param, 0, n)}
	for i := range n {
		id := rec.u32(i*8 + 4)
		if id == 0 && i == n-1 { // an unnamed void at the end is "..."
			p.Variadic = true
			break
		}
		name, ok := s.str(rec.u32(i * 8))
		if !ok {
			return nil, s.damaged(rec.off, fmt.Sprintf("parameter's name offset %#x", rec.u32(i*8)))
		}
		t, err := s.decode(id, depth+1)
		if err != nil {
			return nil, err
		}
		p.Params = append(p.Params, ctype.Param{Name: name, Type: t})
	}
	return p, nil
}

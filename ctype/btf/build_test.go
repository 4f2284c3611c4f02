package btf

import (
	"encoding/binary"
	"strconv"
	"strings"
	"testing"
)

// builder turns lines of text into BTF: one record a line, its id the line's
// number (for a module, counted on from its base's last).
//
//	int NAME BYTES ENCODING       float NAME BYTES      ptr ID      array ELEM LEN
//	struct|union NAME BYTES FIELD:ID@BITOFF[:BITS]…    (kind_flag if any has BITS)
//	enum|uenum|enum64 NAME BYTES NAME=VALUE…           (kind_flag unless uenum)
//	fwd|ufwd NAME    typedef NAME ID    const|volatile|restrict ID    typetag NAME ID
//	proto RESULT NAME:ID…         func NAME ID          var NAME ID
//	datasec NAME BYTES ID@OFF:BYTES…                    decltag NAME ID
//	raw INFO ARG WORD…
//
// "-" is the empty name; "_" in the name of an int is a space.
type builder struct {
	t       testing.TB
	types   []byte
	strs    []byte
	strAt   uint32
	layout  []byte
	hdrSize int
}

func newBuilder(t testing.TB) *builder {
	return &builder{t: t, strs: []byte{0}, hdrSize: minHeaderSize}
}

// build makes the blob of a vmlinux.
func build(t testing.TB, text string) []byte {
	return newBuilder(t).lines(text).blob()
}

// buildOn makes the blob of a module.
func buildOn(t testing.TB, base *Spec, text string) []byte {
	b := newBuilder(t)
	b.strs, b.strAt = nil, base.strAt+uint32(len(base.strs))
	return b.lines(text).blob()
}

func (b *builder) u32(v ...uint32) {
	for _, v := range v {
		b.types = binary.LittleEndian.AppendUint32(b.types, v)
	}
}

func (b *builder) str(s string) uint32 {
	if s == "-" || s == "" {
		return 0
	}
	off := b.strAt + uint32(len(b.strs))
	b.strs = append(append(b.strs, s...), 0)
	return off
}

func (b *builder) num(s string) uint32 {
	v, err := strconv.ParseInt(s, 0, 64)
	if err != nil {
		b.t.Fatalf("number %q: %v", s, err)
	}
	return uint32(v)
}

// head writes a struct btf_type.
func (b *builder) head(name string, kind, vlen int, flag bool, arg string) {
	info := uint32(kind)<<24 | uint32(vlen)
	if flag {
		info |= 1 << 31
	}
	b.u32(b.str(name), info, b.num(arg))
}

func (b *builder) lines(text string) *builder {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 0 {
			b.line(f)
		}
	}
	return b
}

var plain = map[string]int{
	"fwd": kindFwd, "ufwd": kindFwd, "typedef": kindTypedef, "func": kindFunc, "var": kindVar,
	"float": kindFloat, "typetag": kindTypeTag, "decltag": kindDeclTag,
	"ptr": kindPtr, "const": kindConst, "volatile": kindVolatile, "restrict": kindRestrict,
}

func (b *builder) line(f []string) {
	switch word := f[0]; word {
	case "int":
		b.head(strings.ReplaceAll(f[1], "_", " "), kindInt, 0, false, f[2])
		b.u32(b.num(f[3])<<24 | b.num(f[2])*8)
	case "array":
		b.head("", kindArray, 0, false, "0")
		b.u32(b.num(f[1]), 1, b.num(f[2]))
	case "struct", "union":
		b.members(f)
	case "enum", "uenum", "enum64":
		b.enum(f)
	case "proto":
		b.head("", kindFuncProto, len(f)-2, false, f[1])
		for _, p := range f[2:] {
			name, id, _ := strings.Cut(p, ":")
			b.u32(b.str(name), b.num(id))
		}
	case "datasec":
		b.head(f[1], kindDatasec, len(f)-3, false, f[2])
		for _, e := range f[3:] {
			id, rest, _ := strings.Cut(e, "@")
			off, n, _ := strings.Cut(rest, ":")
			b.u32(b.num(id), b.num(off), b.num(n))
		}
	case "raw":
		b.u32(0)
		for _, w := range f[1:] {
			b.u32(b.num(w))
		}
	default:
		b.plain(f)
	}
}

func (b *builder) plain(f []string) {
	kind, ok := plain[f[0]]
	if !ok {
		b.t.Fatalf("unknown line %q", f)
	}
	switch f[0] {
	case "ptr", "const", "volatile", "restrict":
		b.head("", kind, 0, false, f[1])
	case "fwd", "ufwd":
		b.head(f[1], kind, 0, f[0] == "ufwd", "0")
	case "var":
		b.head(f[1], kind, 0, false, f[2])
		b.u32(1)
	case "decltag":
		b.head(f[1], kind, 0, false, f[2])
		b.u32(0xffffffff)
	default:
		b.head(f[1], kind, 0, false, f[2])
	}
}

func (b *builder) members(f []string) {
	kind, flag := kindStruct, false
	if f[0] == "union" {
		kind = kindUnion
	}
	for _, m := range f[3:] {
		flag = flag || strings.Count(m, ":") == 2
	}
	b.head(f[1], kind, len(f)-3, flag, f[2])
	for _, m := range f[3:] {
		name, rest, _ := strings.Cut(m, ":")
		id, rest, _ := strings.Cut(rest, "@")
		off, bits, _ := strings.Cut(rest, ":")
		word := b.num(off)
		if bits != "" {
			word |= b.num(bits) << 24
		}
		b.u32(b.str(name), b.num(id), word)
	}
}

func (b *builder) enum(f []string) {
	kind := kindEnum
	if f[0] == "enum64" {
		kind = kindEnum64
	}
	b.head(f[1], kind, len(f)-3, f[0] != "uenum", f[2])
	for _, e := range f[3:] {
		name, val, _ := strings.Cut(e, "=")
		v, err := strconv.ParseInt(val, 0, 64)
		if err != nil {
			b.t.Fatal(err)
		}
		b.u32(b.str(name), uint32(v))
		if kind == kindEnum64 {
			b.u32(uint32(v >> 32))
		}
	}
}

// blob puts header, types, layout section and strings together.
func (b *builder) blob() []byte {
	out := make([]byte, b.hdrSize)
	le := binary.LittleEndian
	le.PutUint16(out, magic)
	out[2] = 1
	le.PutUint32(out[4:], uint32(b.hdrSize))
	le.PutUint32(out[12:], uint32(len(b.types)))
	le.PutUint32(out[16:], uint32(len(b.types)+len(b.layout)))
	le.PutUint32(out[20:], uint32(len(b.strs)))
	if b.hdrSize >= layoutHeader {
		le.PutUint32(out[24:], uint32(len(b.types)))
		le.PutUint32(out[28:], uint32(len(b.layout)))
	}
	return append(append(append(out, b.types...), b.layout...), b.strs...)
}

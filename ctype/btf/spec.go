// Package btf decodes BTF, the type information that Linux kernels since 5.2
// carry in their own memory: that of vmlinux, and that of modules on top of it.
//
// Parse scans the records once; each type is decoded when it is asked for. The
// format is that of include/uapi/linux/btf.h and Documentation/bpf/btf.rst.
package btf

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"sync"

	"github.com/kinquest/inquest/ctype"
)

// Limits of what Parse takes on, well above real kernels: 7.2 has 125,000 types
// in 5.2 MiB.
const (
	maxTypes = 1 << 22  // the kernel's own BTF_MAX_TYPE was 2^20-1 in 2026
	maxBytes = 64 << 20 // of one BTF blob
)

const (
	magic         = 0xeb9f
	minHeaderSize = 24 // up to str_len; layout_off and layout_len follow since 2026
	layoutHeader  = 32
)

// Spec is a parsed BTF blob. It is immutable and safe for concurrent use, and
// gives the same ctype.Type for the same type each time.
type Spec struct {
	base  *Spec
	first uint32 // id of the first type here: 1, or the base's end
	at    uint64 // offset of the type section in the blob, for errors
	types []byte
	strs  string // this blob's string section
	strAt uint32 // offset of strs in the strings of base and this together
	offs  []uint32
	index nameIndex
	// enumFlags: some enum here or in the base has kind_flag, so it means something.
	enumFlags bool

	mu   sync.RWMutex
	done []ctype.Type // by id-first; nil until decoded

	enums   enumIndex
	datasec sectionIndex
}

// Parse scans a BTF blob. The base is nil for that of vmlinux, and vmlinux's for
// that of a module. The data must not change afterwards. The error is a *FormatError.
//
// A module built with a distilled base (.BTF.base, since 6.11, 8646db238997
// "libbpf,bpf: Share BTF relocate-related code with kernel") refers to vmlinux's
// ids in memory all the same: the kernel rewrites it when it loads the module.
// The .BTF section of such a module's file does not.
func Parse(data []byte, base *Spec) (*Spec, error) {
	h, err := parseHeader(data)
	if err != nil {
		return nil, err
	}
	s := &Spec{base: base, first: 1, at: uint64(h.types.off), types: h.types.in(data), strs: string(h.strs.in(data))}
	if base != nil {
		s.first, s.strAt = base.end(), base.strAt+uint32(len(base.strs))
		s.enumFlags = base.enumFlags
	}
	if err := s.checkStrings(uint64(h.strs.off)); err != nil {
		return nil, err
	}
	if err := s.scan(h.layout.in(data)); err != nil {
		return nil, err
	}
	s.done = make([]ctype.Type, len(s.offs))
	return s, nil
}

// section is a byte range of the blob.
type section struct{ off, size uint32 }

func (s section) in(data []byte) []byte { return data[s.off : s.off+s.size] }

type header struct{ types, strs, layout section }

func parseHeader(data []byte) (*header, error) {
	if len(data) > maxBytes {
		return nil, &FormatError{0, fmt.Sprintf("%d bytes are more than any kernel's", len(data))}
	}
	if len(data) < minHeaderSize {
		return nil, &FormatError{0, fmt.Sprintf("header cut off after %d bytes", len(data))}
	}
	le := binary.LittleEndian
	if m := le.Uint16(data); m != magic {
		return nil, &FormatError{0, fmt.Sprintf("magic %#x, want %#x", m, magic)}
	}
	if v := data[2]; v != 1 {
		return nil, &FormatError{2, fmt.Sprintf("version %d, want 1", v)}
	}
	size := le.Uint32(data[4:])
	if size < minHeaderSize || uint64(size) > uint64(len(data)) {
		return nil, &FormatError{4, fmt.Sprintf("header size %d", size)}
	}
	h := &header{layout: section{size, 0}}
	sections := []*section{&h.types, &h.strs}
	if size >= layoutHeader {
		sections = append(sections, &h.layout)
	}
	for i, s := range sections {
		field := 8 + 8*i
		off, n := uint64(le.Uint32(data[field:])), uint64(le.Uint32(data[field+4:]))
		if off += uint64(size); off+n > uint64(len(data)) {
			return nil, &FormatError{uint64(field), fmt.Sprintf("section of %d bytes at %#x in a blob of %d", n, off, len(data))}
		}
		*s = section{uint32(off), uint32(n)}
	}
	return h, nil
}

// checkStrings makes sure that every offset into the strings gives one that
// ends. Offset 0 is the empty string; a module's section starts without it.
func (s *Spec) checkStrings(at uint64) error {
	if s.base != nil && s.strs == "" {
		return nil
	}
	if !strings.HasSuffix(s.strs, "\x00") || s.base == nil && s.strs[0] != 0 {
		return &FormatError{at, "string section neither starts nor ends with a zero byte as it must"}
	}
	if uint64(s.strAt)+uint64(len(s.strs)) > math.MaxUint32 {
		return &FormatError{at, "string section too long"}
	}
	return nil
}

// scan finds where each record starts and enters the named ones in the index.
func (s *Spec) scan(layout []byte) error {
	shape, known := shapes()
	for ; known < maxKinds && known < len(layout)/4; known++ {
		shape[known].fixed, shape[known].elem = layout[known*4], layout[known*4+1]
	}
	s.offs = make([]uint32, 0, len(s.types)/24) // a kernel's records have 26 bytes on average
	for off := 0; off < len(s.types); {
		if len(s.types)-off < typeSize {
			return s.damaged(off, "type cut off at the end of its section")
		}
		if uint64(s.first)+uint64(len(s.offs)) >= maxTypes {
			return s.damaged(off, fmt.Sprintf("more than %d types", maxTypes))
		}
		info := binary.LittleEndian.Uint32(s.types[off+4:])
		kind := int(info >> 24 & 0x7f)
		if kind == 0 || kind >= known {
			return s.damaged(off, fmt.Sprintf("type %d has unknown kind %d", s.first+uint32(len(s.offs)), kind))
		}
		size := typeSize + int(shape[kind].fixed) + int(info&0xffffff)*int(shape[kind].elem)
		if size > len(s.types)-off {
			return s.damaged(off, fmt.Sprintf("type %d of %d bytes runs over the end of its section", s.first+uint32(len(s.offs)), size))
		}
		if kind == kindEnum64 || kind == kindEnum && info>>31 != 0 {
			s.enumFlags = true
		}
		s.offs = append(s.offs, uint32(off))
		off += size
	}
	return s.index.build(s)
}

// damaged is the *FormatError for a byte of the type section.
func (s *Spec) damaged(off int, what string) error {
	return &FormatError{s.at + uint64(off), what}
}

// end is the id behind the last type.
func (s *Spec) end() uint32 { return s.first + uint32(len(s.offs)) }

// Len is the number of types, void and those of the base not counted.
func (s *Spec) Len() int { return len(s.offs) }

// record gives the raw type of an id of this Spec's own.
func (s *Spec) record(id uint32) record {
	i := id - s.first
	off, end := int(s.offs[i]), len(s.types)
	if int(i)+1 < len(s.offs) {
		end = int(s.offs[i+1])
	}
	b := s.types[off:end]
	le := binary.LittleEndian
	return record{name: le.Uint32(b), info: le.Uint32(b[4:]), arg: le.Uint32(b[8:]), off: off, rest: b[typeSize:]}
}

// str is the string at an offset that counts through the base's strings first;
// ok is false beyond the end.
func (s *Spec) str(off uint32) (name string, ok bool) {
	for off < s.strAt {
		s = s.base
	}
	off -= s.strAt
	if uint64(off) >= uint64(len(s.strs)) {
		return "", false
	}
	rest := s.strs[off:]
	return rest[:strings.IndexByte(rest, 0)], true
}

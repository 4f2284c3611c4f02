package btf

import (
	"encoding/binary"
	"fmt"
)

// The kinds of include/uapi/linux/btf.h.
const (
	kindInt       = 1
	kindPtr       = 2
	kindArray     = 3
	kindStruct    = 4
	kindUnion     = 5
	kindEnum      = 6
	kindFwd       = 7
	kindTypedef   = 8
	kindVolatile  = 9
	kindConst     = 10
	kindRestrict  = 11
	kindFunc      = 12
	kindFuncProto = 13
	kindVar       = 14
	kindDatasec   = 15
	kindFloat     = 16
	kindDeclTag   = 17
	kindTypeTag   = 18
	kindEnum64    = 19
	knownKinds    = 20
)

// shape is how many bytes follow the 12 of a struct btf_type: fixed, and for
// each of the vlen elements.
type shape struct{ fixed, elem uint8 }

// shapes are those of the kinds above; a layout section (in 2026's kernels)
// adds those of kinds that came later.
func shapes() (s [maxKinds]shape, known int) {
	s[kindInt] = shape{4, 0}
	s[kindArray] = shape{12, 0}
	s[kindStruct] = shape{0, 12}
	s[kindUnion] = shape{0, 12}
	s[kindEnum] = shape{0, 8}
	s[kindFuncProto] = shape{0, 8}
	s[kindVar] = shape{4, 0}
	s[kindDatasec] = shape{0, 12}
	s[kindDeclTag] = shape{4, 0}
	s[kindEnum64] = shape{0, 12}
	return s, knownKinds
}

// typeSize is the size of a struct btf_type.
const typeSize = 12

// maxKinds is what the 7 bits of BTF_INFO_KIND can hold.
const maxKinds = 128

// record is one raw struct btf_type with what follows it.
type record struct {
	name uint32 // offset in the string section
	info uint32
	arg  uint32 // size, or the id of another type
	off  int    // of the record in the type section
	rest []byte // what follows the 12 bytes
}

// kind is BTF_INFO_KIND. Older kernels use 5 of its 7 bits and leave the others 0.
func (r *record) kind() uint32 { return r.info >> 24 & 0x7f }

// vlen is BTF_INFO_VLEN, 16 bits wide in older kernels, with zeros above.
func (r *record) vlen() int { return int(r.info & 0xffffff) }

// flag is BTF_INFO_KFLAG.
func (r *record) flag() bool { return r.info>>31 != 0 }

// u32 is the word at byte offset off behind the struct btf_type. The scan has
// checked that fixed and vlen parts are there.
func (r *record) u32(off int) uint32 { return binary.LittleEndian.Uint32(r.rest[off:]) }

// FormatError is BTF that breaks the format: where in the blob, and how.
type FormatError struct {
	Off  uint64 // bytes from the start of the BTF
	What string
}

func (e *FormatError) Error() string { return fmt.Sprintf("BTF at %#x: %s", e.Off, e.What) }

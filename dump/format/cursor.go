package format

import "encoding/binary"

// Fields reads integers of a header at fixed offsets. An offset beyond the
// header gives 0, so that a header of an older, shorter version reads as if
// its missing fields were zero; check Len where that matters.
type Fields struct {
	B     []byte
	Order binary.ByteOrder
}

// Len is the number of bytes at hand.
func (f Fields) Len() int { return len(f.B) }

// U16 reads 16 bits at off.
func (f Fields) U16(off int) uint16 {
	if off < 0 || off+2 > len(f.B) {
		return 0
	}
	return f.Order.Uint16(f.B[off:])
}

// U32 reads 32 bits at off.
func (f Fields) U32(off int) uint32 {
	if off < 0 || off+4 > len(f.B) {
		return 0
	}
	return f.Order.Uint32(f.B[off:])
}

// U64 reads 64 bits at off.
func (f Fields) U64(off int) uint64 {
	if off < 0 || off+8 > len(f.B) {
		return 0
	}
	return f.Order.Uint64(f.B[off:])
}

// Word reads 64 bits, or 32 when wide is false.
func (f Fields) Word(off int, wide bool) uint64 {
	if wide {
		return f.U64(off)
	}
	return uint64(f.U32(off))
}

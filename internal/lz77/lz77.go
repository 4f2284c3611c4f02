// Package lz77 copies what dictionary coders refer back to.
package lz77

import "encoding/binary"

// Repeat copies n bytes from dist bytes before op to op, where the copy may
// reach into itself. The caller has checked that dist is from 1 to op, and that
// n bytes from op on are within dst.
func Repeat(dst []byte, op, dist, n int) {
	from := op - dist
	switch {
	case dist >= 8 && n <= 16 && len(dst)-op >= 16:
		binary.LittleEndian.PutUint64(dst[op:], binary.LittleEndian.Uint64(dst[from:]))
		if n > 8 {
			binary.LittleEndian.PutUint64(dst[op+8:], binary.LittleEndian.Uint64(dst[from+8:]))
		}
	case dist >= n:
		copy(dst[op:op+n], dst[from:])
	case n < 8:
		for i := range n {
			dst[op+i] = dst[from+i]
		}
	default: // each copy doubles what repeats
		done := copy(dst[op:op+n], dst[from:op])
		for done < n {
			done += copy(dst[op+done:op+n], dst[from:op+done])
		}
	}
}

// Package lzo decompresses LZO1X into a buffer of known size. The stream
// format is described in the kernel tree's Documentation/staging/lzo.rst.
package lzo

import (
	"encoding/binary"
	"errors"

	"github.com/kinquest/inquest/internal/lz77"
)

// ErrCorrupt: the stream is damaged, or unpacks to more than the buffer holds.
var ErrCorrupt = errors.New("damaged LZO data")

// Largest first byte that is an ordinary instruction; above it, literals come first.
const firstPlain = 17

// Distances at which the longer-range instructions begin.
const (
	farDistance = 1 << 14 // instructions 16 to 31
	midDistance = 1 << 11 // three bytes behind a literal run
)

// Decompress unpacks src into dst and gives the number of bytes written. It
// never writes outside dst and ends after at most len(src) instructions. The
// error is ErrCorrupt.
func Decompress(dst, src []byte) (int, error) {
	ip, op := 0, 0
	state := 0 // literals that the last instruction copied; 4 stands for 4 or more
	if len(src) > 0 && src[0] > firstPlain {
		n := int(src[0]) - firstPlain
		ip = 1
		if n > len(src)-ip || n > len(dst) {
			return 0, ErrCorrupt
		}
		copy(dst, src[ip:ip+n])
		ip, op, state = ip+n, n, min(n, 4)
	}
	for ip < len(src) {
		t := int(src[ip])
		ip++
		var length, dist, next int
		switch {
		case t >= 64:
			if ip >= len(src) {
				return op, ErrCorrupt
			}
			length = t>>5 + 1
			dist = int(src[ip])<<3 + t>>2&7 + 1
			next = t & 3
			ip++
		case t >= 16:
			var ok bool
			if length, dist, next, ip, ok = long(src, t, ip); !ok {
				return op, ErrCorrupt
			}
			if t < 32 && dist == farDistance {
				return op, nil // the end marker
			}
		case state == 0:
			n, at := t, ip
			if t == 0 {
				n, at = run(src, ip, 15)
			}
			n += 3
			if n > len(src)-at || n > len(dst)-op {
				return op, ErrCorrupt
			}
			literals(dst, src, op, at, n)
			op, ip, state = op+n, at+n, 4
			continue
		default:
			if ip >= len(src) {
				return op, ErrCorrupt
			}
			length, dist, next = 2, int(src[ip])<<2+t>>2+1, t&3
			if state == 4 {
				length, dist = 3, dist+midDistance
			}
			ip++
		}
		if dist > op || length > len(dst)-op || next > len(src)-ip || next > len(dst)-op-length {
			return op, ErrCorrupt
		}
		lz77.Repeat(dst, op, dist, length)
		op += length
		for i := range next {
			dst[op+i] = src[ip+i]
		}
		op, ip, state = op+next, ip+next, next
	}
	return op, ErrCorrupt // no end marker
}

// long decodes the instructions 16 to 63.
func long(src []byte, t, ip int) (length, dist, next, at int, ok bool) {
	bits, base := 31, 1
	if t < 32 {
		bits, base = 7, farDistance+(t&8)<<11
	}
	if length = t & bits; length == 0 {
		length, ip = run(src, ip, bits)
	}
	if len(src)-ip < 2 {
		return 0, 0, 0, ip, false
	}
	d := int(binary.LittleEndian.Uint16(src[ip:]))
	return length + 2, base + d>>2, d & 3, ip + 2, true
}

// run reads a long length: each zero byte counts 255, the byte that ends them itself.
func run(src []byte, ip, n int) (length, at int) {
	for ip < len(src) && src[ip] == 0 {
		n += 255
		ip++
	}
	if ip < len(src) {
		n += int(src[ip])
		ip++
	}
	return n, ip
}

// literals copies n bytes that are in bounds on both sides.
func literals(dst, src []byte, op, ip, n int) {
	if n <= 16 && len(src)-ip >= 16 && len(dst)-op >= 16 {
		d, s := dst[op:op+16], src[ip:ip+16]
		binary.LittleEndian.PutUint64(d, binary.LittleEndian.Uint64(s))
		binary.LittleEndian.PutUint64(d[8:], binary.LittleEndian.Uint64(s[8:]))
		return
	}
	copy(dst[op:op+n], src[ip:])
}

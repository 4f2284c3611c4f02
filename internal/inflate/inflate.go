// Package inflate decompresses zlib and raw deflate data (RFC 1950, 1951) that
// is wholly in memory into a buffer of known size: pages of a dump. It does in
// one call, without allocating, what compress/zlib does as a stream.
package inflate

import (
	"encoding/binary"
	"errors"
	"hash/adler32"

	"github.com/kinquest/inquest/internal/lz77"
)

// ErrCorrupt: the data is damaged, or unpacks to more than the buffer holds.
var ErrCorrupt = errors.New("damaged zlib data")

// Decoder holds the tables of one worker; its zero value is ready. It must not
// be used by two goroutines at once.
type Decoder struct {
	lit       [litSize]entry
	dist      [distSize]entry
	fixedLit  [litSize]entry
	fixedDist [distSize]entry
	hasFixed  bool
	pre       [lensSize]entry
	lens      [maxLit + maxDist]uint8
}

// Zlib unpacks src, which must have a zlib header and checksum, into dst and
// gives the number of bytes written. The error is ErrCorrupt.
func (d *Decoder) Zlib(dst, src []byte) (int, error) {
	const method, preset = 8, 0x20
	if len(src) < 6 || src[0]&0xf != method || src[1]&preset != 0 || (uint(src[0])<<8|uint(src[1]))%31 != 0 {
		return 0, ErrCorrupt
	}
	n, used, err := d.Raw(dst, src[2:])
	if err != nil {
		return n, err
	}
	sum := src[2+used:]
	if len(sum) < 4 || binary.BigEndian.Uint32(sum) != adler32.Checksum(dst[:n]) {
		return n, ErrCorrupt
	}
	return n, nil
}

// stream is the state of decoding: positions and a buffer of unread bits.
type stream struct {
	src, dst []byte
	ip, op   int
	bits     uint64
	n        uint // unread bits in bits
	over     int  // zero bytes taken behind the end of src
}

// maxOver bounds the bytes that may be taken behind the end: the buffer's
// worth, none of which a valid stream uses.
const maxOver = 8

// refill makes at least 56 bits available, zeroes behind the end of src.
func (s *stream) refill() {
	if s.ip+8 <= len(s.src) {
		s.bits |= binary.LittleEndian.Uint64(s.src[s.ip:]) << s.n
		s.ip += int(63-s.n) >> 3
		s.n |= 56
		return
	}
	for s.n < 56 {
		if s.ip < len(s.src) {
			s.bits |= uint64(s.src[s.ip]) << s.n
			s.ip++
		} else {
			s.over++
		}
		s.n += 8
	}
}

func (s *stream) take(n uint) uint {
	v := uint(s.bits & (1<<n - 1))
	s.bits >>= n
	s.n -= n
	return v
}

// overrun says whether bits behind the end of src were used.
func (s *stream) overrun() bool { return s.over*8 > int(s.n) }

// Raw unpacks deflate data without a wrapper into dst; used is the length of
// the compressed data.
func (d *Decoder) Raw(dst, src []byte) (n, used int, err error) {
	s := &stream{src: src, dst: dst}
	for last := uint(0); last == 0; {
		s.refill()
		last = s.take(1)
		ok := false
		switch s.take(2) {
		case 0:
			ok = s.stored()
		case 1:
			d.makeFixed()
			ok = s.block(&d.fixedLit, &d.fixedDist)
		case 2:
			ok = d.readTables(s) && s.block(&d.lit, &d.dist)
		}
		if !ok || s.overrun() {
			return s.op, s.ip, ErrCorrupt
		}
	}
	return s.op, s.ip - int(s.n)>>3 + s.over, nil
}

// stored copies a block that is not compressed.
func (s *stream) stored() bool {
	if s.overrun() {
		return false
	}
	ip := s.ip - int(s.n)>>3 + s.over // whole unread bytes go back
	if len(s.src)-ip < 4 {
		return false
	}
	n, inv := binary.LittleEndian.Uint16(s.src[ip:]), binary.LittleEndian.Uint16(s.src[ip+2:])
	ip += 4
	if n != ^inv || int(n) > len(s.src)-ip || int(n) > len(s.dst)-s.op {
		return false
	}
	s.op += copy(s.dst[s.op:], s.src[ip:ip+int(n)])
	s.ip, s.bits, s.n, s.over = ip+int(n), 0, 0, 0
	return true
}

func (d *Decoder) makeFixed() {
	if d.hasFixed {
		return
	}
	l := d.lens[:maxLit]
	for i := range l {
		switch {
		case i < 144 || i >= 280:
			l[i] = 8
		case i < 256:
			l[i] = 9
		default:
			l[i] = 7
		}
	}
	build(d.fixedLit[:], l, litEntries[:], litBits)
	for i := range maxDist {
		l[i] = 5
	}
	build(d.fixedDist[:], l[:maxDist], distEntries[:], distBits)
	d.hasFixed = true
}

// preOrder is the order in which the lengths of the length codes come.
var preOrder = [...]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// readTables reads the codes at the head of a dynamic block.
func (d *Decoder) readTables(s *stream) bool {
	s.refill()
	nlit, ndist, npre := int(s.take(5))+257, int(s.take(5))+1, int(s.take(4))+4
	if nlit > 286 || ndist > 30 {
		return false
	}
	var preLens [len(preOrder)]uint8
	for _, at := range preOrder[:npre] {
		s.refill()
		preLens[at] = uint8(s.take(3))
	}
	if !build(d.pre[:], preLens[:], lensEntries[:], lensBits) {
		return false
	}
	lens := d.lens[:nlit+ndist]
	for i := 0; i < len(lens); {
		s.refill()
		e := d.pre[s.bits&(lensSize-1)]
		s.take(e.codeBits())
		var n int
		var v uint8
		switch sym := e.value(); {
		case e&kindInvalid != 0 || s.overrun():
			return false
		case sym < 16:
			lens[i] = uint8(sym)
			i++
			continue
		case sym == 16:
			if i == 0 {
				return false
			}
			n, v = int(s.take(2))+3, lens[i-1]
		case sym == 17:
			n = int(s.take(3)) + 3
		default:
			n = int(s.take(7)) + 11
		}
		if n > len(lens)-i {
			return false
		}
		for range n {
			lens[i] = v
			i++
		}
	}
	return build(d.lit[:], lens[:nlit], litEntries[:], litBits) &&
		build(d.dist[:], lens[nlit:], distEntries[:], distBits)
}

// block decodes until the end-of-block code. Each round begins with 56 bits,
// enough for two literals of the first table and the longest length, or, after
// a length, the longest distance. The bit buffer lives in local variables,
// which the compiler keeps in registers.
func (s *stream) block(lit *[litSize]entry, dist *[distSize]entry) bool {
	src, dst := s.src, s.dst
	bits, n, ip, op := s.bits, s.n, s.ip, s.op
	ok := false
	for s.over <= maxOver {
		if ip+8 <= len(src) {
			bits |= binary.LittleEndian.Uint64(src[ip:]) << (n & 63)
			ip += int(63-n) >> 3
			n |= 56
		} else {
			s.bits, s.n, s.ip = bits, n, ip
			s.refill()
			bits, n, ip = s.bits, s.n, s.ip
		}
		e := lit[bits&(1<<litBits-1)]
		for range 2 {
			if e&0xff00 != kindLiteral || op >= len(dst) {
				break
			}
			bits >>= e & 63
			n -= uint(e & 63)
			dst[op] = byte(e >> 16)
			op++
			e = lit[bits&(1<<litBits-1)]
		}
		if e&kindLink != 0 {
			bits >>= e & 63
			n -= uint(e & 63)
			e = lit[uint(e>>16)+uint(bits&(1<<(e>>8&0xf)-1))]
		}
		bits >>= e & 63
		n -= uint(e & 63)
		if e&0xff00 == kindLiteral {
			if op >= len(dst) {
				break
			}
			dst[op] = byte(e >> 16)
			op++
			continue
		}
		if e&kindBase == 0 {
			ok = e&kindEnd != 0
			break
		}
		extra := uint(e >> 8 & 0xf)
		length := int(e>>16) + int(bits&(1<<extra-1))
		bits >>= extra
		n -= extra
		if n < 28 && ip+8 <= len(src) {
			bits |= binary.LittleEndian.Uint64(src[ip:]) << (n & 63)
			ip += int(63-n) >> 3
			n |= 56
		} else if n < 28 {
			s.bits, s.n, s.ip = bits, n, ip
			s.refill()
			bits, n, ip = s.bits, s.n, s.ip
		}
		e = dist[bits&(1<<distBits-1)]
		if e&kindLink != 0 {
			bits >>= e & 63
			n -= uint(e & 63)
			e = dist[uint(e>>16)+uint(bits&(1<<(e>>8&0xf)-1))]
		}
		bits >>= e & 63
		n -= uint(e & 63)
		extra = uint(e >> 8 & 0xf)
		from := int(e>>16) + int(bits&(1<<extra-1))
		bits >>= extra
		n -= extra
		if e&kindBase == 0 || from > op || length > len(dst)-op {
			break
		}
		if from >= 16 && length <= 16 && len(dst)-op >= 16 { // the common match, here and not in a call
			d, f := dst[op:op+16], dst[op-from:op-from+16]
			lo, hi := binary.LittleEndian.Uint64(f), binary.LittleEndian.Uint64(f[8:])
			binary.LittleEndian.PutUint64(d, lo)
			binary.LittleEndian.PutUint64(d[8:], hi)
		} else {
			lz77.Repeat(dst, op, from, length)
		}
		op += length
	}
	s.bits, s.n, s.ip, s.op = bits, n, ip, op
	return ok
}

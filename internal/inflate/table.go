package inflate

import "math/bits"

// A table entry: bits 0–7 how many bits the code takes, bits 8–15 what it is,
// bits 16–31 its value.
type entry uint32

// What an entry is. For a length or distance, the low 4 bits of the kind are
// the number of extra bits; for a link to a second table, its index bits.
const (
	kindLiteral entry = 0x00 << 8
	kindBase    entry = 0x10 << 8 // value = base length or distance
	kindEnd     entry = 0x20 << 8
	kindInvalid entry = 0x40 << 8
	kindLink    entry = 0x80 << 8 // value = where the second table begins
)

func (e entry) codeBits() uint { return uint(e & 0xff) }
func (e entry) value() int     { return int(e >> 16) }

const (
	maxCodeLen = 15 // RFC 1951, 3.2.7
	litBits    = 10
	distBits   = 8
	lensBits   = 7
	maxLit     = 288
	maxDist    = 32
	// Room for the first table and every second table: a second table has 2^k
	// entries for at least 2^(k-1)+1 codes, so twice the symbols suffice;
	// enough.c of zlib gives smaller exact numbers.
	litSize  = 1<<litBits + 2*maxLit
	distSize = 1<<distBits + 2*maxDist*4
	lensSize = 1 << lensBits
)

// Entries of the symbols, without the code's length.
var (
	litEntries  = makeLit()
	distEntries = makeDist()
	lensEntries = makeLens()
)

func makeLit() (t [maxLit]entry) {
	for i := range 256 {
		t[i] = kindLiteral | entry(i)<<16
	}
	t[256] = kindEnd
	base := 3
	for i := range 28 { // symbols 257–284
		extra := max(i/4-1, 0)
		t[257+i] = kindBase | entry(extra)<<8 | entry(base)<<16
		base += 1 << extra
	}
	t[285] = kindBase | 258<<16
	t[286], t[287] = kindInvalid, kindInvalid
	return t
}

func makeDist() (t [maxDist]entry) {
	base := 1
	for i := range 30 {
		extra := max(i/2-1, 0)
		t[i] = kindBase | entry(extra)<<8 | entry(base)<<16
		base += 1 << extra
	}
	t[30], t[31] = kindInvalid, kindInvalid
	return t
}

func makeLens() (t [19]entry) {
	for i := range t {
		t[i] = kindLiteral | entry(i)<<16
	}
	return t
}

// build makes the decoding table of a canonical Huffman code from the lengths
// of its codes: indexed by the next primary bits of input, with second tables
// behind for longer codes. It answers false for an impossible set of lengths
// (over-subscribed; incomplete, but for a single code of one bit).
func build(table []entry, lens []uint8, symbols []entry, primary uint) bool {
	var count [maxCodeLen + 2]int
	for _, l := range lens {
		count[l]++
	}
	used, left := 0, 1
	var offs [maxCodeLen + 2]int
	for l := 1; l <= maxCodeLen; l++ {
		used += count[l]
		left = left<<1 - count[l]
		if left < 0 {
			return false
		}
		offs[l+1] = offs[l] + count[l]
	}
	if left > 0 && used > 0 && (used != 1 || count[1] != 1) {
		return false
	}
	var sorted [maxLit]uint16 // symbols by code length
	for s, l := range lens {
		if l != 0 {
			sorted[offs[l]] = uint16(s)
			offs[l]++
		}
	}
	return fill(table, sorted[:used], lens, symbols, primary, &count)
}

// fill writes the table for symbols in the order of their codes. Codes are
// taken bit-reversed, as they lie in the input, and the first table is doubled
// whenever codes get longer.
func fill(table []entry, sorted []uint16, lens []uint8, symbols []entry, primary uint, count *[maxCodeLen + 2]int) bool {
	table[0] = kindInvalid | 1
	size, code := 1, uint(0)
	var sub subtable
	for _, s := range sorted {
		l := uint(lens[s])
		for size < 1<<min(l, primary) {
			copy(table[size:2*size], table[:size])
			size *= 2
		}
		e := symbols[s]
		if l <= primary {
			table[code] = e | entry(l)
		} else if !sub.put(table, code, l, primary, e, count) {
			return false
		}
		count[l]-- // what is left of each length sizes the second tables
		code = next(code, l)
	}
	for size < 1<<primary {
		copy(table[size:2*size], table[:size])
		size *= 2
	}
	return true
}

// next is the bit-reversed code after code, both of l bits.
func next(code, l uint) uint {
	ones := uint(1)<<l - 1
	if code == ones {
		return 0
	}
	top := uint(1) << (bits.Len(code^ones) - 1)
	return code&(top-1) | top
}

// subtable is the second table being filled.
type subtable struct {
	prefix uint // of its codes: their first primary bits
	start  int
	bits   uint
	end    int // of all second tables
}

func (t *subtable) put(table []entry, code, l, primary uint, e entry, count *[maxCodeLen + 2]int) bool {
	prefix := code & (1<<primary - 1)
	if t.end == 0 || prefix != t.prefix {
		t.start = max(t.end, 1<<primary)
		t.bits = l - primary
		for room := 1<<t.bits - count[l]; room > 0 && primary+t.bits < maxCodeLen; { // longer codes share it
			t.bits++
			room = room<<1 - count[primary+t.bits]
		}
		t.prefix, t.end = prefix, t.start+1<<t.bits
		if t.end > len(table) {
			return false
		}
		for i := t.start; i < t.end; i++ {
			table[i] = kindInvalid | 1
		}
		table[prefix] = kindLink | entry(t.bits)<<8 | entry(primary) | entry(t.start)<<16
	}
	for i := t.start + int(code>>primary); i < t.end; i += 1 << (l - primary) {
		table[i] = e | entry(l-primary)
	}
	return true
}

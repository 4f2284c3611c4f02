package sym

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kinquest/inquest/mem"
)

// Limits of one List. The largest kernels built so far have under a million
// symbols, with names of 30 bytes on average.
const (
	MaxSymbols = 1 << 22
	MaxNames   = 256 << 20 // bytes of all names
)

// List collects the symbols of one source in the source's order. Its columns
// are compact: no symbol has memory of its own. The zero List is empty.
type List struct {
	names strings.Builder
	ends  []uint32 // where each name ends in names
	addrs []mem.Virt
	types []byte
}

// Grow makes room for n more symbols whose names have size bytes in all.
func (l *List) Grow(n, size int) {
	n, size = min(n, MaxSymbols), min(size, MaxNames)
	l.names.Grow(size)
	l.ends = slices.Grow(l.ends, n)
	l.addrs = slices.Grow(l.addrs, n)
	l.types = slices.Grow(l.types, n)
}

// Add appends a symbol. typ is as in Symbol. The error says which limit a list
// that no kernel could have has reached.
func (l *List) Add(name []byte, addr mem.Virt, typ byte) error {
	if len(l.addrs) >= MaxSymbols {
		return fmt.Errorf("more than %d symbols", MaxSymbols)
	}
	if l.names.Len()+len(name) > MaxNames {
		return fmt.Errorf("more than %d bytes of symbol names", MaxNames)
	}
	l.names.Write(name)
	l.ends = append(l.ends, uint32(l.names.Len()))
	l.addrs = append(l.addrs, addr)
	l.types = append(l.types, typ)
	return nil
}

// Len is the number of symbols.
func (l *List) Len() int { return len(l.addrs) }

// Name gives the name of symbol i, counted from 0 in the source's order.
func (l *List) Name(i int) string { return nameAt(l.names.String(), l.ends, i) }

// Addr gives the address of symbol i.
func (l *List) Addr(i int) mem.Virt { return l.addrs[i] }

// Type gives the type of symbol i, as in Symbol.
func (l *List) Type(i int) byte { return l.types[i] }

// nameAt cuts name i out of names, where the names stand back to back.
func nameAt(names string, ends []uint32, i int) string {
	var start uint32
	if i > 0 {
		start = ends[i-1]
	}
	return names[start:ends[i]]
}

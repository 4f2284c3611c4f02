package sym

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strings"
	"sync"

	"github.com/kinquest/inquest/mem"
)

// columns holds symbols in ascending order of address; equal addresses keep
// the order of their source. It is immutable but for the index by name, which
// is made when first needed.
type columns struct {
	names string
	ends  []uint32
	addrs []mem.Virt
	types []byte
	mods  []uint16 // index into modNames; nil when all belong to the kernel

	modNames []string

	index func() *nameIndex
}

// newColumns sorts a list. mods, which may be nil, has a module for each symbol.
func newColumns(l *List, mods []uint16, modNames []string) *columns {
	c := &columns{names: l.names.String(), ends: l.ends, addrs: l.addrs, types: l.types, mods: mods, modNames: modNames}
	if !slices.IsSorted(c.addrs) {
		c.sort()
	}
	c.index = sync.OnceValue(func() *nameIndex { return newNameIndex(c) })
	return c
}

// sort rearranges all columns by address.
func (c *columns) sort() {
	order := make([]uint32, len(c.addrs))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortStableFunc(order, func(a, b uint32) int { return cmp.Compare(c.addrs[a], c.addrs[b]) })
	var names strings.Builder
	names.Grow(len(c.names))
	ends := make([]uint32, len(order))
	addrs := make([]mem.Virt, len(order))
	types := make([]byte, len(order))
	var mods []uint16
	if c.mods != nil {
		mods = make([]uint16, len(order))
	}
	for i, o := range order {
		names.WriteString(nameAt(c.names, c.ends, int(o)))
		ends[i] = uint32(names.Len())
		addrs[i] = c.addrs[o]
		types[i] = c.types[o]
		if mods != nil {
			mods[i] = c.mods[o]
		}
	}
	c.names, c.ends, c.addrs, c.types, c.mods = names.String(), ends, addrs, types, mods
}

// name gives the name of symbol i.
func (c *columns) name(i int) string { return nameAt(c.names, c.ends, i) }

// module gives the module of symbol i, "" for the kernel.
func (c *columns) module(i int) string {
	if c.mods == nil {
		return ""
	}
	return c.modNames[c.mods[i]]
}

// lower gives the first symbol at or above addr; Len when there is none.
func (c *columns) lower(addr mem.Virt) int {
	i, _ := slices.BinarySearch(c.addrs, addr)
	return i
}

// upper gives the first symbol above addr; Len when there is none.
func (c *columns) upper(addr mem.Virt) int {
	if addr == ^mem.Virt(0) {
		return len(c.addrs)
	}
	return c.lower(addr + 1)
}

// nameIndex is a hash table with open addressing. Symbols of one name form a
// chain, so that a name that comes ten thousand times costs no more than others.
type nameIndex struct {
	seed  maphash.Seed
	slots []uint32 // symbol + 1, 0 when free; the first symbol of each name
	next  []uint32 // symbol + 1 of the next with the same name, 0 at the end
}

func newNameIndex(c *columns) *nameIndex {
	size := 8
	for size < len(c.addrs)*3/2 {
		size *= 2
	}
	x := &nameIndex{seed: maphash.MakeSeed(), slots: make([]uint32, size), next: make([]uint32, len(c.addrs))}
	for i := len(c.addrs) - 1; i >= 0; i-- { // backwards, so that chains ascend
		at := x.slot(c, c.name(i))
		x.next[i] = x.slots[at]
		x.slots[at] = uint32(i + 1)
	}
	return x
}

// slot gives the place of name: where its first symbol is, or a free one.
func (x *nameIndex) slot(c *columns, name string) int {
	mask := len(x.slots) - 1
	at := int(maphash.String(x.seed, name)) & mask
	for x.slots[at] != 0 && c.name(int(x.slots[at]-1)) != name {
		at = (at + 1) & mask
	}
	return at
}

// first gives the symbol of that name with the lowest address; -1 when there is none.
func (c *columns) first(name string) int {
	x := c.index()
	return int(x.slots[x.slot(c, name)]) - 1
}

// after gives the symbol with the name of symbol i that follows it; -1 at the end.
func (c *columns) after(i int) int { return int(c.index().next[i]) - 1 }

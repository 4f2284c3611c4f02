package orc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sort"

	"github.com/kinquest/inquest/mem"
)

// ErrNoEntry is the answer for an address that no table covers: generated code,
// or no code at all.
var ErrNoEntry = errors.New("no ORC entry")

// ErrFormat means that a table's entries follow no known version of struct
// orc_entry.
var ErrFormat = errors.New("unknown ORC entry format")

// maxEntries bounds a table. Distribution kernels have half a million entries;
// 1 GiB of text, the most the kernel's mapping holds, would have about 30 times
// as many.
const maxEntries = 1 << 24

// ipSize is the size of one element of .orc_unwind_ip.
const ipSize = 4

// Table is one pair of ORC sections as they lie in a kernel's memory: vmlinux's
// (__start_orc_unwind_ip, __start_orc_unwind) or a module's
// (module.arch.orc_unwind_ip, .orc_unwind, .num_orcs). The sections are sorted
// by address, by the build (5.6 and later), at boot or when a module is loaded,
// and are searched where they lie. A Table is safe for concurrent use.
type Table struct {
	ips, entries *sparse
	base         mem.Virt // address of the first element of .orc_unwind_ip
	n            int
	format       Format
}

// NewTable describes a table of n entries; it reads nothing. The format is that
// of all tables of a kernel, see Probe.
func NewTable(m mem.Reader[mem.Virt], ips, entries mem.Virt, n int, f Format) (*Table, error) {
	if n < 0 || n > maxEntries {
		return nil, fmt.Errorf("ORC table at %v: %d entries, the limit is %d", ips, n, maxEntries)
	}
	t := &Table{base: ips, n: n, format: f}
	var err error
	if t.ips, err = newSparse(m, ips, uint64(n)*ipSize); err != nil {
		return nil, fmt.Errorf("ORC addresses: %w", err)
	}
	if t.entries, err = newSparse(m, entries, uint64(n)*entrySize); err != nil {
		return nil, fmt.Errorf("ORC entries: %w", err)
	}
	return t, nil
}

// Len is the number of entries.
func (t *Table) Len() int { return t.n }

// IP gives the address from which entry i on is valid. Elements are 32-bit
// offsets from their own place.
func (t *Table) IP(i int) (mem.Virt, error) {
	var b [ipSize]byte
	off := uint64(i) * ipSize
	if err := t.ips.read(b[:], off); err != nil {
		return 0, fmt.Errorf("ORC address %d: %w", i, err)
	}
	return t.base + mem.Virt(off) + mem.Virt(int64(int32(binary.LittleEndian.Uint32(b[:])))), nil
}

// Entry decodes entry i.
func (t *Table) Entry(i int) (Entry, error) {
	var b [entrySize]byte
	if err := t.entries.read(b[:], uint64(i)*entrySize); err != nil {
		return Entry{}, fmt.Errorf("ORC entry %d: %w", i, err)
	}
	return t.format.Decode(b[:]), nil
}

// Find gives the last entry at or below pc: of several for one address the last
// is the one meant. The error is ErrNoEntry when pc lies below the first.
func (t *Table) Find(pc mem.Virt) (Entry, error) {
	lo, hi := 0, t.n // IP(lo-1) <= pc < IP(hi)
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		ip, err := t.IP(mid)
		if err != nil {
			return Entry{}, err
		}
		if ip <= pc {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == 0 {
		return Entry{}, ErrNoEntry
	}
	return t.Entry(lo - 1)
}

// Set is the tables of a kernel and its modules, chosen by address. Build it
// with Add, then use it from any number of goroutines.
type Set struct {
	spans []span
}

type span struct {
	lo, hi mem.Virt
	table  *Table
}

// Add makes t answer for text addresses from lo up to hi. A span that overlaps
// an earlier one is refused.
func (s *Set) Add(lo, hi mem.Virt, t *Table) error {
	i := sort.Search(len(s.spans), func(i int) bool { return s.spans[i].lo >= lo })
	if hi <= lo || i > 0 && s.spans[i-1].hi > lo || i < len(s.spans) && s.spans[i].lo < hi {
		return fmt.Errorf("ORC span %v-%v is empty or overlaps another", lo, hi)
	}
	s.spans = append(s.spans, span{})
	copy(s.spans[i+1:], s.spans[i:])
	s.spans[i] = span{lo, hi, t}
	return nil
}

// Find gives the entry for pc. The error is ErrNoEntry when no table covers pc.
func (s *Set) Find(pc mem.Virt) (Entry, error) {
	lo, hi := 0, len(s.spans)
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if s.spans[mid].lo <= pc {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == 0 || pc >= s.spans[lo-1].hi {
		return Entry{}, ErrNoEntry
	}
	return s.spans[lo-1].table.Find(pc)
}

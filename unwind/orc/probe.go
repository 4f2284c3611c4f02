package orc

import (
	"encoding/binary"
	"fmt"

	"github.com/kinquest/inquest/ctype"
)

// sampleRuns and sampleLen bound what Probe reads of a big table at first: runs
// of entries, spread evenly.
const (
	sampleRuns = 8
	sampleLen  = 256
)

// Probe finds the format of a table's entries from their shape: every kernel's
// entries are nearly all of the plain kind, a call frame based on RSP or RBP,
// and the formats write that kind differently. struct orc_entry from the
// kernel's BTF, when at hand (nil if not), tells the bits but not the register
// numbers. The error wraps ErrFormat, or says what could not be read.
func Probe(t *Table, entry *ctype.Struct) (Format, error) {
	var c census
	if err := c.sample(t); err != nil {
		return FormatUnknown, err
	}
	f := c.best()
	if f == FormatUnknown {
		return f, fmt.Errorf("%w: none of %d entries looks like a plain call frame", ErrFormat, c.total)
	}
	if want := fromBTF(entry); want != FormatUnknown {
		if want.typed() != f.typed() {
			return FormatUnknown, fmt.Errorf("%w: the types say %v, the table looks like %v", ErrFormat, want, f)
		}
		if !f.typed() {
			return want, nil
		}
		return f, nil
	}
	if f == Format4_14 {
		return c.splitEnd(t)
	}
	return f, nil
}

// typed says whether the format keeps "end of stack" as a type.
func (f Format) typed() bool { return f >= Format6_4 }

// fromBTF names the format from the members of struct orc_entry.
func fromBTF(st *ctype.Struct) Format {
	if st == nil {
		return FormatUnknown
	}
	var end, signal bool
	for _, m := range st.Members {
		end = end || m.Name == "end"
		signal = signal || m.Name == "signal"
	}
	switch {
	case end && signal:
		return Format6_3
	case end:
		return Format4_14
	case signal:
		return Format6_4
	}
	return FormatUnknown
}

// census counts how entries read in each family of formats. 4.14 and 6.3 write
// a plain entry alike.
type census struct {
	total                         int
	plain4_14, plain6_4, plain7_1 int
	end6_3, end4_14               bool // an entry that only this format can have
}

func (c *census) add(bits uint16) {
	c.total++
	count := func(n *int, f Format) {
		b := [entrySize]byte{4: byte(bits), 5: byte(bits >> 8)}
		e := f.Decode(b[:])
		bpOK := e.BPReg == RegUndefined || e.BPReg == RegPrevSP
		if e.Type == TypeCall && bpOK && (e.SPReg == RegSP || e.SPReg == RegBP) && !e.Signal {
			*n++
		}
	}
	count(&c.plain4_14, Format4_14)
	count(&c.plain6_4, Format6_4)
	count(&c.plain7_1, Format7_1)
	based := bits&15 != 0
	c.end6_3 = c.end6_3 || bits&end6_3 != 0 || based && bits&signal6_3 != 0
	c.end4_14 = c.end4_14 || !based && bits&end4_14 != 0
}

// best is the family most entries are plain in, if they are more than half.
func (c *census) best() Format {
	f, n := Format4_14, c.plain4_14
	if c.plain6_4 > n {
		f, n = Format6_4, c.plain6_4
	}
	if c.plain7_1 > n {
		f, n = Format7_1, c.plain7_1
	}
	if n*2 <= c.total {
		return FormatUnknown
	}
	return f
}

func (c *census) run(t *Table, from, to int) error {
	var b [entrySize]byte
	for i := from; i < to; i++ {
		if err := t.entries.read(b[:], uint64(i)*entrySize); err != nil {
			return fmt.Errorf("ORC entry %d: %w", i, err)
		}
		c.add(binary.LittleEndian.Uint16(b[4:]))
	}
	return nil
}

// sample reads some runs of the table, and gives up only when none is readable.
func (c *census) sample(t *Table) error {
	if t.n <= sampleRuns*sampleLen {
		return c.run(t, 0, t.n)
	}
	var err error
	for k := range sampleRuns {
		from := (t.n - sampleLen) / (sampleRuns - 1) * k
		if e := c.run(t, from, from+sampleLen); e != nil {
			err = e
		}
	}
	if c.total > 0 {
		return nil
	}
	return err
}

// splitEnd tells 4.14 from 6.3, which differ only in the few entries of entry
// code: it reads the whole table until one of them shows.
func (c *census) splitEnd(t *Table) (Format, error) {
	for from := 0; from < t.n && !c.end6_3 && !c.end4_14; from += sampleLen {
		if err := c.run(t, from, min(from+sampleLen, t.n)); err != nil {
			return FormatUnknown, fmt.Errorf("tell ORC formats %v and %v apart: %w", Format4_14, Format6_3, err)
		}
	}
	if c.end6_3 {
		return Format6_3, nil
	}
	return Format4_14, nil
}

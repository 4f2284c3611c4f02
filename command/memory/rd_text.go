package memory

import (
	"fmt"

	"github.com/kinquest/inquest/render"
)

// lineBytes is what one line shows; asciiBytes of characters alone.
const (
	lineBytes  = 16
	asciiBytes = 60
)

// WriteText writes crash's columns.
func (r *RdResult) WriteText(w *render.Writer) error {
	if r.args.format == 'a' {
		for off := 0; off < len(r.b); off += asciiBytes {
			w.Printf("%s  %s\n", r.head(off), render.ASCII(r.b[off:min(off+asciiBytes, len(r.b))]))
		}
		return w.Err()
	}
	size := r.args.size
	for off := 0; off < len(r.b); off += lineBytes {
		line := r.b[off:min(off+lineBytes, len(r.b))]
		w.Printf("%s  ", r.head(off))
		for i := range len(line) / size {
			w.Text(r.cell(off/size+i) + " ")
		}
		if r.args.format == 'x' && !r.args.noASCII {
			pad := (lineBytes - len(line)) / size * (len(r.cell(0)) + 1)
			w.Printf("%*s  %s", pad, "", render.ASCII(r.ordered(line)))
		}
		w.Text("\n")
	}
	return w.Err()
}

func (r *RdResult) head(off int) string { return fmt.Sprintf("%16x:", uint64(r.Addr)+uint64(off)) }

// decimalWidths are the columns of signed and unsigned decimal values, by their
// bytes.
var decimalWidths = map[int][2]int{1: {4, 3}, 2: {6, 5}, 4: {12, 12}, 8: {15, 20}}

// cell is one value as the text form shows it.
func (r *RdResult) cell(i int) string {
	size, v := r.args.size, r.value(i)
	switch r.args.format {
	case 'd':
		return fmt.Sprintf("%*d", decimalWidths[size][0], r.signed(v))
	case 'D':
		return fmt.Sprintf("%*d", decimalWidths[size][1], v)
	}
	if r.Names != nil && r.Names[i] != "" {
		return fmt.Sprintf("%-16s", render.Line(r.Names[i]))
	}
	return fmt.Sprintf("%0*x", 2*size, v)
}

// ordered is the line's bytes in the order of its values.
func (r *RdResult) ordered(line []byte) []byte {
	if !r.args.network {
		return line
	}
	out := make([]byte, len(line))
	for i := range line {
		s := r.args.size
		out[i] = line[i/s*s+s-1-i%s]
	}
	return out
}

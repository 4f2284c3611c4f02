package verify

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// WriteTable writes one line for each dump, and below it what did not agree.
func WriteTable(w io.Writer, results []Result) error {
	width := len("dump")
	for _, r := range results {
		width = max(width, len(r.Dump))
	}
	b := &strings.Builder{}
	fmt.Fprintf(b, "%-*s", width, "dump")
	for _, c := range Columns {
		fmt.Fprintf(b, " %9s", c)
	}
	fmt.Fprintf(b, " %8s\n", "time")
	passed := 0
	for i := range results {
		r := &results[i]
		if r.Passed() {
			passed++
		}
		writeRow(b, r, width)
	}
	fmt.Fprintf(b, "%d of %d dumps agree with their guests\n", passed, len(results))
	_, err := io.WriteString(w, b.String())
	return err
}

func writeRow(b *strings.Builder, r *Result, width int) {
	fmt.Fprintf(b, "%-*s", width, r.Dump)
	if r.Err != nil {
		fmt.Fprintf(b, " %v\n", r.Err)
		return
	}
	for _, c := range Columns {
		cell := "-"
		if s := r.Scores[c]; s != nil {
			cell = fmt.Sprintf("%d/%d", s.Agree, s.Of)
		}
		fmt.Fprintf(b, " %9s", cell)
	}
	fmt.Fprintf(b, " %8s\n", r.Elapsed.Round(time.Millisecond))
	for _, c := range Columns {
		s := r.Scores[c]
		if s == nil || c == Guest {
			continue
		}
		for _, d := range s.Diffs {
			fmt.Fprintf(b, "    %s: %s\n", c, strings.ReplaceAll(d, "\n", "\n        "))
		}
	}
}

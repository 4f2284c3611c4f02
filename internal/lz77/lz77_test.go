package lz77

import (
	"bytes"
	"testing"
)

// TestRepeat compares every short copy with one byte at a time. What lies
// behind the copy may change up to the end of its 16 bytes, not beyond.
func TestRepeat(t *testing.T) {
	const size = 80
	start := make([]byte, size)
	for i := range start {
		start[i] = byte(i)*7 + 3
	}
	for op := 1; op < 40; op++ {
		for dist := 1; dist <= op; dist++ {
			for n := 0; n <= size-op; n++ {
				want, got := bytes.Clone(start), bytes.Clone(start)
				for i := range n {
					want[op+i] = want[op+i-dist]
				}
				Repeat(got, op, dist, n)
				end := max(op+n, min(op+16, size))
				if !bytes.Equal(got[:op+n], want[:op+n]) || !bytes.Equal(got[end:], want[end:]) {
					t.Fatalf("op %d dist %d n %d: %x, want %x", op, dist, n, got, want)
				}
			}
		}
	}
}

package overlay

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestFlattenLaterWins(t *testing.T) {
	tests := []struct {
		name     string
		in, want []Span
	}{
		{"ascending", []Span{{0, 4, 100}, {8, 4, 200}}, []Span{{0, 4, 100}, {8, 4, 200}}},
		{"neighbours join", []Span{{0, 4, 100}, {4, 4, 104}}, []Span{{0, 8, 100}}},
		{"rewritten head", []Span{{0, 8, 100}, {8, 8, 200}, {0, 4, 300}}, []Span{{0, 4, 300}, {4, 4, 104}, {8, 8, 200}}},
		{"hidden", []Span{{2, 2, 0}, {0, 8, 100}}, []Span{{0, 8, 100}}},
		{"split in the middle", []Span{{0, 8, 100}, {2, 2, 0}}, []Span{{0, 2, 100}, {2, 2, 0}, {4, 4, 104}}},
		{"empty", []Span{{5, 0, 1}}, []Span{}},
		{"past the end", []Span{{^uint64(0) - 3, 100, 7}}, []Span{{^uint64(0) - 3, 3, 7}}},
	}
	for _, tt := range tests {
		if got := Flatten(slices.Clone(tt.in)); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestFlattenAgainstPainting compares with painting each span into an array.
func TestFlattenAgainstPainting(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var spans []Span
		var want [64]int64
		for range rng.IntN(12) {
			s := Span{rng.Uint64N(60), rng.Uint64N(20), rng.Int64N(1<<30) << 8}
			s.Size = min(s.Size, 64-s.Start)
			spans = append(spans, s)
			for i := range s.Size {
				want[s.Start+i] = s.Off + int64(i) + 1
			}
		}
		var got [64]int64
		last := uint64(0)
		flat := Flatten(spans)
		for _, s := range flat {
			if s.Start < last || s.Size == 0 {
				t.Fatalf("not ascending: %v", flat)
			}
			last = s.End()
			for i := range s.Size {
				got[s.Start+i] = s.Off + int64(i) + 1
			}
		}
		if got != want {
			t.Fatalf("got %v\nwant %v", got, want)
		}
		for addr := range uint64(64) {
			if _, ok := Find(flat, addr); ok != (want[addr] != 0) {
				t.Fatalf("Find(%d) = %v in %v", addr, ok, flat)
			}
		}
	}
}

func TestSubtract(t *testing.T) {
	a := []Span{{0, 10, 0}, {20, 10, 100}, {40, 4, 0}}
	b := []Span{{2, 2, 0}, {8, 14, 0}, {25, 1, 0}, {40, 4, 0}}
	want := []Span{{0, 2, 0}, {4, 4, 4}, {22, 3, 102}, {26, 4, 106}}
	if got := Subtract(a, b); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

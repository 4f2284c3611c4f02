// Package overlay resolves ranges that overlap into disjoint ones.
package overlay

import (
	"cmp"
	"container/heap"
	"math"
	"slices"
)

// Span maps the range [Start, Start+Size) to a file, Off being where Start lies.
type Span struct {
	Start, Size uint64
	Off         int64
}

// End is the first position behind the span.
func (s Span) End() uint64 { return s.Start + s.Size }

// Flatten gives the same mapping as disjoint spans in ascending order: where
// spans overlap, the later one of the argument wins. Neighbours that continue
// each other in the file become one. Empty spans vanish, and a span that would
// pass the end of the address range is cut there. The argument is overwritten.
func Flatten(spans []Span) []Span {
	spans = slices.DeleteFunc(spans, func(s Span) bool { return s.Size == 0 })
	for i, s := range spans {
		spans[i].Size = min(s.Size, math.MaxUint64-s.Start)
	}
	if !disjoint(spans) {
		spans = sweep(spans)
	}
	return join(spans)
}

func disjoint(spans []Span) bool {
	for i := 1; i < len(spans); i++ {
		if spans[i].Start < spans[i-1].End() {
			return false
		}
	}
	return true
}

// join merges neighbours in place.
func join(spans []Span) []Span {
	out := spans[:0]
	for _, s := range spans {
		if n := len(out); n > 0 && out[n-1].End() == s.Start && out[n-1].Off+int64(out[n-1].Size) == s.Off {
			out[n-1].Size += s.Size
			continue
		}
		out = append(out, s)
	}
	return slices.Clip(out)
}

// ranked is a heap of span indices with the highest index on top.
type ranked []int

// Len, Less, Swap, Push and Pop make ranked a heap.Interface.
func (h ranked) Len() int { return len(h) }

// Less puts the higher index on top.
func (h ranked) Less(i, j int) bool { return h[i] > h[j] }

// Swap exchanges two elements.
func (h ranked) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push adds an index.
func (h *ranked) Push(x any) { *h = append(*h, x.(int)) }

// Pop takes the last element.
func (h *ranked) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

// sweep walks the starts and ends in ascending order, keeping the open spans
// in a heap by precedence.
func sweep(spans []Span) []Span {
	byStart := make([]int, len(spans))
	for i := range byStart {
		byStart[i] = i
	}
	slices.SortFunc(byStart, func(a, b int) int { return cmp.Compare(spans[a].Start, spans[b].Start) })
	var out []Span
	var open ranked
	at, next := uint64(0), 0
	for next < len(byStart) || len(open) > 0 {
		if len(open) == 0 {
			at = max(at, spans[byStart[next]].Start)
		}
		for next < len(byStart) && spans[byStart[next]].Start <= at {
			heap.Push(&open, byStart[next])
			next++
		}
		for len(open) > 0 && spans[open[0]].End() <= at {
			heap.Pop(&open)
		}
		if len(open) == 0 {
			continue
		}
		top := spans[open[0]]
		end := top.End()
		if next < len(byStart) { // a span that starts inside may win from there on
			end = min(end, spans[byStart[next]].Start)
		}
		out = append(out, Span{at, end - at, top.Off + int64(at-top.Start)})
		at = end
	}
	return out
}

// Subtract gives the parts of a that no span of b covers. Both must be
// disjoint and ascending.
func Subtract(a, b []Span) []Span {
	var out []Span
	i := 0
	for _, s := range a {
		at := s.Start
		for i < len(b) && b[i].End() <= at {
			i++
		}
		for j := i; j < len(b) && b[j].Start < s.End(); j++ {
			if b[j].Start > at {
				out = append(out, Span{at, b[j].Start - at, s.Off + int64(at-s.Start)})
			}
			at = max(at, b[j].End())
		}
		if at < s.End() {
			out = append(out, Span{at, s.End() - at, s.Off + int64(at-s.Start)})
		}
	}
	return out
}

// Find gives the index of the span that holds addr; ok is false when none
// does, and then i is the index of the first span above addr.
func Find(spans []Span, addr uint64) (i int, ok bool) {
	lo, hi := 0, len(spans)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if spans[mid].End() <= addr {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, lo < len(spans) && spans[lo].Start <= addr
}

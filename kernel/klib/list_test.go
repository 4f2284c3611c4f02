package klib

import (
	"encoding/binary"
	"errors"
	"iter"
	"slices"
	"testing"

	"github.com/kinquest/inquest/mem"
)

// words is memory of 64-bit words; other addresses are unmapped.
type words map[mem.Virt]uint64

func (w words) ReadMem(p []byte, at mem.Virt) (int, error) {
	v, ok := w[at]
	if !ok || len(p) != 8 {
		return 0, mem.Fault(at, mem.ErrUnmapped)
	}
	binary.LittleEndian.PutUint64(p, v)
	return 8, nil
}

func collect(seq iter.Seq2[mem.Virt, error]) (out []mem.Virt, err error) {
	for at, e := range seq {
		if e != nil {
			return out, e
		}
		out = append(out, at)
	}
	return out, nil
}

func TestWalks(t *testing.T) {
	tests := []struct {
		name  string
		mem   words
		hlist bool
		want  []mem.Virt
		err   error
	}{
		{"empty list", words{0x10: 0x10}, false, nil, nil},
		{"list", words{0x10: 0x20, 0x20: 0x30, 0x30: 0x10}, false, []mem.Virt{0x20, 0x30}, nil},
		{"list into a hole", words{0x10: 0x20, 0x20: 0x90}, false, []mem.Virt{0x20, 0x90}, mem.ErrUnmapped},
		{"list ended by NULL", words{0x10: 0x20, 0x20: 0}, false, []mem.Virt{0x20, 0}, mem.ErrUnmapped},
		{"node that points to itself", words{0x10: 0x20, 0x20: 0x20}, false, nil, ErrCorrupt},
		{"cycle past the head", words{0x10: 0x20, 0x20: 0x30, 0x30: 0x40, 0x40: 0x30}, false, nil, ErrCorrupt},
		{"empty hlist", words{0x10: 0}, true, nil, nil},
		{"hlist", words{0x10: 0x20, 0x20: 0x30, 0x30: 0}, true, []mem.Virt{0x20, 0x30}, nil},
		{"hlist cycle", words{0x10: 0x20, 0x20: 0x30, 0x30: 0x20}, true, nil, ErrCorrupt},
	}
	for _, tt := range tests {
		walk := List
		if tt.hlist {
			walk = HList
		}
		got, err := collect(walk(tt.mem, 0x10))
		if !errors.Is(err, tt.err) || tt.want != nil && !slices.Equal(got, tt.want) {
			t.Errorf("%s: %x, %v", tt.name, got, err)
		}
	}
}

func TestWalkStopsWhenAsked(t *testing.T) {
	for range List(words{0x10: 0x20, 0x20: 0x30, 0x30: 0x10}, 0x10) {
		return
	}
	t.Error("no node")
}

func FuzzList(f *testing.F) {
	f.Add([]byte{1, 2, 3, 0})
	f.Add([]byte{0})
	f.Add([]byte{1, 2, 1})
	f.Fuzz(func(t *testing.T, next []byte) { // node i points to node next[i]
		m := words{}
		for i, n := range next {
			m[mem.Virt(i*8)] = uint64(n) * 8
		}
		count := 0
		for _, err := range List(m, 0) {
			if count++; err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, mem.ErrUnmapped) {
				t.Fatal(err)
			}
		}
		if count > 4*len(next)+4 {
			t.Fatalf("%d steps over %d nodes", count, len(next))
		}
	})
}

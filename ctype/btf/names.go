package btf

import (
	"fmt"
	"hash/maphash"
	"math/bits"
)

// nameIndex is a chained hash table of the named types. It holds no strings and
// no pointers: 8 to 16 bytes a type.
type nameIndex struct {
	seed  maphash.Seed
	heads []uint32 // by hash: 1 + index of the first type, 0 for none
	next  []uint32 // by index: the same for the next type of its chain, ids rising
}

// build enters every named type of s. It runs backwards, so that chains come in
// the order of ids.
func (x *nameIndex) build(s *Spec) error {
	x.seed = maphash.MakeSeed()
	x.heads = make([]uint32, 1<<bits.Len(uint(len(s.offs))))
	x.next = make([]uint32, len(s.offs))
	for i := len(s.offs) - 1; i >= 0; i-- {
		rec := s.record(s.first + uint32(i))
		if rec.name == 0 || rec.kind() == kindDeclTag || rec.kind() == kindTypeTag {
			continue // a tag's name is its text, not a type's
		}
		name, ok := s.str(rec.name)
		if !ok {
			return s.damaged(rec.off, fmt.Sprintf("type %d: name offset %#x", s.first+uint32(i), rec.name))
		}
		h := x.bucket(name)
		x.next[i] = x.heads[h]
		x.heads[h] = uint32(i) + 1
	}
	return nil
}

func (x *nameIndex) bucket(name string) uint64 {
	return maphash.String(x.seed, name) & uint64(len(x.heads)-1)
}

// ids calls yield with the ids of s's own types of that name, rising, until it
// says false. Types of every kind are among them.
func (s *Spec) ids(name string) func(yield func(uint32) bool) {
	return func(yield func(uint32) bool) {
		if name == "" {
			return
		}
		for i := s.index.heads[s.index.bucket(name)]; i != 0; i = s.index.next[i-1] {
			id := s.first + i - 1
			rec := s.record(id)
			if n, _ := s.str(rec.name); n == name && !yield(id) {
				return
			}
		}
	}
}

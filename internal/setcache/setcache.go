// Package setcache is a bounded cache of immutable values for many concurrent
// readers: a lookup takes no lock and allocates nothing.
package setcache

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

const (
	ways    = 4  // entries that may share a set
	stripes = 64 // loads of different keys that may run at once
)

type entry[V any] struct {
	key uint64
	val V
}

// Cache maps keys to values that never change once stored. Its capacity is
// fixed; within a set of entries the oldest is replaced first.
type Cache[V any] struct {
	sets  []set[V]
	shift uint
	locks [stripes]sync.Mutex
}

type set[V any] struct {
	way  [ways]atomic.Pointer[entry[V]]
	next uint32 // the way to replace next; guarded by the stripe's lock
}

// New makes a cache of at least n entries, rounded up to a power of two.
func New[V any](n int) *Cache[V] {
	logSets := bits.Len(uint(max(n-1, 0)) / ways)
	return &Cache[V]{sets: make([]set[V], 1<<logSets), shift: uint(64 - logSets)}
}

// hash spreads keys that count upwards (Fibonacci hashing).
func (c *Cache[V]) hash(key uint64) int {
	return int(key * 0x9e3779b97f4a7c15 >> c.shift)
}

func (s *set[V]) find(key uint64) *entry[V] {
	for i := range s.way {
		if e := s.way[i].Load(); e != nil && e.key == key {
			return e
		}
	}
	return nil
}

// Get gives the value stored for key.
func (c *Cache[V]) Get(key uint64) (v V, ok bool) {
	if e := c.sets[c.hash(key)].find(key); e != nil {
		return e.val, true
	}
	return v, false
}

// Load gives the value stored for key, or calls load and stores what it gives.
// Concurrent loads of one key run load once; an error is not stored.
func (c *Cache[V]) Load(key uint64, load func() (V, error)) (V, error) {
	if v, ok := c.Get(key); ok {
		return v, nil
	}
	h := c.hash(key)
	mu := &c.locks[h%stripes]
	mu.Lock()
	defer mu.Unlock()
	s := &c.sets[h]
	if e := s.find(key); e != nil {
		return e.val, nil
	}
	v, err := load()
	if err == nil {
		s.way[s.next%ways].Store(&entry[V]{key, v})
		s.next++
	}
	return v, err
}

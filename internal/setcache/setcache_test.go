package setcache

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
)

func TestLoadOnce(t *testing.T) {
	c := New[int](8)
	var loads atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			v, err := c.Load(7, func() (int, error) { loads.Add(1); return 70, nil })
			if v != 70 || err != nil {
				t.Errorf("Load = %d, %v", v, err)
			}
		})
	}
	wg.Wait()
	if n := loads.Load(); n != 1 {
		t.Errorf("loaded %d times", n)
	}
}

func TestErrorIsNotKept(t *testing.T) {
	c := New[int](1)
	bad := errors.New("bad")
	if _, err := c.Load(1, func() (int, error) { return 0, bad }); err != bad {
		t.Fatal(err)
	}
	if v, err := c.Load(1, func() (int, error) { return 5, nil }); v != 5 || err != nil {
		t.Errorf("after an error: %d, %v", v, err)
	}
}

func TestBoundedAndCorrectUnderLoad(t *testing.T) {
	c := New[uint64](64)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range uint64(20000) {
				k := (i*7919 + uint64(w)) % 1000
				if v, err := c.Load(k, func() (uint64, error) { return k * 3, nil }); v != k*3 || err != nil {
					t.Errorf("key %d: %d, %v", k, v, err)
					return
				}
			}
		})
	}
	wg.Wait()
	held := 0
	for k := range uint64(1000) {
		if v, ok := c.Get(k); ok {
			held++
			if v != k*3 {
				t.Errorf("key %d holds %d", k, v)
			}
		}
	}
	if held == 0 || held > 64 {
		t.Errorf("%d entries held, capacity 64", held)
	}
}

func BenchmarkGet(b *testing.B) {
	c := New[uint64](4096)
	for k := range uint64(2048) {
		_, _ = c.Load(k, func() (uint64, error) { return k, nil })
	}
	for i := 0; b.Loop(); i++ {
		if _, ok := c.Get(uint64(i) & 1023); !ok && i < 0 {
			b.Fatal()
		}
	}
}

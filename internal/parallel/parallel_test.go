package parallel

import (
	"strings"
	"sync/atomic"
	"testing"
)

func TestEachCallsOnceForEach(t *testing.T) {
	for _, n := range []int{0, 1, 2, 1000} {
		calls := make([]atomic.Int32, n)
		Each(n, func(i int) { calls[i].Add(1) })
		for i := range calls {
			if got := calls[i].Load(); got != 1 {
				t.Errorf("n %d: %d calls for %d", n, got, i)
			}
		}
	}
}

func TestStart(t *testing.T) {
	wait := Start(func() int { return 42 })
	if a, b := wait(), wait(); a != 42 || b != 42 {
		t.Errorf("%d, %d", a, b)
	}
}

func TestPanicsComeOutWhereTheyAreWaitedFor(t *testing.T) {
	for name, run := range map[string]func(){
		"Each": func() {
			Each(8, func(i int) {
				if i == 3 {
					panic("boom")
				}
			})
		},
		"Start": func() { Start(func() int { panic("boom") })() },
	} {
		got := func() (v any) {
			defer func() { v = recover() }()
			run()
			return nil
		}()
		if s, ok := got.(string); !ok || !strings.HasPrefix(s, "boom\n") || !strings.Contains(s, "parallel_test.go") {
			t.Errorf("%s: %v", name, got)
		}
	}
}

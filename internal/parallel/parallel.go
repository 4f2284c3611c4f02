// Package parallel spreads independent pieces of work over the processors. A
// panic in a piece comes out where its result is waited for.
package parallel

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// Each calls fn for 0 to n-1, on as many goroutines as there are processors,
// and returns when all calls have. The order of the calls is not defined.
func Each(n int, fn func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	var fault fault
	for range min(runtime.GOMAXPROCS(0), n) {
		wg.Go(func() {
			defer fault.keep()
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				fn(i)
			}
		})
	}
	wg.Wait()
	fault.raise()
}

// Start calls fn in the background; wait gives what it returned.
func Start[T any](fn func() T) (wait func() T) {
	var result T
	var fault fault
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer fault.keep()
		result = fn()
	}()
	return func() T {
		<-done
		fault.raise()
		return result
	}
}

// fault is the first panic of some goroutines.
type fault struct {
	once  sync.Once
	value any
}

// keep notes a panic, with the stack that is lost when it is raised elsewhere.
func (f *fault) keep() {
	if v := recover(); v != nil {
		f.once.Do(func() { f.value = fmt.Sprintf("%v\n%s", v, debug.Stack()) })
	}
}

func (f *fault) raise() {
	if f.value != nil {
		panic(f.value)
	}
}

package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// When the progress line appears, and how often it is drawn.
const (
	progressAfter = 500 * time.Millisecond
	progressEvery = 100 * time.Millisecond
)

// progress draws a line on w for as long as what goes on, once that has taken
// half a second. The returned function ends and erases it.
func (f *front) progress(what string) (done func()) {
	if !f.live {
		return func() {}
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { drawProgress(f.err, what, time.Now(), stop) })
	return func() {
		close(stop)
		wg.Wait()
	}
}

func drawProgress(w io.Writer, what string, start time.Time, stop <-chan struct{}) {
	tick := time.NewTimer(progressAfter)
	defer tick.Stop()
	drawn := false
	for {
		select {
		case <-stop:
			if drawn {
				_, _ = io.WriteString(w, "\r\x1b[K")
			}
			return
		case <-tick.C:
			drawn = true
			_, _ = fmt.Fprintf(w, "\r\x1b[K%s … %.1f s", oneLine(what), time.Since(start).Seconds())
			tick.Reset(progressEvery)
		}
	}
}

package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
)

// together is how many guests are made at a time.
const together = 2

// Make makes the guests of the recipes and all their dumps, but for what the
// lab has already. It goes on after a failure and gives all errors at the end.
func (l *Lab) Make(ctx context.Context, recipes []Recipe) error {
	if len(recipes) == 0 {
		return nil
	}
	unlock, err := l.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := l.host(ctx); err != nil {
		return fmt.Errorf("prepare the host: %w", err)
	}
	if err := l.chroot(ctx); err != nil {
		return fmt.Errorf("make the chroot: %w", err)
	}
	queue := make(chan Recipe)
	errs := make([][]error, together)
	var wg sync.WaitGroup
	for i := range together {
		wg.Go(func() {
			for r := range queue {
				if err := l.makeOne(ctx, r); err != nil {
					l.say("%s: failed: %v", r.Name(), err)
					errs[i] = append(errs[i], err)
				}
			}
		})
	}
	for _, r := range recipes {
		if ctx.Err() == nil {
			queue <- r
		}
	}
	close(queue)
	wg.Wait()
	var all []error
	for _, e := range errs {
		all = append(all, e...)
	}
	return errors.Join(append(all, ctx.Err())...)
}

// lock keeps a second process from making things in the same directory.
func (l *Lab) lock() (unlock func(), err error) {
	if err := os.MkdirAll(l.dir, 0o755); err != nil {
		return nil, fmt.Errorf("lock the lab: %w", err)
	}
	f, err := os.Create(l.path("lock"))
	if err != nil {
		return nil, fmt.Errorf("lock the lab: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: another process is making dumps: %w", l.dir, err), f.Close())
	}
	return func() { f.Close() }, nil
}

func (l *Lab) makeOne(ctx context.Context, r Recipe) error {
	k, err := kernelNamed(r.Kernel)
	if err != nil {
		return err
	}
	in, err := l.install(ctx, k)
	if err != nil {
		return err
	}
	dir, err := l.boot(ctx, r, in)
	if err != nil {
		return err
	}
	return l.derive(ctx, r, dir)
}

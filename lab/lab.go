// Package lab makes real memory dumps to test with, from nothing, on a Debian
// machine: it boots distribution kernels under QEMU, fills them with tasks in
// every state, has them tell the truth about themselves, ends them and dumps
// their memory in every format. It also runs the reference tools, crash and
// drgn, on the dumps. It needs root (for chroot and mount namespaces) and a
// Debian mirror; everything it makes lies in one directory outside the source.
package lab

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// DirVariable names the environment variable that says where the lab's files lie.
const DirVariable = "INQUEST_LAB"

// A Lab is a directory of dumps and of what it takes to make them.
type Lab struct {
	dir string

	mu       sync.Mutex // guards progress and once
	progress io.Writer
	once     map[string]*shared

	debian string // set once, by mirror
}

// shared is work that several dumps need and one of them does.
type shared struct {
	done chan struct{}
	err  error
}

// Open gives the lab in dir; an empty dir means $INQUEST_LAB, else
// inquest-lab in the user's cache directory. Nothing is made or fetched.
func Open(dir string) (*Lab, error) {
	if dir == "" {
		dir = os.Getenv(DirVariable)
	}
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("find the lab's directory (or set %s): %w", DirVariable, err)
		}
		dir = filepath.Join(cache, "inquest-lab")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find the lab's directory: %w", err)
	}
	return &Lab{dir: dir, progress: io.Discard, once: map[string]*shared{}}, nil
}

// SetProgress sends a line per step to w.
func (l *Lab) SetProgress(w io.Writer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.progress = w
}

// Dir is the lab's directory, absolute.
func (l *Lab) Dir() string { return l.dir }

func (l *Lab) path(parts ...string) string {
	return filepath.Join(append([]string{l.dir}, parts...)...)
}

func (l *Lab) say(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.progress, time.Now().UTC().Format("15:04:05 ")+format+"\n", args...)
}

// share runs work once per name in this process, whoever asks first; all get its error.
func (l *Lab) share(name string, work func() error) error {
	l.mu.Lock()
	s, begun := l.once[name]
	if !begun {
		s = &shared{done: make(chan struct{})}
		l.once[name] = s
	}
	l.mu.Unlock()
	if begun {
		<-s.done
		return s.err
	}
	defer close(s.done)
	s.err = work()
	return s.err
}

// into fills a new directory and gives it its name only when it is whole.
func into(dir string, fill func(part string) error) error {
	part := dir + ".part"
	if err := os.RemoveAll(part); err != nil {
		return fmt.Errorf("clear %s: %w", part, err)
	}
	if err := os.MkdirAll(part, 0o755); err != nil {
		return fmt.Errorf("make %s: %w", part, err)
	}
	if err := fill(part); err != nil {
		return err // the part stays, for whoever wants to see why
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("replace %s: %w", dir, err)
	}
	return os.Rename(part, dir)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}

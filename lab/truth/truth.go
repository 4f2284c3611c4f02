// Package truth reads what a lab guest told about itself just before its end.
package truth

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Files of a truth directory that this package knows; File reads the others.
const (
	// ChannelFile is what the guest wrote to its second serial port.
	ChannelFile = "channel"
	modulesFile = "proc_modules"
	stacksFile  = "stacks"
	releaseFile = "proc_sys_kernel_osrelease"
	versionFile = "proc_version"
	cmdlineFile = "proc_cmdline"
)

// Truth is a guest as it saw itself.
type Truth struct {
	dir string

	// Exact says that the snapshot is of the panic itself, after all other
	// CPUs had stopped. Otherwise (running and kexec guests) it was taken
	// right before the end, and kernel threads may have moved on.
	Exact    bool
	Snapshot Snapshot
	// Proc is the table of threads as /proc showed it, a moment earlier.
	// Its comm of a kworker has the work queue's name added.
	Proc    []Thread
	Modules []Module
	// Stacks are the lines of /proc/PID/stack by PID, seconds earlier.
	Stacks  map[int][]Frame
	Release string // uname -r
	Version string // /proc/version
	Cmdline string
}

// A Snapshot is what the lab's kernel module saw at one moment.
type Snapshot struct {
	When    string // "panic", or "asked" when the workload asked for it
	Time    time.Time
	Uptime  time.Duration
	Avenrun [3]uint64 // load averages, fixed point: 2048 is 1.00
	CPU     int       // that took the snapshot, so the one that panics
	PID     int       // of the task on it
	Threads []Thread  // without the idle tasks
}

// A Thread is a row of the table of all threads.
type Thread struct {
	PID, TGID, PPID int
	State           string // as ps shows it: "S"
	Comm            string
	Start           time.Duration // since boot; to the clock tick in Truth.Proc
	Kernel          bool          // a kernel thread; unknown in Truth.Proc
}

// A Module is a line of /proc/modules.
type Module struct {
	Name string
	Size uint64
	Addr uint64
}

// Load is the load averages as /proc/loadavg rounds them.
func (s Snapshot) Load() [3]string {
	var out [3]string
	for i, v := range s.Avenrun {
		v += 2048 / 200
		out[i] = fmt.Sprintf("%d.%02d", v>>11, (v&2047)*100>>11)
	}
	return out
}

// Read reads a truth directory.
func Read(dir string) (*Truth, error) {
	t := &Truth{dir: dir}
	channel, err := t.File(ChannelFile)
	if err != nil {
		return nil, err
	}
	if err := t.readChannel(channel); err != nil {
		return nil, err
	}
	for name, to := range map[string]*string{
		releaseFile: &t.Release, versionFile: &t.Version, cmdlineFile: &t.Cmdline,
	} {
		text, err := t.File(name)
		if err != nil {
			return nil, err
		}
		*to = strings.TrimSpace(text)
	}
	modules, err := t.File(modulesFile)
	if err != nil {
		return nil, err
	}
	if t.Modules, err = ParseModules(modules); err != nil {
		return nil, err
	}
	stacks, err := t.File(stacksFile)
	if err != nil {
		return nil, err
	}
	t.Stacks, err = ParseStacks(stacks)
	return t, err
}

// File is the text of another file the guest kept: "proc_meminfo",
// "proc_self_mountinfo", "proc_net_tcp", "proc_kallsyms", "fds" (lines of
// pid, descriptor, target), "status" and "stat" of every thread, and so on.
func (t *Truth) File(name string) (string, error) {
	b, err := os.ReadFile(filepath.Join(t.dir, name))
	if err != nil {
		return "", fmt.Errorf("read the guest's truth: %w", err)
	}
	return string(b), nil
}

// readChannel takes the last whole snapshot and the /proc table.
func (t *Truth) readChannel(text string) error {
	sections, err := channelSections(text)
	if err != nil {
		return err
	}
	for _, s := range sections {
		switch {
		case s.title == "stat":
			if t.Proc, err = ParseStat(s.body); err != nil {
				return err
			}
		case strings.HasPrefix(s.title, "snapshot "):
			if t.Snapshot, err = ParseSnapshot(s.body); err != nil {
				return err
			}
			t.Snapshot.When = strings.TrimPrefix(s.title, "snapshot ")
			t.Exact = t.Snapshot.When == "panic"
		}
	}
	if t.Snapshot.When == "" || len(t.Proc) == 0 {
		return fmt.Errorf("the guest's channel has no whole snapshot and table")
	}
	return nil
}

type section struct{ title, body string }

// channelSections splits "=== begin TITLE" … "=== end …" parts; other lines are passed over.
func channelSections(text string) ([]section, error) {
	var out []section
	for {
		_, rest, ok := strings.Cut(text, "=== begin ")
		if !ok {
			return out, nil
		}
		title, rest, ok := strings.Cut(rest, "\n")
		if !ok {
			return nil, fmt.Errorf("the guest's channel ends within a title")
		}
		body, rest, ok := strings.Cut(rest, "=== end ")
		if !ok {
			return nil, fmt.Errorf("the guest's channel ends within section %q", title)
		}
		out = append(out, section{strings.TrimSpace(title), strings.ReplaceAll(body, "\r\n", "\n")})
		text = rest
	}
}

// maxFile bounds one file of a guest's truth; kallsyms has 10 MB.
const maxFile = 64 << 20

// Unpack splits what a guest wrote to its truth disk, "NAME SIZE\n" and the
// bytes for each file, up to a file named "end".
func Unpack(r io.Reader, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("unpack the guest's truth: %w", err)
	}
	in := bufio.NewReader(r)
	for {
		var name string
		var size int64
		if _, err := fmt.Fscanf(in, "%s %d\n", &name, &size); err != nil {
			return fmt.Errorf("unpack the guest's truth: %w", err)
		}
		if name == "end" {
			return nil
		}
		if size < 0 || size > maxFile {
			return fmt.Errorf("unpack the guest's truth: file %q of %d bytes", name, size)
		}
		f, err := os.Create(filepath.Join(dir, strings.ReplaceAll(strings.Trim(name, "/"), "/", "_")))
		if err != nil {
			return fmt.Errorf("unpack the guest's truth: %w", err)
		}
		_, err = io.CopyN(f, in, size)
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("unpack the guest's truth: file %q: %w", name, err)
		}
	}
}

package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// A Run is what a reference tool said of a dump, and what it cost.
type Run struct {
	Stdout  string
	Stderr  string
	Elapsed time.Duration // the whole process, wall clock
	MaxRSS  int64         // bytes, file pages included
}

// referenceLimit ends a reference tool that hangs.
const referenceLimit = 3 * time.Minute

// Crash runs crash of the chroot on a dump with its vmlinux: "sys", "bt -a".
// The error is the tool's failure to run to its end; Run holds what it said.
// crash 9.0.2 ends without a word on a split dump.
func (l *Lab) Crash(ctx context.Context, d Dump, commands ...string) (Run, error) {
	args := []string{"-s", l.guestPath(d.VMLinux)}
	for _, f := range d.Files {
		args = append(args, l.guestPath(f))
	}
	return l.reference(ctx, strings.Join(commands, "\n")+"\nquit\n", "crash", args...)
}

// Drgn runs a Python script under drgn of the chroot, with prog set to the
// dump with its vmlinux. A dump without a VMCOREINFO note is given the text
// found in the guest's memory. drgn 0.3 takes neither the kdump files that
// QEMU writes (kdump, kdump-flat) nor split dumps; the script imports the
// helpers it uses.
func (l *Lab) Drgn(ctx context.Context, d Dump, script string) (Run, error) {
	file, err := os.CreateTemp(l.dir, "drgn-*.py")
	if err != nil {
		return Run{}, fmt.Errorf("write a drgn script: %w", err)
	}
	defer os.Remove(file.Name())
	defer file.Close()
	if _, err := file.WriteString(script); err != nil {
		return Run{}, fmt.Errorf("write a drgn script: %w", err)
	}
	args := []string{"-q", "--no-default-symbols", "-s", l.guestPath(d.VMLinux), "-c", l.guestPath(d.Files[0])}
	if !d.HasNote {
		args = append(args, "--vmcoreinfo", l.guestPath(d.VMCOREINFO))
	}
	return l.reference(ctx, "", "drgn", append(args, l.guestPath(file.Name()))...)
}

func (l *Lab) reference(ctx context.Context, stdin, name string, args ...string) (Run, error) {
	ctx, cancel := context.WithTimeout(ctx, referenceLimit)
	defer cancel()
	var out, said bytes.Buffer
	c := l.inChroot(ctx, name, args...)
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(stdin), &out, &said
	began := time.Now()
	err := c.Run()
	run := Run{Stdout: out.String(), Stderr: said.String(), Elapsed: time.Since(began), MaxRSS: maxRSS(c)}
	if err != nil {
		err = fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, lastWords(said.Bytes()))
	}
	return run, err
}

func maxRSS(c *exec.Cmd) int64 {
	if c.ProcessState == nil {
		return 0
	}
	usage, ok := c.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return usage.Maxrss << 10
}

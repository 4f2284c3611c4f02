package lab

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// commandLimit ends a program of the host that hangs (a download of 1 GB is the longest).
const commandLimit = 30 * time.Minute

// keptOutput is how much of a failed program's last words an error carries.
const keptOutput = 2000

// command is a program that ends with its context, and with this process.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = 5 * time.Second
	return c
}

func run(ctx context.Context, name string, args ...string) error {
	_, err := output(ctx, name, args...)
	return err
}

// output gives a program's standard output; its error carries what it said last.
func output(ctx context.Context, name string, args ...string) ([]byte, error) {
	return capture(ctx, command, name, args...)
}

type starter func(ctx context.Context, name string, args ...string) *exec.Cmd

func capture(ctx context.Context, start starter, name string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	var out, said bytes.Buffer
	c := start(ctx, name, args...)
	c.Stdout, c.Stderr = &out, &said
	if err := c.Run(); err != nil {
		return out.Bytes(), fmt.Errorf("%s %s: %w: %s%s", name, strings.Join(args, " "), err,
			lastWords(out.Bytes()), lastWords(said.Bytes()))
	}
	return out.Bytes(), nil
}

func lastWords(b []byte) []byte {
	return b[max(0, len(b)-keptOutput):]
}

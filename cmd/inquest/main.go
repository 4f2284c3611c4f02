// The program inquest reports on the memory dump of a crashed Linux kernel.
//
// It holds flags, exit codes and the terminal; the answers come from the
// packages below command/.
package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// Exit codes.
const (
	exitOK      = 0 // complete
	exitFailed  = 1 // a command failed
	exitUsage   = 2 // the command line cannot be meant
	exitPartial = 3 // an answer lacks something; stderr and JSON say what
	exitNoDump  = 4 // no usable dump
)

func main() { os.Exit(run()) }

// Garbage collection of a process that lives for a tenth of a second costs more
// than the memory it saves: collect at five times the live heap, until that
// would be more than memoryLimit.
const (
	gcPercent   = 400
	memoryLimit = 1 << 30 // bytes
)

// tuneGC leaves alone what the user has set in the environment.
func tuneGC() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
}

// run is main with a status: deferred calls come to pass before the exit.
func run() int {
	tuneGC()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		stop() // a second signal ends the process at once
	}()
	out := bufio.NewWriter(os.Stdout)
	code := (&front{
		out:   out,
		err:   os.Stderr,
		color: isTerminal(os.Stdout) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
		live:  isTerminal(os.Stderr) && os.Getenv("TERM") != "dumb",
	}).main(ctx, os.Args[1:])
	if err := out.Flush(); err != nil && code == exitOK {
		complain(os.Stderr, err)
		code = exitFailed
	}
	return code
}

// complain writes an error as one line to stderr.
func complain(w io.Writer, err error) {
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	_, _ = io.WriteString(w, "inquest: "+oneLine(err.Error())+"\n")
}

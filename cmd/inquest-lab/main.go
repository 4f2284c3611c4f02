// Command inquest-lab makes the real memory dumps that inquest is tested on.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/kinquest/inquest/lab"
)

const usage = `usage: inquest-lab COMMAND
  make [RECIPE|PREFIX*…]  make dumps that are missing (all but those on demand)
  recipes                 list the recipes
  list                    list the dumps there are
  clean                   remove dumps whose recipe has changed since
  truth DUMP              show what the guest of a dump told
  crash DUMP COMMAND…     run crash of the lab on a dump
  drgn DUMP SCRIPT        run a drgn script on a dump
  verify [RECIPE|PREFIX*…]  compare the dumps with what their guests told
  bench [RUNS]            time inquest, crash and drgn on the same dumps
  damage DUMP…            read dumps that were cut or overwritten
  peers DUMP…             compare all stacks of a dump with crash's and drgn's
The lab's directory is $INQUEST_LAB, else inquest-lab in the user's cache.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := dispatch(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "inquest-lab:", err)
		os.Exit(1)
	}
}

func dispatch(ctx context.Context, args []string) error {
	l, err := lab.Open("")
	if err != nil {
		return err
	}
	l.SetProgress(os.Stderr)
	switch {
	case len(args) >= 1 && args[0] == "make":
		return makeDumps(ctx, l, args[1:])
	case len(args) == 1 && args[0] == "recipes":
		for _, r := range lab.Recipes() {
			fmt.Println(r.Name(), strings.Join(r.Formats, " "))
		}
		return nil
	case len(args) == 1 && args[0] == "list":
		return list(l)
	case len(args) == 1 && args[0] == "clean":
		return l.Clean()
	case len(args) == 2 && args[0] == "truth":
		return showTruth(l, args[1])
	case len(args) >= 3 && args[0] == "crash":
		return reference(l, args[1], func(d lab.Dump) (lab.Run, error) { return l.Crash(ctx, d, args[2:]...) })
	case len(args) == 3 && args[0] == "drgn":
		script, err := os.ReadFile(args[2])
		if err != nil {
			return err
		}
		return reference(l, args[1], func(d lab.Dump) (lab.Run, error) { return l.Drgn(ctx, d, string(script)) })
	}
	if len(args) >= 1 && args[0] == "verify" {
		return verifyDumps(ctx, l, args[1:])
	}
	if len(args) >= 1 && args[0] == "bench" {
		return measure(ctx, l, args[1:])
	}
	if len(args) >= 2 && args[0] == "damage" {
		return damage(ctx, l, args[1:])
	}
	if len(args) >= 2 && args[0] == "peers" {
		return peers(ctx, l, args[1:])
	}
	return fmt.Errorf("what to do?\n%s", usage)
}

// makeDumps makes the recipes named; "6.1-*" names all that begin so.
func makeDumps(ctx context.Context, l *lab.Lab, names []string) error {
	var chosen []lab.Recipe
	for _, r := range lab.Recipes() {
		if named(r, names) || len(names) == 0 && !r.OnDemand {
			chosen = append(chosen, r)
		}
	}
	if len(chosen) == 0 {
		return fmt.Errorf("no recipe is named %q: see inquest-lab recipes", names)
	}
	return l.Make(ctx, chosen)
}

func named(r lab.Recipe, names []string) bool {
	for _, n := range names {
		prefix, open := strings.CutSuffix(n, "*")
		if n == r.Name() || open && !r.OnDemand && strings.HasPrefix(r.Name(), prefix) {
			return true
		}
	}
	return false
}

func list(l *lab.Lab) error {
	dumps, err := l.Dumps()
	for _, d := range dumps {
		fmt.Println(d.Name, strings.Join(d.Files, " "))
	}
	return err
}

func find(l *lab.Lab, name string) (lab.Dump, error) {
	dumps, err := l.Dumps()
	if err != nil {
		return lab.Dump{}, err
	}
	for _, d := range dumps {
		if d.Name == name {
			return d, nil
		}
	}
	return lab.Dump{}, fmt.Errorf("no dump is named %q: see inquest-lab list", name)
}

func reference(l *lab.Lab, name string, run func(lab.Dump) (lab.Run, error)) error {
	d, err := find(l, name)
	if err != nil {
		return err
	}
	r, err := run(d)
	fmt.Print(r.Stdout)
	fmt.Fprintf(os.Stderr, "%s(%.2f s, %d MiB)\n", r.Stderr, r.Elapsed.Seconds(), r.MaxRSS>>20)
	return err
}

func showTruth(l *lab.Lab, name string) error {
	d, err := find(l, name)
	if err != nil {
		return err
	}
	t, err := d.Truth()
	if err != nil {
		return err
	}
	s := t.Snapshot
	fmt.Printf("%s\ntime %v uptime %v load %v\nsnapshot %q on CPU %d in task %d\n",
		t.Version, s.Time, s.Uptime, s.Load(), s.When, s.CPU, s.PID)
	for _, th := range s.Threads {
		fmt.Printf("%6d %6d %6d %s %q\n", th.PID, th.TGID, th.PPID, th.State, th.Comm)
	}
	for _, m := range t.Modules {
		fmt.Printf("%-20s %8d %#x\n", m.Name, m.Size, m.Addr)
	}
	c, err := d.ConsoleLog()
	if err != nil {
		return err
	}
	if trace, ok := c.PanicTrace(); ok {
		fmt.Printf("panic %q\nRIP %v\n", c.Panic, trace.RIP)
		for _, f := range trace.Frames {
			fmt.Println(" ", f)
		}
	}
	return nil
}

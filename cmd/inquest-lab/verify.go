package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/kinquest/inquest/lab"
	"github.com/kinquest/inquest/lab/bench"
	"github.com/kinquest/inquest/lab/verify"
)

// verifyDumps prints the table of scores; the error says that some dump does
// not agree with its guest.
func verifyDumps(ctx context.Context, l *lab.Lab, names []string) error {
	dumps, err := l.Dumps()
	if err != nil {
		return err
	}
	var results []verify.Result
	failed := 0
	for _, d := range dumps {
		if len(names) > 0 && !named(d.Recipe, names) {
			continue
		}
		r := verify.Check(ctx, d)
		if !r.Passed() {
			failed++
		}
		results = append(results, r)
	}
	if err := verify.WriteTable(os.Stdout, results); err != nil {
		return err
	}
	switch {
	case len(results) == 0:
		return errors.New("there are no such dumps: make them first")
	case failed > 0:
		return fmt.Errorf("%d of %d dumps do not agree with their guests", failed, len(results))
	}
	return nil
}

// peers prints how the stacks of dumps compare with those of crash and drgn;
// the error says that inquest is alone with an answer.
func peers(ctx context.Context, l *lab.Lab, names []string) error {
	alone := 0
	for _, name := range names {
		d, err := find(l, name)
		if err != nil {
			return err
		}
		p := verify.Compare(ctx, l, d)
		fmt.Println(p.String())
		if p.Err != nil || !p.Score.Full() {
			alone++
		}
	}
	if alone > 0 {
		return fmt.Errorf("%d of %d dumps differ from crash and drgn where these agree", alone, len(names))
	}
	return nil
}

// damage prints how inquest bears damaged copies of dumps; the error says that
// it did not bear some.
func damage(ctx context.Context, l *lab.Lab, names []string) error {
	bad := 0
	for _, name := range names {
		d, err := find(l, name)
		if err != nil {
			return err
		}
		h, err := verify.Hurt(ctx, d)
		if err != nil {
			return err
		}
		fmt.Println(h.String())
		bad += len(h.Bad)
	}
	if bad > 0 {
		return fmt.Errorf("%d damaged dumps took too much or made inquest panic", bad)
	}
	return nil
}

// defaultRuns is how often each tool does each job.
const defaultRuns = 5

// measure prints the table of times, as Markdown.
func measure(ctx context.Context, l *lab.Lab, args []string) error {
	runs := defaultRuns
	if len(args) > 0 {
		n, err := strconv.Atoi(args[0])
		if err != nil || n < 1 {
			return fmt.Errorf("number of runs %q", args[0])
		}
		runs = n
	}
	binary := filepath.Join(l.Dir(), "inquest")
	if err := bench.Build(ctx, binary); err != nil {
		return err
	}
	dumps, err := l.Dumps()
	if err != nil {
		return err
	}
	return bench.WriteMarkdown(os.Stdout, bench.Measure(ctx, bench.Jobs(l, binary), dumps, runs, os.Stderr))
}

// Package command is the floor that the verbs of inquest stand on: a Command
// parses its arguments without a dump, its Job does the work and prints
// nothing, and the Result is data with a text form beside it.
//
// The verbs themselves live in the theme packages below this one;
// command/all lists them.
package command

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/render"
)

// Command is one verb.
type Command interface {
	Info() Info
	// Parse checks the arguments behind the verb; the error is a *UsageError.
	Parse(args []string) (Job, error)
}

// Info describes a verb to people.
type Info struct {
	Name    string   `json:"name"`              // "ps"
	Aliases []string `json:"aliases,omitempty"` // other names: "dmesg" for log
	Theme   string   `json:"theme"`             // heading in the list of commands: "tasks"
	Short   string   `json:"short"`             // one line, lower case, no full stop
	Args    string   `json:"args"`              // synopsis of the arguments: "[-k|-u] [pid | task | name] ..."
	Help    string   `json:"help"`              // options and arguments, one per line, indented by two
}

// Job does the work of one parsed command. It prints nothing. A Result may
// come with an error: then it holds what was found before the error.
type Job func(ctx context.Context, env *Env) (Result, error)

// Result is a command's answer: a struct whose exported fields are its JSON form.
type Result interface {
	WriteText(w *render.Writer) error
}

// UsageError is a command line that cannot be meant.
type UsageError struct {
	Command string // the verb, "" when there is none
	Msg     string
}

func (e *UsageError) Error() string {
	if e.Command == "" {
		return e.Msg
	}
	return e.Command + ": " + e.Msg
}

// Usagef makes a *UsageError.
func Usagef(command, format string, args ...any) error {
	return &UsageError{Command: command, Msg: fmt.Sprintf(format, args...)}
}

// Partial is embedded in results that may lack something. The problems are
// not part of the result's own JSON but of its envelope.
type Partial struct {
	problems []render.Problem
}

// maxProblems bounds what one answer complains about: a damaged dump can have
// something wrong with each of a million rows, and nobody reads them all.
const maxProblems = 50

// Lacks notes that what is missing from the result because of err. A nil err
// is ignored.
func (p *Partial) Lacks(what string, err error) {
	if err == nil {
		return
	}
	switch n := len(p.problems); {
	case n < maxProblems:
		p.problems = append(p.problems, render.Problem{What: what, Why: Reason(err)})
	case n == maxProblems:
		p.problems = append(p.problems, render.Problem{What: "more", Why: fmt.Sprintf("further problems than these %d are not listed", maxProblems)})
	}
}

// Problems gives what the result lacks, in the order it was noticed.
func (p *Partial) Problems() []render.Problem { return p.problems }

// Problems gives what a result lacks; nil when it is complete.
func Problems(r Result) []render.Problem {
	if p, ok := r.(interface{ Problems() []render.Problem }); ok {
		return p.Problems()
	}
	return nil
}

// PanicError is a fault of inquest itself in one command.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("this is a fault of inquest, please report it: %v\n%s", e.Value, e.Stack)
}

// Run does job, turning a panic into a *PanicError so that one command's fault
// does not end the others.
func Run(ctx context.Context, job Job, env *Env) (res Result, err error) {
	defer func() {
		if v := recover(); v != nil {
			res, err = nil, &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return job(ctx, env)
}

// Reason says in few words why something is absent: a word for the ways in
// which memory can be missing, the error's text otherwise.
func Reason(err error) string {
	f, fault := errors.AsType[*mem.FaultError](err)
	fault = fault && err == error(f)
	for _, r := range []struct {
		err  error
		text string
	}{
		{mem.ErrExcluded, "excluded"},
		{mem.ErrUnmapped, "unmapped"},
		{mem.ErrNotStored, "not stored"},
		{mem.ErrTruncated, "truncated"},
	} {
		switch {
		case err == r.err:
			return r.text
		case fault && errors.Is(err, r.err):
			return fmt.Sprintf("%s (%s %#x)", r.text, f.Space, f.Addr)
		}
	}
	return err.Error()
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"strings"

	"github.com/kinquest/inquest/command"
	"github.com/kinquest/inquest/dump"
	"github.com/kinquest/inquest/kernel"
	"github.com/kinquest/inquest/render"
)

// session opens the dump and answers the command lines in order. All lines are
// parsed before the dump is opened.
func (f *front) session(ctx context.Context, table *command.Table, files, lines []string, asJSON bool) int {
	jobs := make([]command.Job, len(lines))
	for i, line := range lines {
		job, err := table.Parse(line)
		if err != nil {
			return f.misusedCommand(table, line, err)
		}
		jobs[i] = job
	}
	s := &session{front: f, json: asJSON, env: &command.Env{Radix: 10}}
	img, err := s.open(ctx, files)
	if img != nil {
		defer func() { _ = img.Close() }() // nothing was written to it
	}
	if err != nil {
		s.answer(lines[0], nil, err)
		return exitNoDump
	}
	s.id = identity(s.env.Kernel)
	for i, line := range lines {
		if len(lines) > 1 && !asJSON {
			s.heading(i, line)
		}
		res, err := s.run(ctx, line, jobs[i])
		s.answer(line, res, err)
	}
	return s.code()
}

// session is one opened dump and what became of the commands so far.
type session struct {
	*front
	json    bool
	env     *command.Env
	id      *render.DumpID
	failed  bool // a command gave no answer
	partial bool // an answer lacks something
}

// open opens the files and the kernel in them. A fault of ours becomes an error.
func (s *session) open(ctx context.Context, files []string) (img dump.Image, err error) {
	defer s.progress("opening " + strings.Join(files, " "))()
	defer func() {
		if v := recover(); v != nil {
			err = &command.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	img, err = dump.Open(ctx, files...)
	if err != nil {
		return nil, advise(err)
	}
	k, err := kernel.Open(ctx, img)
	s.env.Kernel = k
	if err != nil {
		return img, advise(fmt.Errorf("%s: %w", files[0], withDamage(err, img.Info())))
	}
	return img, nil
}

// withDamage adds to an error what is known to be wrong with the file.
func withDamage(err error, info dump.Info) error {
	if len(info.Problems) == 0 || !info.Truncated && !info.Incomplete {
		return err
	}
	return fmt.Errorf("%w; %s", err, info.Problems[0])
}

// advise adds to an error of opening what the user can do, where the error
// does not say so itself.
func advise(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: read it as a user who may, or change its mode", err)
	}
	return err
}

func (s *session) run(ctx context.Context, line string, job command.Job) (command.Result, error) {
	defer s.progress(line)()
	return command.Run(ctx, job, s.env)
}

// heading separates the text answers of several commands.
func (s *session) heading(i int, line string) {
	w := s.writer()
	if i > 0 {
		w.Text("\n")
	}
	w.Bold("inquest> " + line)
	w.Text("\n")
}

func (s *session) writer() *render.Writer {
	w := render.NewWriter(s.out)
	w.Color = s.color
	return w
}

// answer writes the outcome of one command. A result beside an error is shown
// too.
func (s *session) answer(line string, res command.Result, err error) {
	problems := command.Problems(res)
	s.failed = s.failed || err != nil
	s.partial = s.partial || len(problems) > 0
	if s.json {
		e := render.Envelope{Dump: s.id, Command: line, Result: res, Problems: problems}
		if err != nil {
			e.Error = err.Error()
		}
		if werr := render.WriteJSON(s.out, e); werr != nil {
			s.failed = true
			complain(s.err, werr)
		}
	} else if res != nil {
		if werr := res.WriteText(s.writer()); werr != nil {
			s.failed = true
			complain(s.err, werr)
		}
	}
	s.flush()
	for _, p := range problems {
		complain(s.err, fmt.Errorf("%s: incomplete: %s", verb(line), p))
	}
	switch {
	case err != nil && s.id == nil: // no dump: the command has no part in it
		complain(s.err, err)
	case err != nil:
		complain(s.err, fmt.Errorf("%s: %w", verb(line), err))
	}
}

// flush brings the answer out before what is said about it on stderr.
func (s *session) flush() {
	if b, ok := s.out.(interface{ Flush() error }); ok {
		_ = b.Flush() // the error stays with the writer and is reported at the end
	}
}

func (s *session) code() int {
	switch {
	case s.failed:
		return exitFailed
	case s.partial:
		return exitPartial
	}
	return exitOK
}

// misusedCommand complains about a command line, with the verb's synopsis.
func (f *front) misusedCommand(t *command.Table, line string, err error) int {
	if c, ok := t.Lookup(verb(line)); ok {
		err = fmt.Errorf("%w; usage: %s", err, c.Info().Usage())
	}
	complain(f.err, err)
	return exitUsage
}

// verb is the first word of a command line.
func verb(line string) string {
	if w := strings.Fields(line); len(w) > 0 {
		return w[0]
	}
	return line
}

// identity names the dump in JSON answers.
func identity(k *kernel.Kernel) *render.DumpID {
	info := k.Image.Info()
	id := &render.DumpID{Files: info.Files, Format: info.Format}
	if k.VMCoreInfo != nil {
		id.Release, id.BuildID = k.VMCoreInfo.OSRelease, k.VMCoreInfo.BuildID
	}
	if uts, err := k.UTS(); err == nil {
		id.Release = uts.Release
	}
	return id
}

package system

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/kinquest/inquest/command"
	"github.com/kinquest/inquest/kernel/printk"
	"github.com/kinquest/inquest/kernel/timer"
	"github.com/kinquest/inquest/render"
)

type logCommand struct{}

func (logCommand) Info() command.Info {
	return command.Info{
		Name: "log", Aliases: []string{"dmesg"}, Theme: theme, Short: "show the kernel's log",
		Args: "[-Ttdmc]",
		Help: `  -T  wall-clock time before each message (by the log's clock, which stands still in sleep)
  -t  no time
  -d  with the device that a message is about
  -m  with the level, <0> emergency to <7> debug
  -c  with who printed it: thread T… or CPU C…, where the kernel notes that`,
	}
}

func (logCommand) Parse(args []string) (command.Job, error) {
	flags, rest, err := command.Getopt("log", "Ttdmc", args)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, command.Usagef("log", "takes no %q", rest[0])
	}
	var l LogResult
	for _, f := range flags {
		switch f.Name {
		case 'T':
			l.wall = true
		case 't':
			l.noTime = true
		case 'd':
			l.dict = true
		case 'm':
			l.level = true
		case 'c':
			l.caller = true
		}
	}
	if l.wall && l.noTime {
		return nil, command.Usagef("log", "-T and -t exclude each other")
	}
	return func(ctx context.Context, env *command.Env) (command.Result, error) {
		res := l
		return &res, res.fill(ctx, env)
	}, nil
}

// LogResult is the kernel's log, oldest message first.
type LogResult struct {
	command.Partial
	Boot    command.Opt[time.Time] `json:"boot,omitzero"` // with -T: when the log's clock began
	Records []printk.Record        `json:"records"`

	wall, noTime, dict, level, caller bool
}

func (r *LogResult) fill(ctx context.Context, env *command.Env) error {
	log, err := env.Log(ctx)
	if err != nil {
		return err
	}
	r.Records = log.Records
	for _, p := range log.Problems {
		r.Lacks("log", p)
	}
	if r.wall {
		now, err := timer.Now(env.Kernel)
		r.Boot = command.Got(now.Date.Add(-now.Uptime), err)
		r.Lacks("wall-clock time", err)
	}
	return ctx.Err()
}

// WriteText writes a line for each line of the log. Lines of a message behind
// its first are indented to the first one's text.
func (r *LogResult) WriteText(w *render.Writer) error {
	for i := range r.Records {
		rec := &r.Records[i]
		head := r.head(rec)
		for n, line := range rec.Lines() {
			if n == 1 {
				head = strings.Repeat(" ", len(head))
			}
			w.Printf("%s%s\n", head, line) // tabs stay
		}
		if !r.dict {
			continue
		}
		if rec.Subsystem != "" {
			w.Printf("SUBSYSTEM=%s\n", render.Line(rec.Subsystem))
		}
		if rec.Device != "" {
			w.Printf("DEVICE=%s\n", render.Line(rec.Device))
		}
	}
	return w.Err()
}

// head is what stands before a message.
func (r *LogResult) head(rec *printk.Record) string {
	var b strings.Builder
	switch {
	case r.noTime:
	case r.wall && r.Boot.OK():
		fmt.Fprintf(&b, "[%s] ", r.Boot.V.Add(rec.Time).Format(time.UnixDate))
	default:
		fmt.Fprintf(&b, "[%5d.%06d] ", int64(rec.Time/time.Second), rec.Time%time.Second/time.Microsecond)
	}
	if r.caller && rec.Caller.Known {
		fmt.Fprintf(&b, "[%6s] ", rec.Caller)
	}
	if r.level {
		fmt.Fprintf(&b, "<%d>", rec.Level)
	}
	return b.String()
}

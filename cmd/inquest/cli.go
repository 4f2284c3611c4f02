package main

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/kinquest/inquest/command"
	"github.com/kinquest/inquest/command/all"
	"github.com/kinquest/inquest/render"
)

// cli is the command line. The help texts stand in usage, as one screen.
type cli struct {
	Report struct {
		Files []string `arg:"" name:"vmcore"`
		JSON  bool     `name:"json"`
	} `cmd:"" default:"withargs"`
	Run struct {
		Files    []string `arg:"" name:"vmcore"`
		Commands []string `name:"command" short:"c" sep:"none" placeholder:"CMD" required:""`
		JSON     bool     `name:"json"`
	} `cmd:""`
	Help struct {
		Command []string `arg:"" optional:"" name:"cmd"`
	} `cmd:""`
	Version    struct{} `cmd:""`
	Completion struct {
		Shell string `arg:"" enum:"bash,zsh,fish"`
	} `cmd:""`
}

const usage = `inquest finds out why a Linux kernel died, from its memory dump alone.

  inquest VMCORE...                         report on one screen
  inquest run VMCORE... -c CMD [-c CMD]...  run commands, crash's names and options
  inquest help [CMD]                        list the commands, or explain one
  inquest version                           which inquest this is
  inquest completion bash|zsh|fish          print a completion script

A dump split into several files is given as all of them, in any order. No
debuginfo is needed where the dump holds BTF and kallsyms.

  --json    answer as data: one JSON object per line and command

Exit status: 0 complete, 1 a command failed, 2 wrong usage, 3 part of the
answer is missing (stderr says what), 4 no usable dump.
`

// reportVerb is the command that `inquest VMCORE` runs.
const reportVerb = "report"

// front is one run of the program.
type front struct {
	out, err io.Writer
	color    bool // stdout may carry escape sequences
	live     bool // stderr is a terminal that a progress line may be drawn on
}

// main does what args say and gives the exit code.
func (f *front) main(ctx context.Context, args []string) int {
	table, err := command.NewTable(all.Commands())
	if err != nil {
		complain(f.err, err)
		return exitFailed
	}
	if len(args) == 0 {
		f.text(usage)
		return exitUsage
	}
	if args[0] == "-h" || args[0] == "--help" {
		args = []string{"help"}
	}
	if args[0] == "--version" {
		args = []string{"version"}
	}
	var c cli
	verb, err := parseArgs(&c, args)
	if err != nil {
		return f.misused(err)
	}
	switch verb {
	case "report":
		return f.session(ctx, table, c.Report.Files, []string{reportVerb}, c.Report.JSON)
	case "run":
		return f.session(ctx, table, c.Run.Files, c.Run.Commands, c.Run.JSON)
	case "help":
		return f.help(ctx, table, c.Help.Command)
	case "version":
		f.text(version() + "\n")
	case "completion":
		f.text(completion(c.Completion.Shell, table))
	}
	return exitOK
}

// parseArgs fills c and gives the verb.
func parseArgs(c *cli, args []string) (string, error) {
	p, err := kong.New(c, kong.Name("inquest"), kong.NoDefaultHelp())
	if err != nil {
		return "", err
	}
	k, err := p.Parse(args)
	if err != nil {
		return "", err
	}
	verb, _, _ := strings.Cut(k.Command(), " ")
	return verb, nil
}

func (f *front) misused(err error) int {
	complain(f.err, fmt.Errorf("%w; \"inquest help\" shows what can be said", err))
	return exitUsage
}

// help explains the program, or one command.
func (f *front) help(ctx context.Context, table *command.Table, words []string) int {
	c, _ := table.Lookup("help")
	job, err := c.Parse(words)
	if err != nil {
		return f.misused(err)
	}
	res, err := command.Run(ctx, job, &command.Env{})
	if err != nil {
		complain(f.err, err)
		return exitFailed
	}
	if len(words) == 0 {
		f.text(usage + "\nCommands for -c:\n\n")
	}
	w := render.NewWriter(f.out)
	if err := res.WriteText(w); err != nil {
		complain(f.err, err)
		return exitFailed
	}
	return exitOK
}

func (f *front) text(s string) { _, _ = io.WriteString(f.out, s) }

// version is the module's version, with the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "inquest (no build information)"
	}
	rev, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			rev = " " + s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = " (changed)"
		}
	}
	return fmt.Sprintf("inquest %s%s%s, %s", info.Main.Version, rev, dirty, info.GoVersion)
}

// oneLine joins the lines of an error, except the stack of a fault of ours.
func oneLine(s string) string {
	if strings.Contains(s, "goroutine ") {
		return s
	}
	return render.Line(strings.ReplaceAll(strings.TrimSpace(s), "\n", "; "))
}

package command

import (
	"context"
	"strings"

	"github.com/kinquest/inquest/render"
)

// helpCommand explains the commands of its table.
type helpCommand struct{ t *Table }

func (helpCommand) Info() Info {
	return Info{
		Name: "help", Aliases: []string{"man", "?"}, Theme: "session",
		Short: "list the commands, or explain one", Args: "[command]",
		Help: "  command  explain this command; without it, list all",
	}
}

func (h helpCommand) Parse(args []string) (Job, error) {
	if len(args) > 1 {
		return nil, Usagef("help", "takes one command, not %d", len(args))
	}
	res := &HelpResult{Commands: h.t.Infos(), alone: len(args) == 1}
	if res.alone {
		c, ok := h.t.Lookup(args[0])
		if !ok {
			return nil, Usagef("help", "no command %q", args[0])
		}
		res.Commands = []Info{c.Info()}
	}
	return func(context.Context, *Env) (Result, error) { return res, nil }, nil
}

// HelpResult explains commands.
type HelpResult struct {
	Commands []Info `json:"commands"`
	alone    bool   // one command was asked for
}

// WriteText writes the list of commands by theme, or all about one.
func (r *HelpResult) WriteText(w *render.Writer) error {
	if r.alone {
		writeInfo(w, r.Commands[0])
		return w.Err()
	}
	var themes []string
	by := map[string][]Info{}
	for _, i := range r.Commands {
		if by[i.Theme] == nil {
			themes = append(themes, i.Theme)
		}
		by[i.Theme] = append(by[i.Theme], i)
	}
	for n, t := range themes {
		if n > 0 {
			w.Text("\n")
		}
		w.Printf("%s\n", t)
		for _, i := range by[t] {
			w.Printf("  %-9s %s\n", i.Name, i.Short)
		}
	}
	return w.Err()
}

func writeInfo(w *render.Writer, i Info) {
	w.Printf("%s: %s\n\nusage: %s\n", i.Name, i.Short, i.Usage())
	if i.Help != "" {
		w.Printf("\n%s\n", i.Help)
	}
	if len(i.Aliases) > 0 {
		w.Printf("\nalso called: %s\n", strings.Join(i.Aliases, ", "))
	}
}

// Usage is the verb with the synopsis of its arguments.
func (i Info) Usage() string { return strings.TrimSpace(i.Name + " " + i.Args) }

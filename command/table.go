package command

import (
	"fmt"
	"slices"
	"strings"
)

// Table finds commands by name.
type Table struct {
	list  []Command
	names map[string]Command
}

// NewTable makes a Table of cmds and of help, which explains them. Two
// commands of one name are an error.
func NewTable(cmds []Command) (*Table, error) {
	t := &Table{names: map[string]Command{}}
	t.list = append(slices.Clone(cmds), helpCommand{t})
	for _, c := range t.list {
		info := c.Info()
		for _, n := range append([]string{info.Name}, info.Aliases...) {
			if _, taken := t.names[n]; taken {
				return nil, fmt.Errorf("two commands are named %q", n)
			}
			t.names[n] = c
		}
	}
	return t, nil
}

// Lookup finds a command by its name or an alias.
func (t *Table) Lookup(name string) (Command, bool) {
	c, ok := t.names[name]
	return c, ok
}

// Infos gives every command, sorted by name.
func (t *Table) Infos() []Info {
	var out []Info
	for _, c := range t.list {
		out = append(out, c.Info())
	}
	slices.SortFunc(out, func(a, b Info) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Parse parses a whole command line. The error is a *UsageError.
func (t *Table) Parse(line string) (Job, error) {
	words, err := Split(line)
	if err != nil {
		return nil, err
	}
	if len(words) == 0 {
		return nil, Usagef("", "empty command")
	}
	c, ok := t.names[words[0]]
	if !ok {
		return nil, Usagef("", "no command %q; \"inquest help\" lists them", words[0])
	}
	return c.Parse(words[1:])
}

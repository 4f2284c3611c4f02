package all

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kinquest/inquest/command"
)

// TestCommandsDocument keeps docs/commands.md as the commands describe
// themselves; "go test ./command/all -args update" rewrites it.
func TestCommandsDocument(t *testing.T) {
	const path = "../../docs/commands.md"
	tab, err := command.NewTable(Commands())
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("# Commands\n\nWhat `inquest run VMCORE -c CMD` takes, as `inquest help CMD` shows it. Names, options and columns are\n" +
		"those of crash 9 where both have them. This file is written by a test from the commands themselves.\n")
	for _, i := range tab.Infos() {
		fmt.Fprintf(&b, "\n## %s\n%s.\n\n```text\n%s\n", i.Name, strings.ToUpper(i.Short[:1])+i.Short[1:], i.Usage())
		if i.Help != "" {
			fmt.Fprintf(&b, "\n%s\n", i.Help)
		}
		b.WriteString("```\n")
		if len(i.Aliases) > 0 {
			fmt.Fprintf(&b, "\nAlso called %s.\n", strings.Join(i.Aliases, ", "))
		}
	}
	if flag.Arg(0) == "update" {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Errorf("docs/commands.md (-file +commands):\n%s", d)
	}
}

// TestCommandsExplainThemselves holds each to the form that help prints.
func TestCommandsExplainThemselves(t *testing.T) {
	for _, c := range Commands() {
		i := c.Info()
		if i.Short == "" || i.Theme == "" || strings.HasSuffix(i.Short, ".") || strings.HasPrefix(i.Help, "\n") {
			t.Errorf("%s: %+v", i.Name, i)
		}
		for line := range strings.SplitSeq(i.Help, "\n") {
			if line != "" && !strings.HasPrefix(line, "  ") || len(line) > 130 {
				t.Errorf("%s: help line %q", i.Name, line)
			}
		}
	}
}

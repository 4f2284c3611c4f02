// Package clitest checks commands in tests: their parsing, their answers, and
// the text and JSON forms of these against golden files.
package clitest

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kinquest/inquest/command"
	"github.com/kinquest/inquest/kernel"
	"github.com/kinquest/inquest/render"
)

// Parse checks that each line of good parses, and that each line of bad is
// refused with a *command.UsageError of that text.
func Parse(t *testing.T, cmds []command.Command, good []string, bad map[string]string) {
	t.Helper()
	tab, err := command.NewTable(cmds)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range good {
		if job, err := tab.Parse(line); err != nil || job == nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	for line, want := range bad {
		_, err := tab.Parse(line)
		if _, ok := errors.AsType[*command.UsageError](err); !ok || err.Error() != want {
			t.Errorf("%s: error %q, want %q", line, err, want)
		}
	}
}

// Answer runs one command line on a kernel.
func Answer(t *testing.T, cmds []command.Command, k *kernel.Kernel, line string) (command.Result, error) {
	t.Helper()
	tab, err := command.NewTable(cmds)
	if err != nil {
		t.Fatal(err)
	}
	job, err := tab.Parse(line)
	if err != nil {
		t.Fatal(err)
	}
	return job(t.Context(), &command.Env{Kernel: k})
}

// Text is an answer as text, with a line for each problem and for the error.
func Text(t *testing.T, res command.Result, err error) string {
	t.Helper()
	var b bytes.Buffer
	if res != nil {
		if err := res.WriteText(render.NewWriter(&b)); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range command.Problems(res) {
		fmt.Fprintf(&b, "lacks %s\n", p)
	}
	if err != nil {
		fmt.Fprintf(&b, "error: %v\n", err)
	}
	return b.String()
}

// Golden compares a result's text with testdata/name.txt and its JSON with
// testdata/name.json. "go test PACKAGE -args update" rewrites them.
func Golden(t *testing.T, name string, res command.Result) {
	t.Helper()
	var b bytes.Buffer
	if err := res.WriteText(render.NewWriter(&b)); err != nil {
		t.Fatal(err)
	}
	compare(t, name+".txt", b.Bytes())
	js, err := json.MarshalIndent(res, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	compare(t, name+".json", append(js, '\n'))
}

func compare(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if flag.Arg(0) == "update" {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s (-want +got):\n%s", path, d)
	}
}

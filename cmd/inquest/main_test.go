package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/kinquest/inquest/command"
	"github.com/kinquest/inquest/render"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"inquest": func() { os.Exit(run()) }})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// exits CODE ARGS...: inquest with ARGS ends with that status.
			"exits": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) < 1 {
					ts.Fatalf("usage: exits CODE [args...]")
				}
				err := ts.Exec("inquest", args[1:]...)
				code := "0"
				if exit, ok := errors.AsType[interface {
					error
					ExitCode() int
				}](err); ok {
					code = string(rune('0' + exit.ExitCode()))
				} else if err != nil {
					ts.Fatalf("%v", err)
				}
				if code != args[0] {
					ts.Fatalf("exit status %s, not %s", code, args[0])
				}
			},
		},
	})
}

// result is an answer of a test.
type result struct {
	command.Partial
	Text string `json:"text"`
}

func (r *result) WriteText(w *render.Writer) error {
	w.Text(r.Text + "\n")
	return w.Err()
}

func TestAnswersDecideTheExitCode(t *testing.T) {
	whole := &result{Text: "whole"}
	part := &result{Text: "part"}
	part.Lacks("task list", errors.New("page excluded from the dump"))
	tests := []struct {
		name string
		res  []command.Result
		err  error
		json bool
		code int
		out  string
		msg  string
	}{
		{"complete", []command.Result{whole, whole}, nil, false, exitOK, "whole\nwhole\n", ""},
		{"partial", []command.Result{part, whole}, nil, false, exitPartial, "part\nwhole\n",
			"inquest: ps: incomplete: task list: page excluded from the dump\n"},
		{"failed", []command.Result{part}, errors.New("no task 7"), false, exitFailed, "part\n",
			"inquest: ps: incomplete: task list: page excluded from the dump\ninquest: ps: no task 7\n"},
		{"without a result", []command.Result{nil}, context.Canceled, false, exitFailed, "", "inquest: interrupted\n"},
		{"as data", []command.Result{part}, nil, true, exitPartial,
			`{"schema":"inquest","version":1,"dump":{"files":["f"],"format":"kdump"},"command":"ps -k","result":{"text":"part"},` +
				`"problems":[{"what":"task list","why":"page excluded from the dump"}]}` + "\n",
			"inquest: ps: incomplete: task list: page excluded from the dump\n"},
		{"error as data", []command.Result{nil}, errors.New("no task 7"), true, exitFailed,
			`{"schema":"inquest","version":1,"dump":{"files":["f"],"format":"kdump"},"command":"ps -k","result":null,"error":"no task 7"}` + "\n",
			"inquest: ps: no task 7\n"},
	}
	for _, tt := range tests {
		var out, msg bytes.Buffer
		s := &session{front: &front{out: &out, err: &msg}, json: tt.json, env: &command.Env{}, id: &render.DumpID{Files: []string{"f"}, Format: "kdump"}}
		for _, r := range tt.res {
			s.answer("ps -k", r, tt.err)
		}
		if s.code() != tt.code || out.String() != tt.out || msg.String() != tt.msg {
			t.Errorf("%s: code %d\nout %s\nerr %s", tt.name, s.code(), out.String(), msg.String())
		}
	}
}

func TestProgressAppearsAfterHalfASecond(t *testing.T) {
	var out bytes.Buffer
	stop := make(chan struct{})
	go func() {
		time.Sleep(progressAfter + 2*progressEvery)
		close(stop)
	}()
	drawProgress(&out, "opening v\x1bmcore", time.Now(), stop)
	if s := out.String(); !strings.Contains(s, `opening v\x1bmcore`) || !strings.HasSuffix(s, "\r\x1b[K") {
		t.Errorf("%q", s)
	}
	out.Reset()
	short := make(chan struct{})
	close(short)
	drawProgress(&out, "quick", time.Now(), short)
	if out.Len() != 0 {
		t.Errorf("%q", out.String())
	}
}

package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/render"
)

func TestGetopt(t *testing.T) {
	tests := []struct {
		name, spec, args string
		flags            string
		rest             string
		err              string
	}{
		{"nothing", "a", "", "", "", ""},
		{"combined", "kuG", "-kG", "k G", "", ""},
		{"behind operands", "x8", "ffff -x 16 -8", "x 8", "ffff 16", ""},
		{"attached and separate", "c:a", "-c1 -ac 2", "c=1 a c=2", "", ""},
		{"as rd writes sizes", "81:3:6:p", "-p -16 -8 -32 -64", "p 1=6 8 3=2 6=4", "", ""},
		{"end of options", "a", "-a -- -b c", "a", "-b c", ""},
		{"lone dash is an operand", "a", "- -a", "a", "-", ""},
		{"unknown", "a", "-az", "", "", "verb: unknown option -z"},
		{"colon is no option", "a:", "-:", "", "", "verb: unknown option -:"},
		{"argument missing", "c:", "x -c", "", "", "verb: option -c needs an argument"},
	}
	for _, tt := range tests {
		flags, rest, err := Getopt("verb", tt.spec, strings.Fields(tt.args))
		var got []string
		for _, f := range flags {
			s := string(f.Name)
			if f.Arg != "" {
				s += "=" + f.Arg
			}
			got = append(got, s)
		}
		if g := strings.Join(got, " "); g != tt.flags || strings.Join(rest, " ") != tt.rest || text(err) != tt.err {
			t.Errorf("%s: flags %q, rest %q, error %q", tt.name, g, rest, text(err))
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestSplit(t *testing.T) {
	tests := []struct {
		line string
		want []string
		err  bool
	}{
		{"", nil, false},
		{"  ps  -k\t1 ", []string{"ps", "-k", "1"}, false},
		{`sym -q "a b"`, []string{"sym", "-q", "a b"}, false},
		{"ps 'kwor.* x'", []string{"ps", "'kwor.* x'"}, false},
		{"rd (jiffies + (8 * 2)) 4", []string{"rd", "(jiffies + (8 * 2))", "4"}, false},
		{"rd (jiffies", nil, true},
		{`ps "x`, nil, true},
		{"ps )x y", []string{"ps", ")x", "y"}, false},
	}
	for _, tt := range tests {
		got, err := Split(tt.line)
		if d := cmp.Diff(tt.want, got); d != "" || (err != nil) != tt.err {
			t.Errorf("%q: error %v\n%s", tt.line, err, d)
		}
	}
}

func symbols(name string) (uint64, error) {
	if v, ok := map[string]uint64{"jiffies": 0x1000, "fade": 7}[name]; ok {
		return v, nil
	}
	return 0, fmt.Errorf("no symbol %s", name)
}

func TestExpr(t *testing.T) {
	tests := []struct {
		src  string
		hex  bool
		want uint64
		err  string
	}{
		{"10", false, 10, ""},
		{"10", true, 16, ""},
		{"0x10", false, 16, ""},
		{"1f", false, 31, ""},
		{"jiffies", true, 0x1000, ""},
		{"dead", true, 0xdead, ""},
		{"fade", true, 7, ""},
		{"jiffies+8", true, 0x1008, ""},
		{"(jiffies + 2*(3-1)) >> 1", true, 0x802, ""},
		{"-1", false, 1<<64 - 1, ""},
		{"~0 & 0xff", false, 0xff, ""},
		{"1|2^3&4", false, 1 | 2 ^ 3&4, ""},
		{"7%4+8/3", false, 5, ""},
		{"1<<65", false, 0, ""},
		{"1/0", false, 0, "1/0: division by zero"},
		{"nope", false, 0, "no symbol nope"},
		{"", false, 0, `expression "": a value is missing`},
		{"(1", false, 0, `expression "(1": a parenthesis is not closed`},
		{"1)", false, 0, `expression "1)": unexpected ")"`},
		{"1 @", false, 0, `expression "1 @": unexpected "@"`},
		{"0xfffffffffffffffff", false, 0, `expression "0xfffffffffffffffff": "0xfffffffffffffffff" is no number of 64 bits`},
		{strings.Repeat("(", maxExpr+1), false, 0, "expression is longer than 4096 bytes"},
	}
	for _, tt := range tests {
		e, err := ParseExpr(tt.src, tt.hex)
		var v uint64
		if err == nil {
			v, err = e.Eval(symbols)
		}
		if v != tt.want || text(err) != tt.err {
			t.Errorf("%.20q: %#x, error %q", tt.src, v, text(err))
		}
	}
}

func FuzzParseExpr(f *testing.F) {
	for _, s := range []string{"1", "(a+b)*-c", "~~~0x1", "1<<2>>3", "((((", "a b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := ParseExpr(s, true)
		if err != nil {
			if e.Source != "" {
				t.Fatalf("expression %v and error %v", e, err)
			}
			return
		}
		_, _ = e.Eval(symbols)
	})
}

func TestCPUs(t *testing.T) {
	c, err := ParseCPUs("bt", "1,3-5")
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for i := range 8 {
		if c.Has(i) {
			got = append(got, i)
		}
	}
	if d := cmp.Diff([]int{1, 3, 4, 5}, got); d != "" {
		t.Error(d)
	}
	if c, err := ParseCPUs("bt", "all"); err != nil || !c.Has(4095) {
		t.Errorf("all: %v", err)
	}
	for _, bad := range []string{"", "x", "3-1", "1,", "-1", "99999"} {
		if _, err := ParseCPUs("bt", bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestTaskSel(t *testing.T) {
	const task = mem.Virt(0xffff888003a4a800)
	tests := []struct {
		word string
		want bool
	}{
		{"17", true}, {"0x11", true}, {"18", false}, {"ffff888003a4a800", true}, {"0xffff888003a4a800", true},
		{"ffff888003a4a808", false}, {"bash", true}, {"bas", false}, {"'^ba'", true}, {"'^sh'", false},
		{`\17`, false}, {`\bash`, true}, {"cafe", false},
	}
	for _, tt := range tests {
		s, err := ParseTaskSel("ps", tt.word)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Match(17, task, "bash"); got != tt.want {
			t.Errorf("%s: %v", tt.word, got)
		}
	}
	var usage *UsageError
	if _, err := ParseTaskSels("ps", []string{"1", "'('"}); !errors.As(err, &usage) {
		t.Errorf("bad expression: %v", err)
	}
}

func TestOptNeverShowsAZeroForNothing(t *testing.T) {
	fault := mem.Fault(mem.Virt(0xffff8880000000), mem.ErrExcluded)
	row := struct {
		A Opt[int] `json:"a"`
		B Opt[int] `json:"b"`
		C Opt[int] `json:"c,omitzero"`
		D Opt[int] `json:"d"`
	}{A: Some(0), B: Got(0, error(fault)), D: Got(5, mem.ErrNotStored)}
	b, err := json.Marshal(row)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"a":0,"b":{"absent":"excluded (virt 0xffff8880000000)"},"d":{"absent":"not stored"}}`
	if string(b) != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
	if got := row.B.Text("%d") + row.B.Or("%d", "?") + row.A.Text("%3d"); got != "(excluded (virt 0xffff8880000000))?  0" {
		t.Errorf("text %q", got)
	}
}

type echo struct {
	Partial
	Words []string
}

func (e *echo) WriteText(w *render.Writer) error {
	w.Printf("%s\n", strings.Join(e.Words, " "))
	return w.Err()
}

type echoCommand struct{}

func (echoCommand) Info() Info {
	return Info{Name: "echo", Aliases: []string{"say"}, Theme: "noise", Short: "say it again", Args: "[word] ..."}
}

func (echoCommand) Parse(args []string) (Job, error) {
	return func(context.Context, *Env) (Result, error) {
		if len(args) == 0 {
			panic("nothing to say")
		}
		r := &echo{Words: args}
		r.Lacks("volume", mem.ErrTruncated)
		return r, nil
	}, nil
}

func TestTableRunsCommands(t *testing.T) {
	tab, err := NewTable([]Command{echoCommand{}})
	if err != nil {
		t.Fatal(err)
	}
	job, err := tab.Parse(`say "hello there" you`)
	if err != nil {
		t.Fatal(err)
	}
	res, err := Run(t.Context(), job, &Env{})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := res.WriteText(render.NewWriter(&b)); err != nil || b.String() != "hello there you\n" {
		t.Errorf("%q, %v", b.String(), err)
	}
	if d := cmp.Diff([]render.Problem{{What: "volume", Why: "truncated"}}, Problems(res)); d != "" {
		t.Error(d)
	}
	if j, _ := json.Marshal(res); string(j) != `{"Words":["hello there","you"]}` {
		t.Errorf("JSON %s", j)
	}
	for _, line := range []string{"", "shout x", `say "x`} {
		var usage *UsageError
		if _, err := tab.Parse(line); !errors.As(err, &usage) {
			t.Errorf("%q: %v", line, err)
		}
	}
	if _, err := NewTable([]Command{echoCommand{}, echoCommand{}}); err == nil {
		t.Error("two commands of one name were accepted")
	}
}

func TestHelp(t *testing.T) {
	tab, err := NewTable([]Command{echoCommand{}})
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"help echo": "echo: say it again\n\nusage: echo [word] ...\n\nalso called: say\n",
		"help":      "noise\n  echo      say it again\n\nsession\n  help      list the commands, or explain one\n",
	} {
		job, err := tab.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		res, err := job(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := res.WriteText(render.NewWriter(&b)); err != nil || b.String() != want {
			t.Errorf("%s: %v\n%s", line, err, b.String())
		}
	}
	for _, line := range []string{"help nothing", "help a b"} {
		if _, err := tab.Parse(line); err == nil {
			t.Errorf("%q was accepted", line)
		}
	}
}

func TestPanicIsReportedWithItsStack(t *testing.T) {
	job, _ := echoCommand{}.Parse(nil)
	res, err := Run(t.Context(), job, &Env{})
	var p *PanicError
	if res != nil || !errors.As(err, &p) || !strings.Contains(err.Error(), "nothing to say") || !strings.Contains(string(p.Stack), "command_test.go") {
		t.Errorf("result %v, error %v", res, err)
	}
}

func TestProblemsAreBounded(t *testing.T) {
	var p Partial
	p.Lacks("nothing", nil)
	for range 10 * maxProblems {
		p.Lacks("row", mem.ErrExcluded)
	}
	if n := len(p.Problems()); n != maxProblems+1 || p.Problems()[maxProblems].What != "more" {
		t.Errorf("%d problems", n)
	}
}

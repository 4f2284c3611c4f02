package bench

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/kinquest/inquest/lab"
)

func TestMeasure(t *testing.T) {
	calls := 0
	fake := func(name string, took ...time.Duration) Tool {
		n := 0
		return Tool{name, func(context.Context, lab.Dump) (lab.Run, error) {
			calls++
			n++
			return lab.Run{Elapsed: took[n-1], MaxRSS: int64(n) << 20}, nil
		}}
	}
	failing := Tool{"drgn", func(context.Context, lab.Dump) (lab.Run, error) { return lab.Run{}, errors.New("no\nluck") }}
	jobs := []Job{
		{"stacks", "a/elf", []Tool{
			fake("inquest", time.Hour, 3*time.Second, 1*time.Second, 2*time.Second), // the first fills the cache
			fake("crash", time.Hour, 8*time.Second, 8*time.Second, 9*time.Second),
			failing,
		}},
		{"stacks", "gone/elf", nil},
	}
	rows := Measure(context.Background(), jobs, []lab.Dump{{Name: "a/elf"}}, 3, io.Discard)
	if len(rows) != 4 || calls != 8 {
		t.Fatalf("%d rows after %d calls", len(rows), calls)
	}
	var b strings.Builder
	if err := WriteMarkdown(&b, rows); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| stacks | a/elf | inquest | 1.000 s | 2.000 s | 1.0 | 4 MiB |",
		"| stacks | a/elf | crash | 8.000 s | 8.000 s | 4.0 | 4 MiB |",
		"| drgn | no luck |", "the lab has no dump gone/elf",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
}

package types

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/kinquest/inquest/command"
	"github.com/kinquest/inquest/internal/clitest"
	"github.com/kinquest/inquest/internal/kerneltest"
	"github.com/kinquest/inquest/mem"
)

func TestParse(t *testing.T) {
	clitest.Parse(t, Commands(), []string{
		"sym jiffies", "sym -l", "sym -M", "sym -m ext4", "sym -q panic", "sym -np panic", "sym ffffffff81000000 panic+0x10", "sym (panic + 8)",
		"struct list_head", "struct list_head -o", "struct -ox list_head", "struct task_struct.comm,pid ffff888003a4a800", "struct page ffffea0000000000 4",
		"struct page -c -4 ffffea0000000000", "struct dentry -l dentry.d_child 0xe813cb4", "struct rq.nr_running runqueues:0,2", "struct rq runqueues:",
		"struct rq runqueues:a -d", "union thread_union -x", "struct list_head -r init_task", "struct timespec -u 7ffe0000",
	}, map[string]string{
		"sym":                        "sym: takes a symbol or address, or one of -l, -M, -m and -q",
		"sym -l panic":               "sym: takes a symbol or address, or one of -l, -M, -m and -q",
		"sym -l -M":                  "sym: -l and -M exclude each other",
		"sym -m":                     "sym: option -m needs an argument",
		"sym (1":                     `parentheses do not match in "sym (1"`,
		"struct":                     "struct: takes a name, an address and a count",
		"struct a b 1 2":             "struct: takes a name, an address and a count",
		"struct a -c 0 init_task":    `struct: "0" is no count of 1 to 65536`,
		"struct a init_task 9999999": `struct: "9999999" is no count of 1 to 65536`,
		"struct a -r":                "struct: -r, -u, -l and -c need an address",
		"union a init_task:x":        `union: "x" is no list of CPUs; write 1,3,5-7 or all`,
	})
}

const timerTypes = `
list_head 16
  0 ptr next
  8 ptr prev
timer 40
  0 list_head entry
  16 u64 expires
  24 char[8] name
  32 s32 pid
`

const timerAt = kerneltest.Base + 0x1fe8 // its last members lie on the next page

func timers(t *testing.T) *kerneltest.Builder {
	b := kerneltest.New(t, 2)
	b.Types(timerTypes)
	b.Sym("first_timer", timerAt)
	b.Sym("cpu_timer", 0x80)
	b.Sym("feed", kerneltest.Base+0x5000)
	b.Sym("dinner", kerneltest.Base+0x5100)
	b.Put(timerAt, "timer.entry.next", uint64(kerneltest.Base+0x5010))
	b.Put(timerAt, "timer.expires", 10)
	b.Bytes(timerAt+24, []byte("a\"b"))
	b.Put(timerAt, "timer.pid", 1<<32-5)
	b.Put(timerAt+40, "timer.pid", 77)
	b.Put(kerneltest.PerCPU(1)+0x80, "timer.expires", 11)
	return b
}

func answer(t *testing.T, b *kerneltest.Builder, line string) (command.Result, error) {
	t.Helper()
	return clitest.Answer(t, Commands(), b.Kernel(), line)
}

func TestStruct(t *testing.T) {
	for name, line := range map[string]string{
		"layout":      "struct timer",
		"layout-o":    "struct timer -o",
		"layout-x":    "struct timer -ox",
		"layout-addr": "struct timer -o first_timer",
		"layout-some": "struct timer.pid,entry.prev",
		"value":       "struct timer first_timer",
		"value-x":     "struct timer first_timer 2 -x",
		"members":     "struct timer.pid,entry first_timer -c -1",
		"embedded":    "struct timer.expires -l timer.name first_timer+18",
		"per-cpu":     "struct timer.expires cpu_timer:a",
		"raw":         "struct timer -r first_timer",
	} {
		res, err := answer(t, timers(t), line)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		clitest.Golden(t, name, res)
	}
}

func TestStructErrors(t *testing.T) {
	for line, want := range map[string]string{
		"struct nosuch":            "no struct, union or typedef nosuch: not found",
		"struct timer.nosuch":      "struct timer: no nosuch",
		"struct timer nosuch":      "no such symbol: nosuch",
		"struct timer 1000":        "timer: read virt 0x1000: ",
		"struct timer cpu_timer:9": "none of these CPUs exists",
		"struct timer -l x.y 1000": "no struct, union or typedef x: not found",
	} {
		if _, err := answer(t, timers(t), line); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestLostBytesAreNotZero(t *testing.T) {
	b := timers(t)
	b.Lose(kerneltest.Base+0x2000, mem.ErrExcluded)
	res, err := answer(t, b, "struct timer first_timer")
	if err != nil || len(command.Problems(res)) != 1 {
		t.Fatalf("%v, %v", err, command.Problems(res))
	}
	clitest.Golden(t, "lost", res)
	if res, err = answer(t, b, "struct timer.entry first_timer"); err != nil || len(command.Problems(res)) != 0 {
		t.Errorf("the part that is there: %v, %v", err, command.Problems(res))
	}
	b.Lose(kerneltest.Base+0x1000, mem.ErrExcluded)
	if _, err = answer(t, b, "struct timer first_timer"); !errors.Is(err, mem.ErrExcluded) {
		t.Errorf("all lost: %v", err)
	}
}

func TestSymbolText(t *testing.T) {
	res := &SymResult{Symbols: []SymbolRow{
		{Addr: 0xffffffff810a1234, Type: "T", Name: "panic", Offset: 0, Size: 700},
		{Addr: 0xffffffffc0020123, Type: "t", Name: "boom_write", Offset: 35, Size: 64, Module: "boom"},
	}}
	clitest.Golden(t, "sym", res)
	res.Module = &ModuleSpan{Name: "boom", Start: 0xffffffffc0020000, End: 0xffffffffc0024000}
	clitest.Golden(t, "sym-m", res)
}

func TestSymLookup(t *testing.T) {
	b := timers(t)
	for line, want := range map[string]string{
		"sym feed":                `[{"addr":"0xffffffff81005000","type":"D","name":"feed","offset":0,"size":256}]`,
		"sym feed+16":             `[{"addr":"0xffffffff81005016","type":"D","name":"feed","offset":22,"size":256}]`,
		"sym -q _timer":           `[{"addr":"0x80","type":"D","name":"cpu_timer","offset":0,"size":0},{"addr":"0xffffffff81001fe8","type":"D","name":"first_timer","offset":0,"size":12312}]`,
		"sym -M":                  `[]`,
		"sym -p ffffffff81005104": `[{"addr":"0xffffffff81005000","type":"D","name":"feed","offset":0,"size":256},{"addr":"0xffffffff81005104","type":"D","name":"dinner","offset":4,"size":1023744}]`,
	} {
		res, err := answer(t, b, line)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if got, _ := json.Marshal(res.(*SymResult).Symbols); string(got) != want {
			t.Errorf("%s:\ngot  %s\nwant %s", line, got, want)
		}
	}
	for _, line := range []string{"sym nosuch", "sym 1000", "sym -m nosuch"} {
		if _, err := answer(t, b, line); err == nil {
			t.Errorf("%s: no error", line)
		}
	}
}

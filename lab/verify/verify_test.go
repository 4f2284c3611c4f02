package verify

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/kinquest/inquest/mem"
)

func TestOutputsOfPeers(t *testing.T) {
	crash := crashStacks(`PID: 1        TASK: ff318096811fc200  CPU: 1    COMMAND: "init"
 #0 [ff55] __schedule at ffffffffad0b1c5d
 #1 [ff56] schedule at ffffffffad0b1fea
    RIP: 00000000004b6d07  RSP: 00007ffdae03ff58  RFLAGS: 00000202

PID: 2        TASK: ff318096811f8000  CPU: 1    COMMAND: "kthreadd"
 #0 [ff57] __schedule at ffffffffad0b1c5d
#10 [ff58] ret_from_fork at ffffffffac2024d2 [loop]
`)
	drgn := drgnOutput("task ff318096811fc200 ffffffffad0b1c5d ffffffffad0b1fea 4b6d07\ntask ff318096811f8000\nwarning: x\n")
	want := []mem.Virt{0xffffffffad0b1c5d, 0xffffffffad0b1fea}
	if got := crash[0xff318096811fc200]; !slices.Equal(got, want) {
		t.Errorf("crash: %s", hex(got))
	}
	if got := drgn[0xff318096811fc200]; !slices.Equal(got, want) {
		t.Errorf("drgn: %s", hex(got))
	}
	if got := crash[0xff318096811f8000]; len(got) != 2 || len(drgn) != 1 {
		t.Errorf("%s %v", hex(got), drgn)
	}
}

func TestTable(t *testing.T) {
	good := Result{Dump: "6.1-sysrq/elf", Scores: map[Column]*Score{}}
	bad := Result{Dump: "6.1-null/elf", Scores: map[Column]*Score{}}
	for _, c := range Columns {
		good.Scores[c], bad.Scores[c] = &Score{}, &Score{}
		good.Scores[c].check(true, "")
		bad.Scores[c].check(c != Tasks, "task %d\nis not", 7)
	}
	good.Scores[Guest].check(false, "moved on")
	lost := Result{Dump: "lost", Err: errors.New("file not found")}
	var b bytes.Buffer
	if err := WriteTable(&b, []Result{good, bad, lost}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"6.1-null/elf", " 0/1", "    tasks: task 7\n        is not", "lost          file not found", "1 of 3 dumps"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "moved on") || bad.Passed() || lost.Passed() || !good.Passed() {
		t.Errorf("passed: %v %v %v\n%s", good.Passed(), bad.Passed(), lost.Passed(), b.String())
	}
}

func TestPatchedFile(t *testing.T) {
	p := patched{bytes.NewReader([]byte("0123456789")), 4, []byte("ab")}
	for _, tt := range []struct {
		off, n int
		want   string
	}{{0, 10, "0123ab6789"}, {5, 2, "b6"}, {0, 4, "0123"}, {3, 2, "3a"}, {6, 4, "6789"}} {
		b := make([]byte, tt.n)
		if _, err := p.ReadAt(b, int64(tt.off)); err != nil || string(b) != tt.want {
			t.Errorf("%d bytes at %d: %q, %v", tt.n, tt.off, b, err)
		}
	}
}

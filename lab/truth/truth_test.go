package truth

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseStat(t *testing.T) {
	tail := " S 1 1 1 0 -1 4194560 57 0 0 0 0 2 0 0 20 0 1 0 1234 2588672 50\n"
	got, err := ParseStat("163 163 (lab (odd) S 1)" + tail + "164 165 ()" + tail)
	if err != nil {
		t.Fatal(err)
	}
	want := []Thread{
		{PID: 163, TGID: 163, PPID: 1, State: "S", Comm: "lab (odd) S 1", Start: 12340 * time.Millisecond},
		{PID: 165, TGID: 164, PPID: 1, State: "S", Start: 12340 * time.Millisecond},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for _, bad := range []string{"1 1 init S\n", "1 (init) S\n", "1 1 (init) S 0\n"} {
		if _, err := ParseStat(bad); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
}

func TestParseModules(t *testing.T) {
	got, err := ParseModules("ext4 991232 1 - Live 0xffffffffc060d000\nloop 32768 2 a,b, Live 0xffffffffc05d0000 (OE)\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []Module{{"ext4", 991232, 0xffffffffc060d000}, {"loop", 32768, 0xffffffffc05d0000}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for _, bad := range []string{"ext4 1\n", "ext4 x 1 - Live 0x1\n", "ext4 1 1 - Live zz\n"} {
		if _, err := ParseModules(bad); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
}

const snapshot = `time 1795468506.028666421
uptime 11.443155590
avenrun 818 160 71
cpu 1
pid 171
threads
1 1 0 S 20000000 0 init
164 163 1 t 5000000000 0 a b 
12 12 2 I 30000000 1 kworker/0:0
`

func TestRead(t *testing.T) {
	dir := t.TempDir()
	disk := map[string]string{
		"/proc/modules":              "loop 32768 2 - Live 0xffffffffc05d0000\n",
		"/proc/sys/kernel/osrelease": "6.1.0-50-amd64\n",
		"/proc/version":              "Linux version 6.1\n",
		"/proc/cmdline":              "quiet\n",
		"stacks":                     "task 9\ntask 12\n[<0>] worker_thread+0xa/0x14\n",
	}
	var b strings.Builder
	for name, text := range disk {
		b.WriteString(name + " ")
		b.WriteString(strconv.Itoa(len(text)) + "\n" + text)
	}
	b.WriteString("end 0\n\x00\x00")
	if err := Unpack(strings.NewReader(b.String()), dir); err != nil {
		t.Fatal(err)
	}
	channel := "=== ready\r\n=== begin stat\n1 1 (init) R 0 1 1 0 -1 4194560 57 0 0 0 0 2 0 0 20 0 1 0 2 2588672 50\n=== end stat\n" +
		"=== begin snapshot asked\n" + strings.Replace(snapshot, "11.", "10.", 1) + "=== end snapshot\n" +
		"=== begin snapshot panic\n" + snapshot + "=== end snapshot\n"
	if err := os.WriteFile(filepath.Join(dir, ChannelFile), []byte(channel), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Exact || got.Release != "6.1.0-50-amd64" || len(got.Proc) != 1 || len(got.Modules) != 1 {
		t.Errorf("got %+v", got)
	}
	want := Snapshot{
		When: "panic", Time: time.Unix(1795468506, 28666421).UTC(), Uptime: 11443155590, CPU: 1, PID: 171,
		Avenrun: [3]uint64{818, 160, 71},
		Threads: []Thread{
			{PID: 1, TGID: 1, State: "S", Comm: "init", Start: 20 * time.Millisecond},
			{PID: 164, TGID: 163, PPID: 1, State: "t", Comm: "a b ", Start: 5 * time.Second},
			{PID: 12, TGID: 12, PPID: 2, State: "I", Comm: "kworker/0:0", Start: 30 * time.Millisecond, Kernel: true},
		},
	}
	if d := cmp.Diff(want, got.Snapshot); d != "" {
		t.Error(d)
	}
	if load := got.Snapshot.Load(); load != [3]string{"0.40", "0.08", "0.03"} {
		t.Errorf("load %v", load)
	}
	stacks := map[int][]Frame{12: {{Func: "worker_thread", Off: 0xa, Size: 0x14}}}
	if d := cmp.Diff(stacks, got.Stacks); d != "" {
		t.Error(d)
	}
}

func TestChannelCutShort(t *testing.T) {
	for _, text := range []string{"", "=== begin snapshot", "=== begin snapshot asked\ntime 1", "=== begin stat\n=== end stat\n"} {
		if err := new(Truth).readChannel(text); err == nil {
			t.Errorf("no error for %q", text)
		}
	}
}

func TestUnpackRefuses(t *testing.T) {
	for _, text := range []string{"", "stat 5\nab", "stat -1\n", "stat 99999999999\n"} {
		if err := Unpack(strings.NewReader(text), t.TempDir()); err == nil {
			t.Errorf("no error for %q", text)
		}
	}
}

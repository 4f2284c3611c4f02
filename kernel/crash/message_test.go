package crash

import (
	"testing"
	"time"

	"github.com/kinquest/inquest/kernel/printk"
)

// records makes a log of lines one second apart.
func records(lines ...string) (out []printk.Record) {
	for i, l := range lines {
		out = append(out, printk.Record{Seq: uint64(i), Time: time.Duration(i) * time.Second, Text: l})
	}
	return out
}

func TestFindMessage(t *testing.T) {
	const nullPtr = "BUG: kernel NULL pointer dereference, address: 0000000000000008"
	tests := []struct {
		name    string
		log     []printk.Record
		message string
		panic   string
	}{
		{"empty log", nil, "", ""},
		{"nothing happened", records("Linux version 6.1", "EXT4-fs mounted"), "", ""},
		{"oops, then the panic that it led to",
			records("x", nullPtr, "#PF: supervisor write access in kernel mode", "Oops: 0002 [#1] PREEMPT SMP", "Kernel panic - not syncing: Fatal exception"),
			nullPtr, "Kernel panic - not syncing: Fatal exception"},
		{"a panic that says its own reason", records("WARNING: CPU: 0 PID: 1", "Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: f+0x1/0x2 [m]"),
			"Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: f+0x1/0x2 [m]",
			"Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: f+0x1/0x2 [m]"},
		{"an oops that was survived long before", records(nullPtr, "---[ end trace 0 ]---", "x", "general protection fault, probably for non-canonical address", "Kernel panic - not syncing: Fatal exception in interrupt"),
			"general protection fault, probably for non-canonical address", "Kernel panic - not syncing: Fatal exception in interrupt"},
		{"chained: a warning makes the panic", records("WARNING: CPU: 1 PID: 9 at lib/refcount.c:28", "Kernel panic - not syncing: kernel: panic_on_warn set ..."),
			"WARNING: CPU: 1 PID: 9 at lib/refcount.c:28", "Kernel panic - not syncing: kernel: panic_on_warn set ..."},
		{"oops without panic line (kdump took over)", records("x", nullPtr, "Oops: 0002 [#1] SMP"), nullPtr, ""},
		{"several lines in one record", records("x\nkernel BUG at fs/buffer.c:1270!\ny"), "kernel BUG at fs/buffer.c:1270!", ""},
		{"a generic panic with no event before it", records("x", "Kernel panic - not syncing: Fatal exception"),
			"Kernel panic - not syncing: Fatal exception", "Kernel panic - not syncing: Fatal exception"},
		{"a panic that quotes another panic's words in user text", records("cat: Kernel panic - not syncing: no"), "", ""},
	}
	text := func(m *Message) string {
		if m == nil {
			return ""
		}
		return m.Text
	}
	for _, tt := range tests {
		m, p := FindMessage(tt.log)
		if text(m) != tt.message || text(p) != tt.panic {
			t.Errorf("%s: %q, %q", tt.name, text(m), text(p))
		}
	}
}

func TestEventLongBeforeThePanicIsNotItsCause(t *testing.T) {
	log := records("general protection fault: 0000", "Kernel panic - not syncing: Fatal exception")
	log[1].Time = time.Hour
	if m, _ := FindMessage(log); m.Text != log[1].Text {
		t.Errorf("message is %q", m.Text)
	}
}

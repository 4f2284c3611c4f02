package truth

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const sysrqLog = `[    6.10] sysrq: Trigger a crash
[    6.20] Kernel panic - not syncing: sysrq triggered crash
[    6.21][  T171] CPU: 1 PID: 171 Comm: lab (odd) S 1 Tainted: G           OE      6.1.0-50-amd64 #1
[    6.22] Hardware name: QEMU
[    6.23] Call Trace:
[    6.24]  <TASK>
[    6.25]  dump_stack_lvl+0x44/0x5c
[    6.26]  panic+0x118/0x2f4
[    6.27]  ? _printk+0x6c/0x87
[    6.28]  __handle_sysrq.cold+0x44/0x11c
[    6.29]  control_write+0x1/0x20 [inquest_lab]
[    6.30]  entry_SYSCALL_64_after_hwframe+0x6e/0xd8
[    6.31] RIP: 0033:0x47b7a0
[    6.32] Code: 00
[    6.33]  </TASK>
[    6.34] ---[ end Kernel panic - not syncing: sysrq triggered crash ]---
`

const oopsLog = `[    1.0] WARNING: CPU: 0 PID: 1 at kernel/x.c:1 early+0x1/0x2
[    1.1] CPU: 0 UID: 0 PID: 1 Comm: init Not tainted 6.12 #1
[    1.2] RIP: 0010:early+0x1/0x2
[    1.3] Call Trace:
[    1.4]  caller+0x3/0x4
[    1.5] ---[ end trace 0 ]---
[    2.0] BUG: kernel NULL pointer dereference, address: 0000000000000010
[    2.1] CPU: 0 UID: 0 PID: 7 Comm: labguest Tainted: G           OE      6.12 #1
[    2.2] RIP: 0010:null_inner+0x5/0x10 [inquest_lab]
[    2.3] Code: 0f 1f
[    2.4] RSP: 0018:ffffb EFLAGS: 00010246
[    2.5] Call Trace:
[    2.6]  <IRQ>
[    2.7]  sysvec_apic_timer_interrupt+0x1/0x2
[    2.8]  </IRQ>
[    2.9]  <TASK>
[    3.0] RIP: 0010:memcpy+0x1/0x9
[    3.1] RAX: 0000000000000000 RBX: 0000000000000000
[    3.2]  null_outer+0x9/0x20 [inquest_lab]
[    3.3]  </TASK>
[    3.4] Modules linked in: inquest_lab(OE)
[    3.5] RIP: 0010:null_inner+0x5/0x10 [inquest_lab]
[    3.6] Kernel panic - not syncing: Fatal exception
`

func TestParseConsole(t *testing.T) {
	const own = "inquest_lab"
	nullInner := &Frame{Func: "null_inner", Off: 5, Size: 0x10, Module: own, Regs: true}
	tests := []struct {
		name, log, panic string
		want             Trace
	}{
		{"sysrq", sysrqLog, "sysrq triggered crash", Trace{CPU: 1, PID: 171, Comm: "lab (odd) S 1", Guessed: 1, Frames: []Frame{
			{Func: "dump_stack_lvl", Off: 0x44, Size: 0x5c},
			{Func: "panic", Off: 0x118, Size: 0x2f4},
			{Func: "__handle_sysrq.cold", Off: 0x44, Size: 0x11c},
			{Func: "control_write", Off: 1, Size: 0x20, Module: own},
			{Func: "entry_SYSCALL_64_after_hwframe", Off: 0x6e, Size: 0xd8},
		}}},
		{"oops", oopsLog, "Fatal exception", Trace{PID: 7, Comm: "labguest", RIP: nullInner, Frames: []Frame{
			{Func: "sysvec_apic_timer_interrupt", Off: 1, Size: 2},
			{Func: "memcpy", Off: 1, Size: 9, Regs: true},
			{Func: "null_outer", Off: 9, Size: 0x20, Module: own},
		}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := ParseConsole(strings.ReplaceAll(tt.log, "\n", "\r\n"))
			if c.Panic != tt.panic {
				t.Errorf("panic %q, want %q", c.Panic, tt.panic)
			}
			got, ok := c.PanicTrace()
			if !ok {
				t.Fatal("no panic trace")
			}
			if d := cmp.Diff(tt.want, got, cmpopts.IgnoreUnexported(Trace{})); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestParseConsoleWithoutPanic(t *testing.T) {
	before, _, _ := strings.Cut(oopsLog, "[    3.6]")
	if tr, ok := ParseConsole(before).PanicTrace(); ok {
		t.Errorf("a panic trace %v of a kernel that did not panic", tr)
	}
}

func TestFrameString(t *testing.T) {
	for _, s := range []string{"panic+0x118/0x2f4", "null_outer+0x9/0x20 [inquest_lab]"} {
		f, ok := parseFrame(s)
		if !ok || f.String() != s {
			t.Errorf("%q reads as %v, %v", s, f, ok)
		}
	}
}

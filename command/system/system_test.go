package system

import (
	"testing"
	"time"

	"github.com/kinquest/inquest/command"
	"github.com/kinquest/inquest/internal/clitest"
	"github.com/kinquest/inquest/internal/kerneltest"
	"github.com/kinquest/inquest/kernel"
	"github.com/kinquest/inquest/kernel/printk"
	"github.com/kinquest/inquest/kernel/sched"
	"github.com/kinquest/inquest/mem"
)

func TestParse(t *testing.T) {
	clitest.Parse(t, Commands(), []string{
		"sys", "sys -t", "sys -v", "log", "dmesg -T", "log -tdm", "log -c", "mod", "lsmod -t",
	}, map[string]string{
		"sys -t -v":   "sys: takes one option at most",
		"sys config":  "sys: takes one option at most",
		"log -T -t":   "log: -T and -t exclude each other",
		"log message": `log: takes no "message"`,
		"mod ext4":    `mod: takes no "ext4"`,
		"mod -x":      "mod: unknown option -x",
	})
}

func TestSysText(t *testing.T) {
	res := &SysResult{
		Dump:   DumpFacts{Files: []string{"vmcore"}, Format: "kdump", Size: 37850810, DumpLevel: 31},
		CPUs:   CPUFacts{Present: command.Some(2), Online: command.Some(1), Stopped: []int{0}},
		Date:   command.Some(time.Date(2017, 4, 9, 4, 18, 10, 0, time.UTC)),
		Uptime: command.Some(17*time.Hour + 13*time.Minute + 25*time.Second),
		Load:   command.Some(sched.Load{2, 2.1, 2.48}),
		Tasks:  command.Some(155),
		UTS: command.Some(kernel.UTS{Sysname: "Linux", Nodename: "kamiconf4", Release: "2.6.32-279.el6.x86_64",
			Version: "#1 SMP Fri Jun 22 12:19:21 UTC 2012", Machine: "x86_64"}),
		KHz: command.Some[uint32](2194500), Memory: command.Some[uint64](2 << 30), Taint: command.Some[uint64](1),
		Panic:   command.Some("Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: ffffffffa016087c"),
		Current: command.Some(CurrentTask{PID: 10522, Comm: "AliHids", Task: 0xffff88007c002080, Info: 0xffff88000c8f8000, State: "TASK_RUNNING", Suffix: "PANIC"}),
	}
	clitest.Golden(t, "sys", res)
	lost := error(mem.Fault(mem.Virt(0xffffffff82000000), mem.ErrExcluded))
	bare := &SysResult{
		Dump: DumpFacts{Files: []string{"a", "b"}, Truncated: true},
		CPUs: CPUFacts{Present: command.Got(0, lost), Online: command.Got(0, lost)},
		Date: command.Got(time.Time{}, lost), Uptime: command.Got(time.Duration(0), lost), Load: command.Got(sched.Load{}, lost),
		Tasks: command.Got(0, lost), UTS: command.Got(kernel.UTS{}, lost), Memory: command.Got(uint64(0), lost),
		Panic: command.Got("", lost), Current: command.Got(CurrentTask{}, lost),
	}
	clitest.Golden(t, "sys-lost", bare)
}

func TestRAMSize(t *testing.T) {
	for n, want := range map[uint64]string{536281088: "511.4 MB", 512 << 20: "512 MB", 4 << 30: "4 GB", 4<<30 + 512<<20: "4.5 GB"} {
		if got := RAMSize(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}

func TestTrailText(t *testing.T) {
	clitest.Golden(t, "sys-v", &TrailResult{Evidence: []kernel.Evidence{
		{Stage: "VMCOREINFO", Found: "release 6.1.0, 109 entries", From: "note of the dump"},
		{Stage: "types", Err: "no symbol __start_BTF"},
		{Stage: "page tables", Found: "5 levels"},
	}})
}

func TestLogText(t *testing.T) {
	records := []printk.Record{
		{Time: 467730 * time.Microsecond, Level: 6, Text: "pci 0000:ff:02.0: type 00", Subsystem: "pci", Device: "+pci:0000:ff:02.0"},
		{Time: 6372572 * time.Microsecond, Level: 0, Text: "first\nsecond \x1b[2J", Caller: printk.Caller{Known: true, CPU: true, ID: 1}},
	}
	clitest.Golden(t, "log", &LogResult{Records: records})
	clitest.Golden(t, "log-tdm", &LogResult{Records: records, noTime: true, dict: true, level: true})
	boot := command.Some(time.Date(2020, 4, 4, 7, 41, 9, 0, time.UTC))
	clitest.Golden(t, "log-Tc", &LogResult{Records: records, wall: true, caller: true, Boot: boot})
	clitest.Golden(t, "log-T-lost", &LogResult{Records: records, wall: true, Boot: command.Got(time.Time{}, mem.ErrExcluded)})
}

func TestModText(t *testing.T) {
	res := &ModResult{Modules: []ModuleRow{
		{Name: "loop", Addr: 0xffffffffc0006040, Base: 0xffffffffc0002000, Size: 20480, State: "live", Taints: command.Some(""), Version: command.Some(""), BuildID: command.Some("")},
		{Name: "inquest_boom", Addr: 0xffffffffc0106040, Base: 0xffffffffc0102000, Size: 1220480, State: "going",
			Taints: command.Some("OE"), Version: command.Some("1.0"), BuildID: command.Got("", error(mem.ErrExcluded))},
	}}
	clitest.Golden(t, "mod", res)
	res.taints = true
	res.Modules = res.Modules[1:]
	clitest.Golden(t, "mod-t", res)
	res.Modules = nil
	clitest.Golden(t, "mod-t-none", res)
}

func TestSysTaints(t *testing.T) {
	b := kerneltest.New(t, 1)
	b.Types("taint_flag 4\n 0 char c_true\n 1 char c_false\n")
	b.Sym("tainted_mask", kerneltest.Base+0x1000)
	b.Sym("taint_flags", kerneltest.Base+0x2000)
	b.U64(kerneltest.Base+0x1000, 1|1<<9)
	b.Put(kerneltest.Base+0x2000, "taint_flag.c_true", 'P')
	b.Put(kerneltest.Base+0x2000+9*4, "taint_flag.c_true", 'W')
	res, err := sysTaints(t.Context(), &command.Env{Kernel: b.Kernel()})
	if err != nil {
		t.Fatal(err)
	}
	clitest.Golden(t, "sys-t", res)
}

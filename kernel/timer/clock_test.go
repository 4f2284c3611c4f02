package timer

import (
	"testing"
	"time"

	"github.com/kinquest/inquest/internal/kerneltest"
	"github.com/kinquest/inquest/mem"
)

const clockTypes = `
timespec64 16
  0 s64 tv_sec
  8 s64 tv_nsec
tk_read_base 56
  24 u32 shift
  32 u64 xtime_nsec
timekeeper 280
  0 tk_read_base tkr_mono
  112 u64 xtime_sec
  128 timespec64 wall_to_monotonic
  152 s64 offs_boot
`

// clock stores a timekeeper: 2026-11-23 20:40:11.5, up 90.25 s of which 30 s asleep.
func clock(b *kerneltest.Builder) {
	tk := kerneltest.Base + 0x100
	b.Put(tk, "timekeeper.xtime_sec", 1795466411)
	b.Put(tk, "timekeeper.tkr_mono.shift", 8)
	b.Put(tk, "timekeeper.tkr_mono.xtime_nsec", 500_000_000<<8)
	neg := int64(-1795466411 + 59)
	b.Put(tk, "timekeeper.wall_to_monotonic.tv_sec", uint64(neg))
	b.Put(tk, "timekeeper.wall_to_monotonic.tv_nsec", 750_000_000)
	b.Put(tk, "timekeeper.offs_boot", 30_000_000_000)
}

func TestNow(t *testing.T) {
	tests := []struct {
		name  string
		types string
		sym   string
		off   uint64 // of the timekeeper behind the symbol
	}{
		{"unnamed struct up to v6.12", clockTypes, "tk_core", 8},
		{"struct tk_data since v6.13", clockTypes + "tk_data 600\n  16 timekeeper timekeeper\n", "tk_core", 16},
		{"array since v6.17", clockTypes + "tk_data 600\n  16 timekeeper timekeeper\n", "timekeeper_data", 16},
	}
	for _, tt := range tests {
		b := kerneltest.New(t, 1)
		b.Types(tt.types)
		clock(b)
		b.Sym(tt.sym, kerneltest.Base+0x100-mem.Virt(tt.off))
		c, err := Now(b.Kernel())
		want := time.Date(2026, 11, 23, 20, 40, 11, 5e8, time.UTC)
		if err != nil || !c.Date.Equal(want) || c.Uptime != 90250*time.Millisecond {
			t.Errorf("%s: %v %v %v", tt.name, c.Date, c.Uptime, err)
		}
	}
}

func TestNowRefusesNonsense(t *testing.T) {
	b := kerneltest.New(t, 1)
	b.Types(clockTypes)
	b.Sym("tk_core", kerneltest.Base+0x100-8)
	b.Put(kerneltest.Base+0x100, "timekeeper.xtime_sec", 1<<60)
	if c, err := Now(b.Kernel()); err == nil {
		t.Errorf("%+v", c)
	}
	b = kerneltest.New(t, 1)
	b.Types(clockTypes)
	if _, err := Now(b.Kernel()); err == nil {
		t.Error("a kernel without timekeeper has a date")
	}
}

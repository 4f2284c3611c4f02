// Package timer reads the kernel's clocks: the date, and how long it had been up.
package timer

import (
	"fmt"
	"time"

	"github.com/kinquest/inquest/ctype/layout"
	"github.com/kinquest/inquest/kernel"
	"github.com/kinquest/inquest/mem"
)

// Clock is the time when the dump was taken, as of the kernel's last tick.
type Clock struct {
	Date   time.Time     `json:"date"`      // wall clock, UTC
	Uptime time.Duration `json:"uptime_ns"` // since boot, sleep included (CLOCK_BOOTTIME, as /proc/uptime)
	From   string        `json:"from"`      // the variable that it was read from
}

// clockFields are the members of struct timekeeper (include/linux/timekeeper_internal.h).
type clockFields struct {
	Sec       layout.Field `k:"timekeeper.xtime_sec"`
	Nsec      layout.Field `k:"timekeeper.tkr_mono.xtime_nsec|timekeeper.xtime_nsec"` // shifted by Shift
	Shift     layout.Field `k:"timekeeper.tkr_mono.shift|timekeeper.shift"`
	WallToSec layout.Field `k:"timekeeper.wall_to_monotonic.tv_sec"`
	WallToNs  layout.Field `k:"timekeeper.wall_to_monotonic.tv_nsec"`
	OffsBoot  layout.Field `k:"timekeeper.offs_boot"` // monotonic to boottime, ns
	// The timekeepers lie in struct tk_data since v6.13, 1b20cdb35389
	// ("timekeeping: Encapsulate locking/unlocking of timekeeper_lock", with
	// its series); before, in an unnamed struct behind a sequence counter.
	InTkData layout.Field `k:"tk_data.timekeeper,optional"`
	Size     layout.Size  `k:"struct timekeeper"`
}

// Plausible dates. A kernel older than these types does not exist, and one
// whose clock says more is lying about it.
var (
	minDate = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	maxDate = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Now reads the clock.
func Now(k *kernel.Kernel) (Clock, error) {
	var f clockFields
	if err := k.Bind(&f); err != nil {
		return Clock{}, fmt.Errorf("clock: %w", err)
	}
	at, from, err := timekeeper(k, &f)
	if err != nil {
		return Clock{}, fmt.Errorf("clock: %w", err)
	}
	r := layout.NewReader(k.Mem, at)
	sec := int64(r.Uint(&f.Sec))
	nsec := time.Duration(r.Uint(&f.Nsec) >> (r.Uint(&f.Shift) & 63))
	uptime := time.Duration(sec+int64(r.Uint(&f.WallToSec)))*time.Second +
		nsec + time.Duration(r.Uint(&f.WallToNs)) + time.Duration(r.Uint(&f.OffsBoot))
	if err := r.Err(); err != nil {
		return Clock{}, fmt.Errorf("clock: %s: %w", from, err)
	}
	date := time.Unix(sec, int64(nsec)).UTC()
	if date.Before(minDate) || date.After(maxDate) || uptime < 0 {
		return Clock{}, fmt.Errorf("clock: %s holds no date (%d s, uptime %v)", from, sec, uptime)
	}
	return Clock{Date: date, Uptime: uptime, From: from}, nil
}

// timekeeper finds the core timekeeper, in the newest kernel's place first.
func timekeeper(k *kernel.Kernel, f *clockFields) (at mem.Virt, from string, err error) {
	if f.InTkData.OK() {
		// An array, one for each clock base, since v6.17, 22c62b9a84b8
		// ("timekeeping: Introduce auxiliary timekeepers").
		for _, name := range []string{"timekeeper_data", "tk_core"} {
			if at, err := k.Sym(name); err == nil {
				return at + mem.Virt(f.InTkData.Off), name + ".timekeeper", nil
			}
		}
	}
	// The unnamed struct's counter takes 4 bytes, padded to the alignment of 8
	// that the timekeeper has; the rest of the symbol's size agrees with it.
	if at, err := k.Sym("tk_core"); err == nil {
		return at + 8, "tk_core.timekeeper", nil
	}
	if at, err := k.Sym("timekeeper"); err == nil { // v3.10 to v3.16, and 3.7's
		return at, "timekeeper", nil
	}
	return 0, "", kernel.Unsupported("timekeeper", "timekeeper_data", "tk_core", "timekeeper")
}

package task_test

import (
	"errors"
	"testing"

	"github.com/kinquest/inquest/internal/kerneltest"
	"github.com/kinquest/inquest/kernel"
	"github.com/kinquest/inquest/kernel/task"
	"github.com/kinquest/inquest/mem"
)

func TestTimes(t *testing.T) {
	b := kerneltest.New(t, 2)
	b.Types(`
sched_info 32
  16 u64 last_arrival
task_struct 128
  0 u64 utime
  8 u64 stime
  32 sched_info sched_info
rq 64
  8 u64 clock
`)
	at := kerneltest.Base + 0x1000
	b.Put(at, "task_struct.utime", 20e6)
	b.Put(at, "task_struct.stime", 1324e6)
	b.Put(at, "task_struct.sched_info.last_arrival", 6370777950)
	b.Sym("runqueues", 0x40)
	b.Put(kerneltest.PerCPU(1)+0x40, "rq.clock", 6378385833)
	r, err := task.NewTimeReader(b.Kernel())
	if err != nil {
		t.Fatal(err)
	}
	tk := &task.Task{Addr: at}
	if got, err := r.Of(tk); err != nil || got != (task.Times{User: 20e6, System: 1324e6}) {
		t.Errorf("times %+v, %v", got, err)
	}
	if got, err := r.LastArrival(tk); err != nil || got != 6370777950 {
		t.Errorf("last arrival %d, %v", got, err)
	}
	if got, err := r.Clock(1); err != nil || got != 6378385833 {
		t.Errorf("clock %d, %v", got, err)
	}
	b.Lose(at, mem.ErrExcluded)
	if got, err := r.Of(tk); got != (task.Times{}) || !errors.Is(err, mem.ErrExcluded) {
		t.Errorf("lost task: %+v, %v", got, err)
	}
	if _, err := r.LastArrival(tk); !errors.Is(err, mem.ErrExcluded) {
		t.Errorf("lost task: %v", err)
	}
}

func TestTimesWithoutSchedInfo(t *testing.T) {
	b := kerneltest.New(t, 1)
	b.Types("task_struct 16\n 0 u64 utime\n 8 u64 stime\nrq 16\n 8 u64 clock\n")
	r, err := task.NewTimeReader(b.Kernel())
	if err != nil {
		t.Fatal(err)
	}
	var missing *kernel.UnsupportedError
	if _, err := r.LastArrival(&task.Task{Addr: kerneltest.Base}); !errors.As(err, &missing) {
		t.Errorf("%v", err)
	}
}

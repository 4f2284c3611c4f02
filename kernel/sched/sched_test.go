package sched

import (
	"testing"

	"github.com/kinquest/inquest/internal/kerneltest"
	"github.com/kinquest/inquest/mem"
)

func TestLoadAverage(t *testing.T) {
	b := kerneltest.New(t, 1)
	b.Sym("avenrun", kerneltest.Base)
	b.U64(kerneltest.Base, 2048, 3071, 163) // 1.00, 1.4995 and 0.0796
	l, err := LoadAverage(b.Kernel())
	if err != nil || l != (Load{1, 1.5, 0.08}) {
		t.Errorf("%v, %v", l, err)
	}
}

func TestCurrentTasks(t *testing.T) {
	b := kerneltest.New(t, 3)
	b.Types("rq 64\n 8 ptr curr\n 16 ptr idle\n")
	b.Sym("runqueues", 0x100)
	b.U64(kerneltest.PerCPU(0)+0x108, 0xffff1, 0xffff2)
	b.U64(kerneltest.PerCPU(1)+0x108, 0, 0) // never came up
	b.Lose(kerneltest.PerCPU(2), mem.ErrExcluded)
	all, err := CurrentTasks(b.Kernel())
	if len(all) != 1 || all[0] != (Current{CPU: 0, Task: 0xffff1, Idle: 0xffff2}) || err == nil {
		t.Errorf("%+v, %v", all, err)
	}
}

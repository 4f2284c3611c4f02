package crash

import (
	"testing"

	"github.com/kinquest/inquest/internal/kerneltest"
	"github.com/kinquest/inquest/kernel/printk"
)

const invalidCPU = 0xffffffff // C PANIC_CPU_INVALID

// ended is a kernel whose panic_cpu and crashing_cpu hold these values.
func ended(t *testing.T, panicCPU, crashingCPU uint64) *kerneltest.Builder {
	b := kerneltest.New(t, 2)
	b.Types("pcpu_hot 64\n 0 ptr current_task\nrq 64\n 8 ptr curr\n 16 ptr idle\n")
	b.Sym("panic_cpu", kerneltest.Base)
	b.Sym("crashing_cpu", kerneltest.Base+8)
	b.U64(kerneltest.Base, panicCPU, crashingCPU)
	return b
}

func TestFind(t *testing.T) {
	b := ended(t, 1, invalidCPU)
	b.Sym("pcpu_hot", 0x40)
	b.U64(kerneltest.PerCPU(1)+0x40, 0xabc)
	s := Find(b.Kernel(), nil)
	if !s.Panicked || s.CPU != 1 || s.Task != 0xabc || s.From != "panic_cpu" || len(s.Problems) != 0 {
		t.Errorf("panic: %+v", s)
	}
	b = ended(t, invalidCPU, 0)
	b.Sym("runqueues", 0x100)
	b.U64(kerneltest.PerCPU(0)+0x108, 0xdef)
	if s := Find(b.Kernel(), nil); !s.Panicked || s.CPU != 0 || s.Task != 0xdef || s.From != "crashing_cpu" {
		t.Errorf("kdump without panic(): %+v", s)
	}
}

func TestFindInARunningSystem(t *testing.T) {
	log := &printk.Log{Records: records("BUG: kernel NULL pointer dereference, address: 0", "---[ end trace 0 ]---")}
	s := Find(ended(t, invalidCPU, invalidCPU).Kernel(), log)
	if s.Panicked || s.CPU != -1 || s.Message != nil {
		t.Errorf("a survived oops: %+v", s)
	}
}

package kernel_test

import (
	"testing"

	"github.com/kinquest/inquest/internal/kerneltest"
	"github.com/kinquest/inquest/kernel"
)

func TestPerCPU(t *testing.T) {
	k := kerneltest.New(t, 2).Kernel()
	if got, err := k.PerCPU(0x18, 1); err != nil || got != kerneltest.PerCPU(1)+0x18 {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := k.PerCPU(0x18, 7); err == nil {
		t.Error("CPU 7 of 2 has per-CPU data")
	}
	if got := k.PossibleCPUs(); len(got) != 2 || got[1] != 1 {
		t.Errorf("possible CPUs %v", got)
	}
}

func TestSymTriesNamesInOrder(t *testing.T) {
	b := kerneltest.New(t, 1)
	b.Sym("old_name", kerneltest.Base+8)
	k := b.Kernel()
	if at, err := k.Sym("new_name", "old_name"); err != nil || at != kerneltest.Base+8 {
		t.Errorf("%s, %v", at, err)
	}
	_, err := k.Sym("new_name")
	if _, ok := err.(*kernel.UnsupportedError); !ok {
		t.Errorf("%T %v", err, err)
	}
}

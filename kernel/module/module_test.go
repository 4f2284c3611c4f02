package module_test

import (
	"errors"
	"testing"

	"github.com/kinquest/inquest/internal/kerneltest"
	"github.com/kinquest/inquest/kernel"
	"github.com/kinquest/inquest/kernel/module"
	"github.com/kinquest/inquest/kernel/taint"
	"github.com/kinquest/inquest/mem"
)

const at = kerneltest.Base + 0x1000

func machine(t *testing.T) *kerneltest.Builder {
	b := kerneltest.New(t, 1)
	b.Types(`
module 64
  0 u64 taints
  8 u64 version
  16 u8[20] build_id
taint_flag 4
  0 char c_true
  1 char c_false
`)
	b.Sym("taint_flags", kerneltest.Base+0x2000)
	for i, c := range "PFSRMBUDAWCIOE" {
		b.Put(kerneltest.Base+0x2000+mem.Virt(4*i), "taint_flag.c_true", uint64(c))
	}
	b.Sym("tainted_mask", kerneltest.Base+0x3000)
	b.U64(kerneltest.Base+0x3000, 1<<12|1<<13|1)
	return b
}

func TestDetails(t *testing.T) {
	b := machine(t)
	b.Put(at, "module.taints", 1<<12|1<<13)
	b.Put(at, "module.version", uint64(kerneltest.Base+0x4000))
	b.Bytes(kerneltest.Base+0x4000, []byte("1.2-rc3\x00"))
	b.Bytes(at+16, []byte{0xab, 19: 0xcd})
	r, err := module.NewReader(b.Kernel())
	if err != nil {
		t.Fatal(err)
	}
	d, err := r.Of(&kernel.Module{Name: "boom", Addr: at})
	if want := (module.Details{Taints: "OE", Version: "1.2-rc3", BuildID: "ab000000000000000000000000000000000000cd"}); d != want || err != nil {
		t.Errorf("%+v, %v", d, err)
	}
	b.Lose(kerneltest.Base+0x4000, mem.ErrExcluded)
	if d, err := r.Of(&kernel.Module{Name: "boom", Addr: at}); d != (module.Details{}) || !errors.Is(err, mem.ErrExcluded) {
		t.Errorf("with a lost version: %+v, %v", d, err)
	}
}

func TestModuleWithoutAnything(t *testing.T) {
	r, err := module.NewReader(machine(t).Kernel())
	if err != nil {
		t.Fatal(err)
	}
	if d, err := r.Of(&kernel.Module{Addr: at}); d != (module.Details{}) || err != nil {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestTaint(t *testing.T) {
	k := machine(t).Kernel()
	mask, err := taint.Mask(k)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := taint.Letters(k, mask); s != "POE" || err != nil {
		t.Errorf("%#x is %q, %v", mask, s, err)
	}
	if s, err := taint.Letters(k, 1<<40); s != "?" || err != nil {
		t.Errorf("a bit without a letter is %q, %v", s, err)
	}
}

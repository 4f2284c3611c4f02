package kernel_test

import (
	"testing"

	"github.com/kinquest/inquest/ctype/globals"
	"github.com/kinquest/inquest/internal/kerneltest"
	"github.com/kinquest/inquest/kernel"
	"github.com/kinquest/inquest/mem"
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

const listTypes = `
list_head 16
  0 ptr next
  8 ptr prev
mod_kallsyms 32
  0 ptr symtab
  8 u32 num_symtab
  16 ptr strtab
  24 ptr typetab
`

// newModule is struct module since v6.4, oldModule that of v4.5 to v6.3.
const newModule = listTypes + `
module_memory 16
  0 ptr base
  8 u32 size
module 256
  0 u32 state
  8 list_head list
  24 char[56] name
  80 ptr kallsyms
  96 module_memory[7] mem
enum mod_mem_type MOD_TEXT 0
enum mod_mem_type MOD_INIT_TEXT 4
`

const oldModule = listTypes + `
module_layout 24
  0 ptr base
  8 u32 size
  12 u32 text_size
module 256
  0 u32 state
  8 list_head list
  24 char[56] name
  80 ptr kallsyms
  96 module_layout core_layout
  128 module_layout init_layout
`

const (
	modHead  = kerneltest.Base + 0x100
	mod      = kerneltest.Base + 0x1000
	modText  = kerneltest.Base + 0x90000 // where no kernel symbol is near
	modData  = kerneltest.Base + 0x94000
	modTable = kerneltest.Base + 0x2000
)

// withModule is a kernel with the live module "boom" and an unformed one.
func withModule(t *testing.T, types string) *kerneltest.Builder {
	b := kerneltest.New(t, 1)
	b.Types(types)
	b.Sym("modules", modHead)
	unformed := mod + 0x800
	b.U64(modHead, uint64(mod+8))
	b.U64(mod+8, uint64(unformed+8))
	b.U64(unformed+8, uint64(modHead))
	b.Put(unformed, "module.state", 3)
	b.Bytes(mod+24, []byte("boom"))
	b.Put(mod, "module.kallsyms", uint64(modTable))
	b.Put(modTable, "mod_kallsyms.symtab", uint64(modTable+0x100))
	b.Put(modTable, "mod_kallsyms.num_symtab", 2)
	b.Put(modTable, "mod_kallsyms.strtab", uint64(modTable+0x200))
	b.Put(modTable, "mod_kallsyms.typetab", uint64(modTable+0x300))
	b.Bytes(modTable+0x201, []byte("boom_smash\x00"))
	b.Bytes(modTable+0x300, []byte("?t"))
	b.U64(modTable+0x118, 1|1<<48, uint64(modText+0x10), 0) // st_name 1, st_shndx 1
	return b
}

func checkModule(t *testing.T, k *kernel.Kernel, size uint64) {
	t.Helper()
	mods, err := k.Modules()
	if err != nil || len(mods) != 1 || mods[0].Name != "boom" || mods[0].Base != modText || mods[0].Size != size {
		t.Fatalf("%+v, %v", mods, err)
	}
	s, off, err := k.Symbols.At(modText + 0x18)
	if err != nil || s.Name != "boom_smash" || s.Module != "boom" || off != 8 {
		t.Errorf("%+v+%d, %v", s, off, err)
	}
	if !k.Symbols.Text(modText+0x18) || k.Symbols.Text(modData) {
		t.Error("the module's text is not told from its data")
	}
	if m, ok := k.ModuleAt(modData + 8); !ok || m.Name != "boom" {
		t.Errorf("owner of the data: %+v", m)
	}
}

func TestModules(t *testing.T) {
	b := withModule(t, newModule)
	for i, base := range []uint64{uint64(modText), uint64(modData)} {
		b.U64(mod+96+16*mem.Virt(i), base, 0x1000)
	}
	checkModule(t, b.Kernel(), 0x2000)

	b = withModule(t, oldModule)
	b.U64(mod+96, uint64(modText), 0x5000|0x4000<<32)
	checkModule(t, b.Kernel(), 0x5000)
}

func TestModuleListThatBreaksOff(t *testing.T) {
	b := withModule(t, oldModule)
	b.U64(mod+96, uint64(modText), 0x5000|0x4000<<32)
	b.U64(mod+8, 0xdead)
	mods, err := b.Kernel().Modules()
	if len(mods) != 1 || err == nil {
		t.Errorf("%+v, %v", mods, err)
	}
	b = withModule(t, oldModule)
	b.U64(mod+96, uint64(modText), 0xffffffff)
	if mods, err := b.Kernel().Modules(); len(mods) != 0 || err == nil {
		t.Errorf("a module of 4 GiB: %+v, %v", mods, err)
	}
}

func TestVar(t *testing.T) {
	b := kerneltest.New(t, 1)
	b.Types("list_head 16\n 0 ptr next\n 8 ptr prev\n")
	b.Sym("modules", modHead)
	b.Sym("no_type", modHead)
	b.U64(modHead, uint64(modHead), uint64(modHead))
	k := b.Kernel()
	k.Types = globals.New(k.Types)
	v, err := k.Var("modules")
	if err != nil {
		t.Fatal(err)
	}
	if next, err := v.Field("next").Uint(); err != nil || next != uint64(modHead) {
		t.Errorf("modules.next is %#x, %v", next, err)
	}
	if _, err := k.Var("no_type"); err == nil {
		t.Error("a variable that no declaration knows has a type")
	}
}

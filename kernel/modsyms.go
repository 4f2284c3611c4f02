package kernel

import (
	"errors"
	"fmt"

	"github.com/kinquest/inquest/ctype/layout"
	"github.com/kinquest/inquest/internal/parallel"
	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/sym"
	"github.com/kinquest/inquest/sym/kallsyms"
)

// moduleSymFields say where a module's symbol table is: in a struct of its own
// since v4.5, 8244062ef1e5 ("modules: fix longstanding /proc/kallsyms vs module
// insertion race."), before that in struct module.
type moduleSymFields struct {
	Kallsyms layout.Field `k:"module.kallsyms,optional"`
	Symtab   layout.Field `k:"mod_kallsyms.symtab|module.symtab"`
	Num      layout.Field `k:"mod_kallsyms.num_symtab|module.num_symtab"`
	Strtab   layout.Field `k:"mod_kallsyms.strtab|module.strtab"`
	Typetab  layout.Field `k:"mod_kallsyms.typetab,optional"` // since v5.2, 1c7651f43777
}

// moduleSymbols adds the symbols of all modules to the table and gives their
// number. A module whose symbols cannot be read keeps its regions, so that its
// addresses are still known to be its own.
func (k *Kernel) moduleSymbols() (int, error) {
	if len(k.modules) == 0 {
		return 0, nil
	}
	var f moduleSymFields
	bindErr := k.Bind(&f)
	mods := make([]sym.Module, len(k.modules))
	errs := make([]error, len(k.modules))
	before := k.Symbols.Len()
	parallel.Each(len(k.modules), func(i int) {
		m := &k.modules[i]
		mods[i] = sym.Module{Name: m.Name, Symbols: new(sym.List)}
		for _, r := range m.Regions {
			mods[i].Regions = append(mods[i].Regions, sym.Region{Start: r.Start, End: r.Start + mem.Virt(r.Size), Text: r.Text})
		}
		if bindErr != nil {
			return
		}
		list, err := k.loadModuleSymbols(&f, m)
		if err != nil {
			errs[i] = fmt.Errorf("module %q: %w", m.Name, err)
		}
		mods[i].Symbols = list
	})
	errs = append(errs, bindErr)
	table, err := k.Symbols.WithModules(mods)
	if err != nil {
		return 0, errors.Join(append(errs, err)...)
	}
	k.Symbols = table
	return table.Len() - before, errors.Join(errs...)
}

func (k *Kernel) loadModuleSymbols(f *moduleSymFields, m *Module) (*sym.List, error) {
	at := m.Addr
	if f.Kallsyms.OK() {
		p, err := f.Kallsyms.ReadPtr(k.Mem, at)
		if err != nil {
			return new(sym.List), err
		}
		at = p
	}
	r := layout.NewReader(k.Mem, at)
	t := kallsyms.ModuleTables{Symtab: r.Ptr(&f.Symtab), Num: r.Uint(&f.Num), Strtab: r.Ptr(&f.Strtab)}
	if f.Typetab.OK() {
		t.Typetab = r.Ptr(&f.Typetab)
	}
	if err := r.Err(); err != nil {
		return new(sym.List), err
	}
	return kallsyms.LoadModule(k.Mem, t)
}

package kernel

import (
	"fmt"

	"github.com/kinquest/inquest/ctype/layout"
	"github.com/kinquest/inquest/kernel/klib"
	"github.com/kinquest/inquest/mem"
)

// Module is a loaded module: where it lies. The package kernel/module tells
// the rest.
type Module struct {
	Name    string
	Addr    mem.Virt // its struct module
	Base    mem.Virt // of its text, as /proc/modules shows it
	Size    uint64   // bytes of all its regions, as /proc/modules shows it
	State   uint64   // enum module_state: 0 live, 1 coming, 2 going
	Regions []Region // the memory it occupies, init sections only while it loads
	// Apart says that text and data are allocated one by one, so that Base is
	// only the text's (since v6.4).
	Apart bool
}

// Region is a contiguous part of a module's memory.
type Region struct {
	Start mem.Virt
	Size  uint64
	Text  bool // holds code
}

// Contains says whether addr lies in the module.
func (m *Module) Contains(addr mem.Virt) bool {
	for _, r := range m.Regions {
		if uint64(addr-r.Start) < r.Size {
			return true
		}
	}
	return false
}

// moduleFields are the members of struct module (include/linux/module.h).
type moduleFields struct {
	List  layout.Field `k:"module.list"`
	State layout.Field `k:"module.state"`
	Name  layout.Field `k:"module.name"`

	// An array of regions since v6.4, ac3b43283923 ("module: replace module_layout with module_memory").
	Mem     layout.Field `k:"module.mem,optional"`
	MemElem layout.Size  `k:"struct module_memory,optional"`
	MemBase layout.Field `k:"module_memory.base,optional"`
	MemSize layout.Field `k:"module_memory.size,optional"`

	// Two layouts since v4.5, 7523e4dc5057 ("module: use a structure to encapsulate layout."),
	// before that plain members.
	CoreBase layout.Field `k:"module.core_layout.base|module.module_core,optional"`
	CoreSize layout.Field `k:"module.core_layout.size|module.core_size,optional"`
	CoreText layout.Field `k:"module.core_layout.text_size|module.core_text_size,optional"`
	InitBase layout.Field `k:"module.init_layout.base|module.module_init,optional"`
	InitSize layout.Field `k:"module.init_layout.size|module.init_size,optional"`
	InitText layout.Field `k:"module.init_layout.text_size|module.init_text_size,optional"`
}

// Limits of the module walk.
const (
	maxModules    = 1 << 14 // a distribution ships some 5,000 in all
	maxModuleMem  = 1 << 30 // the module area of x86_64 is 1 GiB at most
	maxModuleKind = 16      // enum mod_mem_type has 7 members
)

// stateUnformed is a module whose structure is being set up
// (MODULE_STATE_UNFORMED); the kernel's own lists leave it out.
const stateUnformed = 3

// Modules gives the loaded modules in the order of the kernel's list, newest
// first. The error says why the list is missing or where it broke off.
func (k *Kernel) Modules() ([]Module, error) { return k.modules, k.modErr }

// ModuleAt gives the module in which addr lies.
func (k *Kernel) ModuleAt(addr mem.Virt) (*Module, bool) {
	for i := range k.modules {
		if k.modules[i].Contains(addr) {
			return &k.modules[i], true
		}
	}
	return nil, false
}

// loadModules reads the module list and adds the modules' symbols. Modules that
// cannot be read leave the kernel as it is.
func (k *Kernel) loadModules() {
	k.modules, k.modErr = k.findModules()
	if k.modErr != nil {
		k.trail.failed("modules", k.modErr)
	}
	n, err := k.moduleSymbols()
	if err != nil {
		k.trail.failed("module symbols", err)
	}
	if len(k.modules) > 0 {
		k.trail.found("modules", fmt.Sprintf("%d modules, %d symbols", len(k.modules), n), "list at symbol modules")
	}
}

// findModules walks the list of modules (C modules).
func (k *Kernel) findModules() ([]Module, error) {
	var f moduleFields
	if err := k.Bind(&f); err != nil {
		return nil, fmt.Errorf("module list: %w", err)
	}
	if !f.Mem.OK() && !f.CoreBase.OK() {
		return nil, Unsupported("module list", "module.mem", "module.core_layout", "module.module_core")
	}
	head, err := k.Sym("modules")
	if err != nil {
		return nil, fmt.Errorf("module list: %w", err)
	}
	var out []Module
	for node, err := range klib.List(k.Mem, head) {
		if err != nil {
			return out, fmt.Errorf("module list: %w", err)
		}
		if len(out) == maxModules {
			return out, fmt.Errorf("module list: more than %d modules: %w", maxModules, klib.ErrCorrupt)
		}
		m, err := readModule(k, &f, node-mem.Virt(f.List.Off))
		if err != nil {
			return out, fmt.Errorf("module list: %w", err)
		}
		if m.State != stateUnformed {
			out = append(out, m)
		}
	}
	return out, nil
}

func readModule(k *Kernel, f *moduleFields, at mem.Virt) (Module, error) {
	r := layout.NewReader(k.Mem, at)
	m := Module{Name: r.Text(&f.Name), Addr: at, State: r.Uint(&f.State)}
	err := r.Err()
	if err == nil && f.Mem.OK() {
		err = m.readRegions(k, f)
	} else if err == nil {
		err = m.readLayouts(k, f)
	}
	if err != nil {
		return m, fmt.Errorf("module %q at %s: %w", m.Name, at, err)
	}
	for _, r := range m.Regions {
		m.Size += r.Size
	}
	return m, nil
}

// readRegions reads module.mem[], whose index is enum mod_mem_type.
func (m *Module) readRegions(k *Kernel, f *moduleFields) error {
	if f.MemElem.Bytes == 0 {
		return Unsupported("module regions", "struct module_memory")
	}
	text, err := k.enumerator("mod_mem_type", "MOD_TEXT")
	if err != nil {
		return err
	}
	initText, err := k.enumerator("mod_mem_type", "MOD_INIT_TEXT")
	if err != nil {
		return err
	}
	m.Apart = true
	n := min(f.Mem.Size/f.MemElem.Bytes, maxModuleKind)
	for i := range n {
		r := layout.NewReader(k.Mem, m.Addr+mem.Virt(f.Mem.Off+i*f.MemElem.Bytes))
		reg := Region{
			Start: mem.Virt(r.Uint(&f.MemBase)),
			Size:  r.Uint(&f.MemSize),
			Text:  i == text || i == initText,
		}
		if err := r.Err(); err != nil {
			return fmt.Errorf("mem[%d]: %w", i, err)
		}
		if i == text {
			m.Base = reg.Start
		}
		if err := m.addRegion(reg); err != nil {
			return err
		}
	}
	return nil
}

// readLayouts reads the core and init layouts; the text lies at their start.
func (m *Module) readLayouts(k *Kernel, f *moduleFields) error {
	r := layout.NewReader(k.Mem, m.Addr)
	for _, l := range []struct{ base, size, text *layout.Field }{
		{&f.CoreBase, &f.CoreSize, &f.CoreText},
		{&f.InitBase, &f.InitSize, &f.InitText},
	} {
		base, size, text := mem.Virt(r.Uint(l.base)), r.Uint(l.size), r.Uint(l.text)
		if err := r.Err(); err != nil {
			return err
		}
		if m.Base == 0 {
			m.Base = base
		}
		text = min(text, size)
		if err := m.addRegion(Region{Start: base, Size: text, Text: true}); err != nil {
			return err
		}
		if err := m.addRegion(Region{Start: base + mem.Virt(text), Size: size - text}); err != nil {
			return err
		}
	}
	return nil
}

func (m *Module) addRegion(r Region) error {
	if r.Size > maxModuleMem {
		return fmt.Errorf("region of %d bytes: %w", r.Size, klib.ErrCorrupt)
	}
	if r.Size > 0 && r.Start != 0 {
		m.Regions = append(m.Regions, r)
	}
	return nil
}

package sym

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/kinquest/inquest/mem"
)

// ErrNotFound: no symbol has that name, or none covers that address.
var ErrNotFound = errors.New("no such symbol")

// Region is a run of addresses in which symbols are looked up.
type Region struct {
	Start, End mem.Virt // End is the first address behind it
	Section    string   // ".text", ".init.text", ".rodata", …
	Text       bool     // holds code
	Module     string   // "" for the kernel itself
}

// contains says whether addr lies in the region.
func (r *Region) contains(addr mem.Virt) bool { return addr >= r.Start && addr < r.End }

// Module is the symbols of a loaded module and the memory that it occupies.
type Module struct {
	Name    string
	Symbols *List
	Regions []Region // their Module is set by WithModules
}

// Table is the symbols of a kernel and its modules. It is immutable and safe
// for concurrent use.
type Table struct {
	kernel, modules *columns
	sections        []Region // of the kernel, as its boundary symbols say
	regions         []Region // where At looks: the kernel's image, then modules; ascending
}

// New makes the table of a kernel without modules. Boundary symbols of the
// linker script (_stext, _etext, _end, …) say where its sections are.
func New(kernel *List) *Table {
	t := &Table{kernel: newColumns(kernel, nil, nil), modules: newColumns(&List{}, nil, nil)}
	t.sections = t.findSections()
	t.regions = t.kernelRegions()
	return t
}

// maxModules is bounded by the type of columns.mods; distributions have about
// 5,000 modules, of which hundreds are loaded.
const maxModules = 1 << 16

// WithModules gives a table with the same kernel and these modules. Symbols
// outside of their module's regions (per-CPU variables) are found by name only.
func (t *Table) WithModules(mods []Module) (*Table, error) {
	if len(mods) > maxModules {
		return nil, fmt.Errorf("symbols of %d modules: more than %d", len(mods), maxModules)
	}
	var all List
	var owner []uint16
	var names []string
	n := &Table{kernel: t.kernel, sections: t.sections, regions: t.kernelRegions()}
	for i, m := range mods {
		names = append(names, m.Name)
		for s := range m.Symbols.Len() {
			if err := all.Add([]byte(m.Symbols.Name(s)), m.Symbols.Addr(s), m.Symbols.Type(s)); err != nil {
				return nil, fmt.Errorf("symbols of module %s: %w", m.Name, err)
			}
			owner = append(owner, uint16(i))
		}
		for _, r := range m.Regions {
			r.Module = m.Name
			if r.Start < r.End {
				n.regions = append(n.regions, r)
			}
		}
	}
	n.modules = newColumns(&all, owner, names)
	slices.SortStableFunc(n.regions, func(a, b Region) int { return cmp.Compare(a.Start, b.Start) })
	return n, nil
}

// Len is the number of symbols.
func (t *Table) Len() int { return len(t.kernel.addrs) + len(t.modules.addrs) }

// Lookup gives all symbols of that name: the kernel's by ascending address,
// then those of modules. The error wraps ErrNotFound.
func (t *Table) Lookup(name string) ([]Symbol, error) {
	var out []Symbol
	for _, c := range []*columns{t.kernel, t.modules} {
		for i := c.first(name); i >= 0; i = c.after(i) {
			out = append(out, t.symbol(c, i))
		}
	}
	if out == nil {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	return out, nil
}

// Addr gives the address of the first symbol that Lookup would give.
func (t *Table) Addr(name string) (mem.Virt, error) {
	for _, c := range [...]*columns{t.kernel, t.modules} {
		if i := c.first(name); i >= 0 {
			return c.addrs[i], nil
		}
	}
	return 0, fmt.Errorf("%w: %s", ErrNotFound, name)
}

// Has says whether a symbol has that name.
func (t *Table) Has(name string) bool {
	return t.kernel.first(name) >= 0 || t.modules.first(name) >= 0
}

// At gives the symbol that covers addr, and how far into it addr is, in bytes.
// Of several at one address it is the one that comes first in the kernel's own
// table, which is the one the kernel prints (get_symbol_pos in
// kernel/kallsyms.c, find_kallsyms_symbol in kernel/module/kallsyms.c). The
// error wraps ErrNotFound: addr is outside of the kernel and its modules.
func (t *Table) At(addr mem.Virt) (s Symbol, off uint64, err error) {
	r := t.region(addr)
	if r == nil {
		return Symbol{}, 0, fmt.Errorf("%w at %s", ErrNotFound, addr)
	}
	c := t.columnsOf(r)
	next := c.upper(addr)
	if next == 0 || c.addrs[next-1] < r.Start {
		return Symbol{}, 0, fmt.Errorf("%w at %s", ErrNotFound, addr)
	}
	i := c.lower(c.addrs[next-1])
	return c.symbol(i, next, r.End), uint64(addr - c.addrs[i]), nil
}

// Text says whether addr lies in code of the kernel, its initialisation
// included, or of a module.
func (t *Table) Text(addr mem.Virt) bool {
	for i := range t.sections {
		if s := &t.sections[i]; s.Text && s.contains(addr) {
			return true
		}
	}
	r := t.region(addr)
	return r != nil && r.Text
}

// Region gives the kernel section or the module memory that holds addr.
func (t *Table) Region(addr mem.Virt) (Region, bool) {
	for i := range t.sections {
		if t.sections[i].contains(addr) {
			return t.sections[i], true
		}
	}
	if r := t.region(addr); r != nil {
		return *r, true
	}
	return Region{}, false
}

// All gives every symbol: the kernel's by ascending address, then those of modules.
func (t *Table) All() iter.Seq[Symbol] {
	return func(yield func(Symbol) bool) {
		for _, c := range []*columns{t.kernel, t.modules} {
			for i := range c.addrs {
				if !yield(t.symbol(c, i)) {
					return
				}
			}
		}
	}
}

// region gives the run of addresses where symbols of addr are; nil outside of all.
func (t *Table) region(addr mem.Virt) *Region {
	i, found := slices.BinarySearchFunc(t.regions, addr, func(r Region, a mem.Virt) int { return cmp.Compare(r.Start, a) })
	if !found {
		i--
	}
	if i < 0 || !t.regions[i].contains(addr) {
		return nil
	}
	return &t.regions[i]
}

func (t *Table) columnsOf(r *Region) *columns {
	if r.Module == "" {
		return t.kernel
	}
	return t.modules
}

// symbol makes symbol i of c. Its size ends at the next symbol or with the region.
func (t *Table) symbol(c *columns, i int) Symbol {
	end := mem.Virt(0)
	if r := t.region(c.addrs[i]); r != nil && t.columnsOf(r) == c {
		end = r.End
	}
	return c.symbol(i, c.upper(c.addrs[i]), end)
}

// symbol makes symbol i, whose neighbour above is next; end is where its region
// ends, 0 when it lies in none: then its size is not known unless next tells.
func (c *columns) symbol(i, next int, end mem.Virt) Symbol {
	s := Symbol{Name: c.name(i), Addr: c.addrs[i], Type: c.types[i], Module: c.module(i)}
	switch {
	case next < len(c.addrs) && (end == 0 || c.addrs[next] < end):
		s.Size = uint64(c.addrs[next] - s.Addr)
	case end != 0:
		s.Size = uint64(end - s.Addr)
	}
	if end == 0 && s.Size > maxLooseSize {
		s.Size = 0
	}
	return s
}

// maxLooseSize is the largest believable symbol outside of all regions: above
// the last per-CPU symbol comes a gap of nearly the whole address space.
const maxLooseSize = 1 << 20

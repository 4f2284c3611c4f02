package stack

import (
	"fmt"

	"github.com/kinquest/inquest/ctype/layout"
	"github.com/kinquest/inquest/kernel"
	"github.com/kinquest/inquest/mem"
	"github.com/kinquest/inquest/unwind/orc"
)

// loadORC describes the ORC tables of the kernel and its modules; they are read
// when a walk needs them. The set is nil for a kernel without tables, or when
// they are of no use; problems then say why, unless there are none.
func loadORC(k *kernel.Kernel, f *fields, c *code) (*orc.Set, []error) {
	if !k.HasSym("__start_orc_unwind_ip") {
		return nil, nil
	}
	main, format, err := kernelORC(k, f)
	if err != nil {
		return nil, []error{err}
	}
	set := new(orc.Set)
	var problems []error
	tables := map[*kernel.Module]*orc.Table{nil: main}
	for i := range c.spans {
		s := &c.spans[i]
		t, ok := tables[s.module]
		if !ok {
			if t, err = moduleORC(k, f, s.module, format); err != nil {
				problems = append(problems, err)
			}
			tables[s.module] = t
		}
		if t == nil {
			continue
		}
		if err := set.Add(s.lo, s.hi, t); err != nil {
			problems = append(problems, err)
		}
	}
	return set, problems
}

// kernelORC finds the kernel's own table and the format of all tables.
func kernelORC(k *kernel.Kernel, f *fields) (*orc.Table, orc.Format, error) {
	ips, err := k.Sym("__start_orc_unwind_ip")
	entries, err1 := k.Sym("__start_orc_unwind")
	end, err2 := k.Sym("__stop_orc_unwind_ip")
	for _, err := range []error{err, err1, err2} {
		if err != nil {
			return nil, 0, fmt.Errorf("ORC tables of the kernel: %w", err)
		}
	}
	n := int(min(uint64(end-ips)/4, 1<<31)) // NewTable has the limit
	probe, err := orc.NewTable(k.Mem, ips, entries, n, orc.FormatUnknown)
	if err != nil {
		return nil, 0, fmt.Errorf("ORC tables of the kernel: %w", err)
	}
	st, err := structOf(&f.ORCEntry)
	if err != nil {
		st = nil // the table's own shape must do
	}
	format, err := orc.Probe(probe, st)
	if err != nil {
		return nil, 0, fmt.Errorf("ORC tables of the kernel: %w", err)
	}
	t, err := orc.NewTable(k.Mem, ips, entries, n, format)
	return t, format, err
}

// moduleORC describes a module's table; nil when it has none.
func moduleORC(k *kernel.Kernel, f *fields, m *kernel.Module, format orc.Format) (*orc.Table, error) {
	if !f.ModORCs.OK() {
		return nil, nil
	}
	r := layout.NewReader(k.Mem, m.Addr)
	n, ips, entries := r.Uint(&f.ModORCs), r.Ptr(&f.ModORCIP), r.Ptr(&f.ModORC)
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("ORC table of module %s: %w", m.Name, err)
	}
	if n == 0 || ips == 0 || entries == 0 {
		return nil, nil
	}
	t, err := orc.NewTable(k.Mem, ips, entries, int(uint32(n)), format)
	if err != nil {
		return nil, fmt.Errorf("ORC table of module %s: %w", m.Name, err)
	}
	return t, nil
}

// inStack says whether addr lies on a stack of size bytes from lo on, or at its end.
func inStack(addr, lo mem.Virt, size uint64) bool {
	return lo != 0 && addr >= lo && uint64(addr-lo) <= size
}

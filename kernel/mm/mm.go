// Package mm reads the kernel's memory management: how much RAM there is.
package mm

import (
	"fmt"

	"github.com/kinquest/inquest/ctype/layout"
	"github.com/kinquest/inquest/kernel"
	"github.com/kinquest/inquest/mem"
)

type nodeFields struct {
	Present layout.Field `k:"pglist_data.node_present_pages"`
}

// maxNodes bounds the table of nodes: CONFIG_NODES_SHIFT is at most 10
// (mm/Kconfig and arch/*/Kconfig).
const maxNodes = 1 << 10

// PresentPages gives the pages of RAM that the kernel was told of: the sum of
// pglist_data.node_present_pages over the nodes (C node_data, contig_page_data
// without CONFIG_NUMA).
func PresentPages(k *kernel.Kernel) (uint64, error) {
	var f nodeFields
	if err := k.Bind(&f); err != nil {
		return 0, fmt.Errorf("size of RAM: %w", err)
	}
	if at, err := k.Sym("contig_page_data"); err == nil {
		n, err := f.Present.Read(k.Mem, at)
		if err != nil {
			return 0, fmt.Errorf("contig_page_data: %w", err)
		}
		return n, nil
	}
	found, err := k.Symbols.Lookup("node_data")
	if err != nil {
		return 0, kernel.Unsupported("size of RAM", "node_data", "contig_page_data")
	}
	s := found[0]
	var sum uint64
	for i := range min(s.Size/8, maxNodes) {
		p, err := mem.U64(k.Mem, s.Addr+mem.Virt(i*8))
		if err != nil {
			return 0, fmt.Errorf("node_data[%d]: %w", i, err)
		}
		if p == 0 { // the symbol's size may take in padding, which is zero
			continue
		}
		n, err := f.Present.Read(k.Mem, mem.Virt(p))
		if err != nil {
			return 0, fmt.Errorf("node %d: %w", i, err)
		}
		sum += n
	}
	return sum, nil
}

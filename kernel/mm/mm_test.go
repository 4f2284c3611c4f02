package mm_test

import (
	"errors"
	"testing"

	"github.com/kinquest/inquest/internal/kerneltest"
	"github.com/kinquest/inquest/kernel"
	"github.com/kinquest/inquest/kernel/mm"
	"github.com/kinquest/inquest/mem"
)

const nodeTypes = `
pglist_data 64
  16 u64 node_present_pages
`

func TestPresentPagesSumsNodes(t *testing.T) {
	b := kerneltest.New(t, 1)
	b.Types(nodeTypes)
	table, node0, node2 := kerneltest.Base+0x1000, kerneltest.Base+0x2000, kerneltest.Base+0x3000
	b.Sym("node_data", table)
	b.Sym("behind", table+24)
	b.U64(table, uint64(node0), 0, uint64(node2), uint64(node2)) // the last word is not part of it
	b.Put(node0, "pglist_data.node_present_pages", 1000)
	b.Put(node2, "pglist_data.node_present_pages", 24)
	if n, err := mm.PresentPages(b.Kernel()); n != 1024 || err != nil {
		t.Errorf("%d pages, %v", n, err)
	}
	b.Lose(node2, mem.ErrExcluded)
	if n, err := mm.PresentPages(b.Kernel()); n != 0 || !errors.Is(err, mem.ErrExcluded) {
		t.Errorf("with a lost node: %d pages, %v", n, err)
	}
}

func TestPresentPagesWithoutNUMA(t *testing.T) {
	b := kerneltest.New(t, 1)
	b.Types(nodeTypes)
	b.Sym("contig_page_data", kerneltest.Base+0x1000)
	b.Put(kerneltest.Base+0x1000, "pglist_data.node_present_pages", 77)
	if n, err := mm.PresentPages(b.Kernel()); n != 77 || err != nil {
		t.Errorf("%d pages, %v", n, err)
	}
}

func TestPresentPagesUnknown(t *testing.T) {
	b := kerneltest.New(t, 1)
	b.Types(nodeTypes)
	var missing *kernel.UnsupportedError
	if _, err := mm.PresentPages(b.Kernel()); !errors.As(err, &missing) {
		t.Errorf("%v", err)
	}
}

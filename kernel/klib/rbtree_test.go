package klib

import (
	"errors"
	"slices"
	"testing"

	"github.com/kinquest/inquest/mem"
)

// node writes a struct rb_node without parent and colour.
func (w words) node(at, left, right mem.Virt) {
	w[at+rbLeft], w[at+rbRight] = uint64(left), uint64(right)
}

func TestRBTree(t *testing.T) {
	tree := words{0x10: 0x400}
	tree.node(0x400, 0x200, 0x600)
	tree.node(0x200, 0x100, 0x300)
	tree.node(0x600, 0x500, 0)
	for _, leaf := range []mem.Virt{0x100, 0x300, 0x500} {
		tree.node(leaf, 0, 0)
	}
	got, err := collect(RBTree(tree, 0x10))
	if want := []mem.Virt{0x100, 0x200, 0x300, 0x400, 0x500, 0x600}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%x, %v", got, err)
	}
	if got, err := collect(RBTree(words{0x10: 0}, 0x10)); got != nil || err != nil {
		t.Errorf("empty tree: %x, %v", got, err)
	}
	delete(tree, 0x300+rbRight)
	if got, err := collect(RBTree(tree, 0x10)); !errors.Is(err, mem.ErrUnmapped) || len(got) != 3 {
		t.Errorf("unreadable node: %x, %v", got, err)
	}
	for range RBTree(tree, 0x10) {
		break
	}
}

func TestRBTreeEndsOnCycles(t *testing.T) {
	left := words{0x10: 0x100}
	left.node(0x100, 0x200, 0)
	left.node(0x200, 0x100, 0)
	if _, err := collect(RBTree(left, 0x10)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("cycle to the left: %v", err)
	}
	right := words{0x10: 0x100}
	right.node(0x100, 0, 0x200)
	right.node(0x200, 0, 0x300)
	right.node(0x300, 0, 0x200)
	if got, err := collect(RBTree(right, 0x10)); !errors.Is(err, ErrCorrupt) || len(got) > 8 {
		t.Errorf("cycle to the right: %d nodes, %v", len(got), err)
	}
}

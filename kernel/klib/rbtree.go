package klib

import (
	"fmt"
	"iter"

	"github.com/kinquest/inquest/mem"
)

// Offsets in struct rb_node (include/linux/rbtree_types.h): the parent and
// colour come first. They have never changed on 64-bit machines.
const (
	rbRight = 8
	rbLeft  = 16
)

// maxDepth bounds the depth of a red-black tree: twice the logarithm of more
// nodes than a 64-bit address space can hold.
const maxDepth = 128

// RBTree gives the nodes of a red-black tree from left to right. root is the
// address of the pointer to the topmost struct rb_node: a struct rb_root, or
// the first member of a struct rb_root_cached. An error comes once, and last.
func RBTree(r mem.Reader[mem.Virt], root mem.Virt) iter.Seq2[mem.Virt, error] {
	return func(yield func(mem.Virt, error) bool) {
		if err := inOrder(r, root, yield); err != nil {
			yield(0, fmt.Errorf("rbtree %s: %w", root, err))
		}
	}
}

// inOrder walks a tree until yield has enough. Children that lead back up end
// it: to the left by the depth, to the right by Brent's method.
func inOrder(r mem.Reader[mem.Virt], root mem.Virt, yield func(mem.Virt, error) bool) error {
	var path []mem.Virt // nodes whose left half is done or under way
	mark, power, seen := mem.Virt(0), 1, 0
	at, err := mem.U64(r, root)
	for n := 0; err == nil && (at != 0 || len(path) > 0); n++ {
		if n == maxNodes || len(path) == maxDepth {
			return fmt.Errorf("node %d at depth %d: %w", n, len(path), ErrCorrupt)
		}
		if at != 0 {
			path = append(path, mem.Virt(at))
			at, err = mem.U64(r, mem.Virt(at)+rbLeft)
			continue
		}
		node := path[len(path)-1]
		path = path[:len(path)-1]
		if node == mark {
			return fmt.Errorf("cycle at %s: %w", node, ErrCorrupt)
		}
		if !yield(node, nil) {
			return nil
		}
		if seen++; seen == power {
			mark, power = node, power*2
		}
		at, err = mem.U64(r, node+rbRight)
	}
	return err
}

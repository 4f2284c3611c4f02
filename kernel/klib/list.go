// Package klib walks the kernel's own data structures in a dump. Every walk
// ends: on the structure's end, on the first word that cannot be read, on a
// cycle, or at a limit.
package klib

import (
	"errors"
	"fmt"
	"iter"

	"github.com/kinquest/inquest/mem"
)

// ErrCorrupt: a data structure contradicts itself.
var ErrCorrupt = errors.New("corrupt data structure")

// maxNodes bounds a walk: more elements than any list of a kernel has.
const maxNodes = 1 << 24

// List gives the nodes of a circular list behind its head, a struct list_head
// (include/linux/list.h). An error comes once, and last.
func List(r mem.Reader[mem.Virt], head mem.Virt) iter.Seq2[mem.Virt, error] {
	return walk(r, "list", head, func(at mem.Virt) bool { return at == head })
}

// HList gives the nodes behind a struct hlist_head, whose list ends with NULL.
// An error comes once, and last.
func HList(r mem.Reader[mem.Virt], head mem.Virt) iter.Seq2[mem.Virt, error] {
	return walk(r, "hlist", head, func(at mem.Virt) bool { return at == 0 })
}

// walk follows the pointer at the start of each node until end accepts one.
// A cycle that does not lead back to the head is found by Brent's method.
func walk(r mem.Reader[mem.Virt], what string, head mem.Virt, end func(mem.Virt) bool) iter.Seq2[mem.Virt, error] {
	return func(yield func(mem.Virt, error) bool) {
		at, mark := head, head
		for n, power := 0, 1; ; n++ {
			next, err := mem.U64(r, at)
			switch {
			case err != nil:
				err = fmt.Errorf("%s %s: node %s: %w", what, head, at, err)
			case end(mem.Virt(next)):
				return
			case mem.Virt(next) == mark:
				err = fmt.Errorf("%s %s: cycle at %s: %w", what, head, mark, ErrCorrupt)
			case n == maxNodes:
				err = fmt.Errorf("%s %s: more than %d nodes: %w", what, head, maxNodes, ErrCorrupt)
			}
			if at = mem.Virt(next); !yield(at, err) || err != nil {
				return
			}
			if n == power {
				mark, power = at, power*2
			}
		}
	}
}

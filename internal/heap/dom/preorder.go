package dom

import (
	"context"

	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// renumber changes the numbers of the core nodes from the order of the search to the
// preorder of the dominator tree, so that what a node dominates is the range of
// numbers behind it, and one loop over the numbers is a walk over the tree. before
// are the dominators by the numbers of the search.
func (t *Tree) renumber(ctx context.Context, before []uint32) error {
	n := len(before)
	size, err := offheap.Make[uint32](t.graph.Memory, n) // of the subtree
	if err != nil {
		return err
	}
	defer size.Free()
	free, err := offheap.Make[uint32](t.graph.Memory, n) // the next number for a child; in the end, one behind the last
	if err != nil {
		return err
	}
	defer free.Free()
	for i := n - 1; i > 0; i-- {
		size.Items[i]++
		size.Items[before[i]] += size.Items[i]
	}
	size.Items[0]++
	free.Items[0] = 1
	for i := 1; i < n; i++ {
		at := &free.Items[before[i]]
		free.Items[i] = *at + 1
		*at += size.Items[i]
	}
	renumbered := func(i uint32) uint32 { return free.Items[i] - size.Items[i] }
	if t.idom, err = offheap.Make[uint32](t.graph.Memory, n); err != nil {
		return err
	}
	if t.end, err = offheap.Make[uint32](t.graph.Memory, n); err != nil {
		return err
	}
	t.end.Items[0] = uint32(n)
	err = each(ctx, n, func(from, to int) error {
		for i := from; i < to; i++ {
			if i > 0 {
				k := renumbered(uint32(i))
				t.idom.Items[k], t.end.Items[k] = renumbered(before[i]), free.Items[i]
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return each(ctx, len(t.number.Items), func(from, to int) error {
		for place := from; place < to; place++ {
			if i := t.number.Items[place]; i != 0 {
				t.number.Items[place] = renumbered(i)
			}
		}
		return nil
	})
}

// children yields the numbers of the core nodes that i, 0 for the virtual root,
// immediately dominates.
func (t *Tree) children(i uint32) func(yield func(child uint32) bool) {
	return func(yield func(child uint32) bool) {
		for c := i + 1; c < t.end.Items[i]; c = t.end.Items[c] {
			if !yield(c) {
				return
			}
		}
	}
}

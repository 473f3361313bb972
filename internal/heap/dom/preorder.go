package dom

import (
	"context"

	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// renumber changes the numbers of the core nodes from the order of the search to the
// preorder of the dominator tree, so that what a node dominates is the range of
// numbers behind it, and one loop over the numbers is a walk over the tree. It takes over
// what the search and semi-NCA left, but for the spare memory.
func (t *Tree) renumber(ctx context.Context, o *numbered) (err error) {
	before := o.idom.Items
	n := len(before)
	// For each node, how many are in its subtree; and the next number for a child, in the
	// end one behind the last one of the subtree.
	const one = 1 << 32
	if o.spare.Items == nil {
		if o.spare, err = offheap.MakePlain[uint64](t.graph.Memory, n); err != nil {
			return err
		}
	}
	order := o.spare.Items
	clear(order)
	for i := n - 1; i > 0; i-- {
		order[i] += one
		order[before[i]] += order[i]
	}
	order[0] += one + 1
	for i := 1; i < n; i++ {
		next := order[before[i]] & (one - 1)
		order[before[i]] += order[i] >> 32
		order[i] += next + 1
	}
	renumbered := func(i uint32) uint32 { return uint32(order[i]) - uint32(order[i]>>32) }
	if t.idom, err = offheap.MakePlain[uint32](t.graph.Memory, n); err != nil {
		return err
	}
	err = each(ctx, n, func(from, to int) error {
		for i := max(from, 1); i < to; i++ {
			t.idom.Items[renumbered(uint32(i))] = renumbered(before[i])
		}
		return nil
	})
	if err != nil {
		return err
	}
	t.end, o.idom = o.idom, offheap.Array[uint32]{} // fresh memory takes time
	t.end.Items[0] = uint32(n)
	return each(ctx, len(t.number.Items), func(from, to int) error {
		for place := from; place < to; place++ {
			switch i := t.number.Items[place]; {
			case i >= uint32(n):
				t.number.Items[place] = 0 // the search did not come there
			case i != 0:
				k := renumbered(i)
				t.number.Items[place], t.end.Items[k] = k, uint32(order[i])
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

// Package dom computes dominator trees of object graphs. It knows only numbers.
//
// Most objects of a real heap hang on one reference alone and lead nowhere but to
// such objects. They need no algorithm: they are peeled off first, and what is
// left, the core, is gone through in breadth, level by level, on all cores: see levels. Heaps
// are such that few suppositions have to be put right. Where many have, over long ways, the core
// goes through semi-NCA instead, which takes one core and about as long for any graph.
//
// Sources: Lengauer and Tarjan, "A fast algorithm for finding dominators in a
// flowgraph" (1979); Georgiadis, "Linear-time algorithms for dominators and
// related problems" (2005), chapter 2: semi-NCA, which needs no bucket and, unlike
// iterative dominators, no more passes for a chain of a million nodes.
package dom

import (
	"context"

	"github.com/apm-sidecar/apm-sidecar/internal/heap/edges"
	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// checkEvery is how many nodes go by between two looks at the context.
const checkEvery = 1 << 16

// Graph is what a tree is built of.
type Graph struct {
	// Memory is what big arrays are made from, see offheap.Make.
	Memory *offheap.Memory
	// Nodes is the number of the last node; the first one is 1.
	Nodes uint32
	// Edges holds the successors of all nodes.
	Edges *edges.Graph
	// Roots are the successors of the virtual root, without repetitions.
	Roots []uint32
	// Weight returns what a node weighs. It is called once a node or more often,
	// from several goroutines.
	Weight func(v uint32) uint64
	// Unit, unless 0, divides all weights.
	Unit uint64
}

// Tree is the dominator tree of the nodes that are reachable from a virtual
// root. It is read-only once built.
//
// The dominator of a peeled node is its only predecessor that is no orphan, so the
// children of a peeled node are its successors, and what it retains is what it leads to.
type Tree struct {
	graph  Graph
	limits limits
	core   core   // the nodes that are not peeled
	live   bitset // the reachable nodes
	size   int64  // how many those are
	// single are the nodes with one predecessor, orphans aside, until there are numbers.
	single bitset

	// number is the preorder number of a core node in the dominator tree, 0 for
	// unreachable ones. By place in the core.
	number offheap.Array[uint32]
	// vertex is the inverse: vertex[i] is the node numbered i, from 1.
	vertex offheap.Array[uint32]
	// idom, end and retained are indexed by number, 0 being the virtual root. i dominates
	// the core nodes from i up to, not including, end[i]; idom[i] < i.
	idom, end offheap.Array[uint32]
	retained  *sums
	// bearing are the numbers of the core nodes with peeled nodes below them.
	bearing bitset
}

// Build returns the dominator tree of g, which there is one of: it takes the degrees of
// g.Edges.
//
// Memory: while it runs, 20 bytes a core node and half a byte a node; with semi-NCA, 6 more for each
// reference to a core node that comes from behind in its search, and 4 for each node and reference that
// waits in it. The tree itself keeps 20 bytes a core node and half a byte a node. Errors: that of ctx;
// no memory.
func Build(ctx context.Context, g Graph) (*Tree, error) {
	return buildWithin(ctx, g, usualLimits())
}

func buildWithin(ctx context.Context, g Graph, l limits) (*Tree, error) {
	t := &Tree{graph: g, limits: l}
	if err := t.build(ctx); err != nil {
		t.Free()
		return nil, err
	}
	return t, nil
}

func (t *Tree) build(ctx context.Context) error {
	references, err := t.peel(ctx)
	if err != nil {
		return err
	}
	before, err := t.dominators(ctx, references)
	defer before.free()
	if err != nil {
		return err
	}
	if err := t.renumber(ctx, &before); err != nil {
		return err
	}
	if err := t.invert(ctx, &before); err != nil {
		return err
	}
	t.addUp()
	return nil
}

// numbered is what is known once the core nodes have numbers, by those.
type numbered struct {
	// idom are the immediate dominators.
	idom offheap.Array[uint32]
	// spare is memory that is not needed any more, of as many items, or empty.
	spare offheap.Array[uint64]
}

func (o *numbered) free() {
	o.idom.Free()
	o.spare.Free()
}

// dominators numbers the reachable core nodes and returns their dominators. references is how many
// there are in the core at most. Errors: that of ctx; no memory.
func (t *Tree) dominators(ctx context.Context, references int64) (o numbered, err error) {
	if err := t.plan(references); err != nil {
		return o, err
	}
	o, ok, err := t.level(ctx, references)
	if err != nil || ok {
		t.single.free()
		return o, err
	}
	t.number.Free()
	if err := t.planSearch(references); err != nil {
		return o, err
	}
	s, err := t.search(ctx)
	defer s.free()
	if err != nil {
		return o, err
	}
	return t.dominate(ctx, s)
}

// numberOf returns the number of a reachable core node, 0 for others.
func (t *Tree) numberOf(v uint32) uint32 {
	place, ok := t.core.place(v)
	if !ok {
		return 0
	}
	return t.number.Items[place]
}

// Free gives the tree's memory back.
func (t *Tree) Free() {
	t.core.free()
	t.live.free()
	t.single.free()
	t.number.Free()
	t.vertex.Free()
	t.idom.Free()
	t.end.Free()
	t.retained.free()
	t.bearing.free()
}

// Reachable says whether the node, 0 for none, can be reached from a root.
func (t *Tree) Reachable(v uint32) bool { return t.live.has(v) }

// Size returns the number of reachable nodes.
func (t *Tree) Size() int64 { return t.size }

// CoreSize returns how many of the reachable nodes were not peeled off.
func (t *Tree) CoreSize() int { return len(t.vertex.Items) - 1 }

// Total returns the weight of all reachable nodes.
func (t *Tree) Total() uint64 { return t.retained.of(0) }

// Top yields the nodes directly under the virtual root, and what each retains.
func (t *Tree) Top(yield func(v uint32, retained uint64) bool) {
	t.under(0, yield)
}

// under calls yield for the core nodes directly under the one numbered i, and what each retains, and
// says whether it wants more: to ask for that of each node alone waits for memory three times.
func (t *Tree) under(i uint32, yield func(v uint32, retained uint64) bool) (more bool) {
	for c := range t.children(i) {
		if !yield(t.vertex.Items[c], t.retained.of(c)) {
			return false
		}
	}
	return true
}

// Retained returns what would go with the node: the weight of all that it
// dominates, itself included. 0 for unreachable nodes. It costs a walk over what is
// retained by a peeled node, nothing for others.
func (t *Tree) Retained(v uint32) uint64 {
	if !t.live.has(v) {
		return 0
	}
	if i := t.numberOf(v); i != 0 {
		return t.retained.of(i)
	}
	w := walker{t: t}
	return w.subtree(v, nil)
}

package dom

import (
	"context"

	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// incoming are the references that the semidominators depend on, by number.
type incoming struct {
	// least[i] is the smallest number that refers to i from before it in the search.
	least offheap.Array[uint32]
	// later[start[i]:start[i+1]] are the numbers after i that refer to it. While the
	// semidominators are computed, from the last to the first, start[i] is replaced
	// by the semidominator of i.
	start offheap.Array[uint32]
	later offheap.Array[uint32]
}

func (in *incoming) free() {
	in.least.Free()
	in.start.Free()
	in.later.Free()
}

// incoming turns the edges between reachable core nodes around.
func (t *Tree) incoming(ctx context.Context, parent []uint32) (in incoming, err error) {
	n := len(parent)
	if in.least, err = offheap.Make[uint32](n); err != nil {
		return in, err
	}
	if in.start, err = offheap.Make[uint32](n + 1); err != nil {
		return in, err
	}
	copy(in.least.Items, parent)
	for _, r := range t.graph.Roots {
		in.least.Items[t.number.Items[t.core.rank(r)]] = 0
	}
	least, start := in.least.Items, in.start.Items
	err = t.coreEdges(ctx, func(from, to uint32) {
		if from > to {
			start[to]++
		} else if from < least[to] {
			least[to] = from
		}
	})
	if err != nil {
		return in, err
	}
	var sum uint32
	for i := range start {
		sum += start[i]
		start[i] = sum
	}
	if in.later, err = offheap.Make[uint32](int(sum)); err != nil {
		return in, err
	}
	later := in.later.Items
	// Filling moves each start back to the begin of its run.
	return in, t.coreEdges(ctx, func(from, to uint32) {
		if from > to {
			start[to]--
			later[start[to]] = from
		}
	})
}

// coreEdges calls visit for each edge between reachable core nodes, self-references
// left out, in the order of the nodes.
func (t *Tree) coreEdges(ctx context.Context, visit func(from, to uint32)) error {
	g := t.graph.Edges
	c := g.Cursor()
	number := t.number.Items
	rank := uint32(0)
	for v := uint32(1); v <= t.graph.Nodes; v++ {
		if v%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		run := c.From(v)
		if !t.core.has(v) {
			continue
		}
		from := number[rank]
		rank++
		if from == 0 {
			continue
		}
		for w, ok := g.Next(&run); ok; w, ok = g.Next(&run) {
			if !t.core.has(w) {
				continue
			}
			if to := number[t.core.rank(w)]; to != from {
				visit(from, to)
			}
		}
	}
	return nil
}

// dominate computes the immediate dominators of the core by semi-NCA. It takes
// parent over.
func (t *Tree) dominate(ctx context.Context, parent *offheap.Array[uint32]) error {
	in, err := t.incoming(ctx, parent.Items)
	defer in.free()
	if err != nil {
		return err
	}
	n := len(parent.Items)
	// The forest of the nodes done so far: label[v] is the least semidominator on
	// the way from v up to, not including, ancestor[v]. label begins as least.
	ancestor, err := offheap.Make[uint32](n)
	if err != nil {
		return err
	}
	defer ancestor.Free()
	copy(ancestor.Items, parent.Items)
	semi, err := in.semidominators(ctx, ancestor.Items)
	if err != nil {
		return err
	}
	// The dominator of i is the nearest ancestor that is no deeper than its
	// semidominator. idom takes parent's place as it goes.
	idom := parent.Items
	for i := 1; i < n; i++ {
		j := idom[i]
		for j > semi[i] {
			j = idom[j]
		}
		idom[i] = j
	}
	t.idom, *parent = *parent, offheap.Array[uint32]{}
	return nil
}

// semidominators computes them from the last node to the first.
func (in *incoming) semidominators(ctx context.Context, ancestor []uint32) (semi []uint32, err error) {
	label, start, later := in.least.Items, in.start.Items, in.later.Items
	var path []uint32
	end := uint32(len(later))
	for i := len(ancestor) - 1; i > 0; i-- {
		if i%checkEvery == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		least := label[i]
		for _, p := range later[start[i]:end] {
			// Compress the path from p to the edge of the forest.
			u := p
			for ancestor[u] > uint32(i) {
				path = append(path, u)
				u = ancestor[u]
			}
			for k := len(path) - 1; k >= 0; k-- {
				w := path[k]
				label[w] = min(label[w], label[u])
				ancestor[w] = ancestor[u]
				u = w
			}
			path = path[:0]
			least = min(least, label[p])
		}
		end = start[i]
		label[i], start[i] = least, least
	}
	return start, nil
}

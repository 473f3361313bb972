package dom

import (
	"context"
	"sync/atomic"

	"github.com/apm-sidecar/apm-sidecar/internal/heap/edges"
)

// retainAhead is how many nodes are looked ahead to have their sums fetched.
const retainAhead = 8

// retain sums up what the nodes retain and marks the reachable ones.
func (t *Tree) retain(ctx context.Context) (err error) {
	n := len(t.vertex.Items)
	if t.retained, err = newSums(t.graph.Memory, n, t.graph.Unit); err != nil {
		return err
	}
	if t.live, err = newBitset(t.graph.Memory, t.graph.Nodes); err != nil {
		return err
	}
	if t.bearing, err = newBitset(t.graph.Memory, uint32(n)); err != nil {
		return err
	}
	// First what each core node weighs with all that was peeled off below it.
	var size atomic.Int64
	mark := func(u uint32) bool {
		t.live.join(u)
		return true
	}
	err = t.each(ctx, func(from, to uint32) error {
		w, c := walker{t: t}, t.graph.Edges.Cursor()
		for v := from; v <= to; v++ {
			run := c.From(v)
			if ahead := v + retainAhead; ahead <= to {
				t.retained.items.Prefetch(uint64(t.numberOf(ahead)))
			}
			if i := t.numberOf(v); i != 0 {
				t.live.join(v)
				before := w.nodes
				t.retained.set(i, w.subtree(v, run, mark))
				if w.nodes > before+1 {
					t.bearing.join(i)
				}
			}
		}
		size.Add(w.nodes)
		return nil
	})
	if err != nil {
		return err
	}
	t.size = size.Load()
	for i := uint32(n - 1); i > 0; i-- {
		d := t.idom.Items[i]
		t.retained.set(d, t.retained.of(d)+t.retained.of(i))
	}
	return nil
}

// walker walks over the peeled nodes below a node. One goroutine each.
type walker struct {
	t     *Tree
	stack []edges.Run
	nodes int64 // how many nodes it met in all
}

// subtree returns the weight of v, whose successors are run, and of the peeled
// nodes below it. enter, if not nil, is called for each one below and says whether
// to count it and go on.
func (w *walker) subtree(v uint32, run edges.Run, enter func(u uint32) bool) uint64 {
	t, g := w.t, w.t.graph.Edges
	w.nodes++
	sum := t.graph.Weight(v)
	w.stack = append(w.stack[:0], run)
	for len(w.stack) > 0 {
		top := &w.stack[len(w.stack)-1]
		u, ok := g.Next(top)
		if !ok {
			w.stack = w.stack[:len(w.stack)-1]
			continue
		}
		if g.Done(*top) {
			w.stack = w.stack[:len(w.stack)-1] // a chain must not pile up
		}
		if t.core.has(u) || enter != nil && !enter(u) {
			continue
		}
		w.nodes++
		sum += t.graph.Weight(u)
		w.stack = append(w.stack, g.From(u))
	}
	return sum
}

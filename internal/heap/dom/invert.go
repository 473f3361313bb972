package dom

import (
	"context"
	"sync/atomic"

	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// invert makes vertex from number, and finds what the reachable core nodes weigh with what is peeled
// off below them, by number, and all nodes that are live. It takes over the spare memory of o.
// Errors: that of ctx; no memory.
func (t *Tree) invert(ctx context.Context, o *numbered) (err error) {
	n := len(t.idom.Items)
	var items offheap.Array[uint32]
	t.vertex, items = offheap.Halves(&o.spare)
	t.vertex.Items[0], items.Items[0] = 0, 0
	t.retained = newSums(items, t.graph.Unit)
	if t.live, err = newBitset(t.graph.Memory, t.graph.Nodes); err != nil {
		return err
	}
	if t.bearing, err = newBitset(t.graph.Memory, uint32(n)); err != nil {
		return err
	}
	var peeled atomic.Int64
	err = each(ctx, int(t.graph.Nodes)+1, func(from, to int) error {
		w, live, c := walker{t: t}, gatherer{set: &t.live}, t.graph.Edges.Cursor()
		defer live.flush()
		mark := func(u uint32) bool {
			live.join(u)
			return true
		}
		for v, nth := range t.core.members(uint32(from), uint32(to)) {
			i := t.number.Items[t.core.at(v, nth)]
			if i == 0 {
				continue
			}
			live.join(v)
			before := w.nodes
			sum := t.graph.Weight(v) + w.below(c.From(v), mark)
			if w.nodes > before {
				t.bearing.join(i)
			}
			t.vertex.Items[i] = v
			t.retained.set(i, sum)
		}
		peeled.Add(w.nodes)
		return nil
	})
	t.size = int64(n-1) + peeled.Load()
	return err
}

// addUp adds what the nodes retain to what their dominators do.
func (t *Tree) addUp() {
	for i := uint32(len(t.vertex.Items) - 1); i > 0; i-- {
		d := t.idom.Items[i]
		t.retained.set(d, t.retained.of(d)+t.retained.of(i))
	}
}

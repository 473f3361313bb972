package dom

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/apm-sidecar/apm-sidecar/internal/cores"
	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// burden is what is peeled off below the core nodes, by their order. It takes no
// search to weigh it, so that is done beside the search, which has but one core.
type burden struct {
	sums    *sums
	bearing bitset
	// nodes is how many peeled nodes there are below core nodes.
	nodes int64
}

func (b *burden) free() {
	b.sums.free()
	b.bearing.free()
}

// searchAndWeigh numbers the core nodes and returns their dominators, and what the core
// nodes bear. It marks all nodes as live but the core nodes.
func (t *Tree) searchAndWeigh(ctx context.Context) (o numbered, b burden, err error) {
	if b, err = t.newBurden(); err != nil {
		return o, b, err
	}
	s := &stretches{n: int(t.graph.Nodes) + 1}
	var nodes atomic.Int64
	weigh := func(ctx context.Context) error {
		w := walker{t: t}
		err := s.run(ctx, func(from, to int) error {
			t.weigh(&b, &w, uint32(from), uint32(to))
			return nil
		})
		nodes.Add(w.nodes)
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	searching, found := context.WithCancel(ctx)
	defer found()
	for k := range cores.Workers() - 1 {
		g.Go(func() error {
			if err := weigh(ctx); err != nil || k > 0 || t.graph.Beside == nil {
				return err
			}
			return t.graph.Beside(searching)
		})
	}
	g.Go(func() (err error) {
		o, err = t.searchAndDominate(ctx)
		found()
		if err != nil {
			return err
		}
		return weigh(ctx)
	})
	err = g.Wait()
	b.nodes = nodes.Load()
	return o, b, err
}

// newBurden returns that of nodes that bear nothing. Only what is written to takes
// memory.
func (t *Tree) newBurden() (b burden, err error) {
	if t.live, err = newBitset(t.graph.Memory, t.graph.Nodes); err != nil {
		return b, err
	}
	if b.bearing, err = newBitset(t.graph.Memory, t.core.count); err != nil {
		return b, err
	}
	items, err := offheap.ReservePlain[uint32](t.graph.Memory, int(t.core.count))
	b.sums = newSums(items, t.graph.Unit)
	return b, err
}

// weigh weighs what the core nodes among from, ..., to-1 bear.
func (t *Tree) weigh(b *burden, w *walker, from, to uint32) {
	c := t.graph.Edges.Cursor()
	live := gatherer{set: &t.live}
	defer live.flush()
	mark := func(u uint32) bool {
		live.join(u)
		return true
	}
	for v, nth := range t.core.members(from, to) {
		before := w.nodes
		if sum := w.below(c.From(v), mark); w.nodes > before {
			b.sums.set(nth, sum)
			b.bearing.join(nth)
		}
	}
}

// invert makes vertex from number, marks the reachable core nodes as live, and has what
// those and their burden weigh by number. Nodes below unreachable ones were not live after
// all. It takes over the spare memory of o.
func (t *Tree) invert(ctx context.Context, o *numbered, b *burden) (err error) {
	n := len(t.idom.Items)
	var items offheap.Array[uint32]
	t.vertex, items = offheap.Halves(&o.spare)
	t.vertex.Items[0], items.Items[0] = 0, 0
	t.retained = newSums(items, t.graph.Unit)
	if t.bearing, err = newBitset(t.graph.Memory, uint32(n)); err != nil {
		return err
	}
	var dead atomic.Int64
	err = each(ctx, int(t.graph.Nodes)+1, func(from, to int) error {
		w, live := walker{t: t}, gatherer{set: &t.live}
		defer live.flush()
		for v, nth := range t.core.members(uint32(from), uint32(to)) {
			i, bears := t.number.Items[t.core.at(v, nth)], b.bearing.has(nth)
			switch {
			case i != 0:
				live.join(v)
				t.vertex.Items[i] = v
				sum := t.graph.Weight(v)
				if bears {
					sum += b.sums.of(nth)
					t.bearing.join(i)
				}
				t.retained.set(i, sum)
			case bears:
				w.below(t.graph.Edges.From(v), func(u uint32) bool {
					t.live.leave(u)
					return true
				})
			}
		}
		dead.Add(w.nodes)
		return nil
	})
	t.size = int64(n-1) + b.nodes - dead.Load()
	return err
}

// addUp adds what the nodes retain to what their dominators do.
func (t *Tree) addUp() {
	for i := uint32(len(t.vertex.Items) - 1); i > 0; i-- {
		d := t.idom.Items[i]
		t.retained.set(d, t.retained.of(d)+t.retained.of(i))
	}
}

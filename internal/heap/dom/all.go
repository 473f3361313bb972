package dom

import (
	"context"

	"github.com/apm-sidecar/apm-sidecar/internal/heap/edges"
	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// All holds the tree in a form in which every node is as quick to look up as any
// other.
type All struct {
	// Dominator is indexed by node: its immediate dominator, 0 for the virtual root
	// and for nodes that are not reachable.
	Dominator offheap.Array[uint32]
	// Retained is indexed by node: the weight of all that it dominates, itself
	// included; 0 for nodes that are not reachable.
	Retained offheap.Array[uint64]
}

// Free gives the memory back.
func (a *All) Free() {
	a.Dominator.Free()
	a.Retained.Free()
}

// All computes the dominator and the retained weight of every node on all cores, in time
// linear in their number, however deep the tree is. Memory: 12 bytes a node. Errors: that of
// ctx; no memory.
func (t *Tree) All(ctx context.Context) (*All, error) {
	n := int(t.graph.Nodes) + 1
	a := &All{}
	if err := t.graph.Memory.Plan(offheap.Need{Phase: "adding up", Bytes: 12 * int64(n), Nodes: int64(n)}); err != nil {
		return nil, err
	}
	if err := a.fill(ctx, t, n); err != nil {
		a.Free()
		return nil, err
	}
	return a, nil
}

func (a *All) fill(ctx context.Context, t *Tree, n int) (err error) {
	if a.Dominator, err = offheap.Make[uint32](t.graph.Memory, n); err != nil {
		return err
	}
	if a.Retained, err = offheap.Make[uint64](t.graph.Memory, n); err != nil {
		return err
	}
	return each(ctx, n, func(from, to int) error {
		w := adder{t: t, dominator: a.Dominator.Items, retained: a.Retained.Items}
		for v, nth := range t.core.members(uint32(from), uint32(to)) {
			i := t.number.Items[t.core.at(v, nth)]
			if i == 0 {
				continue
			}
			if t.bearing.has(i) {
				w.below(v)
			}
			w.dominator[v], w.retained[v] = t.vertex.Items[t.idom.Items[i]], t.retained.of(i)
		}
		return nil
	})
}

// adder adds up what peeled nodes retain. One goroutine each.
type adder struct {
	t         *Tree
	dominator []uint32 // by node
	retained  []uint64 // by node
	stack     []adderRun
}

// adderRun is a node whose successors are followed.
type adderRun struct {
	run edges.Run
	v   uint32
}

// below finds what the peeled nodes below v retain.
func (w *adder) below(v uint32) {
	g, core := w.t.graph.Edges, &w.t.core
	w.stack = append(w.stack[:0], adderRun{g.From(v), v})
	for len(w.stack) > 0 {
		top := &w.stack[len(w.stack)-1]
		d := top.v
		u, ok := g.Next(&top.run)
		last := !ok || g.Done(top.run)
		if last {
			w.stack = w.stack[:len(w.stack)-1] // a chain must not pile up
		}
		if ok && !core.has(u) {
			w.dominator[u], w.retained[u] = d, w.t.graph.Weight(u)
			if next := g.From(u); !g.Done(next) {
				w.stack = append(w.stack, adderRun{next, u})
				continue
			}
			w.hand(u, v)
		} else if last {
			w.hand(d, v)
		}
	}
}

// hand adds what u retains to its dominator, and goes on with that one if u was the last
// that it waited for: up to the top of the stack, or to v, below which all are.
func (w *adder) hand(u, v uint32) {
	end := v
	if n := len(w.stack); n > 0 {
		end = w.stack[n-1].v
	}
	for u != end {
		d := w.dominator[u]
		w.retained[d] += w.retained[u]
		u = d
	}
}

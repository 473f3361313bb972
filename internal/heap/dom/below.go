package dom

import (
	"context"
	"iter"
	"sync/atomic"

	"github.com/apm-sidecar/apm-sidecar/internal/cores"
)

// Below calls visit for every node but v itself that v, not 0, dominates, in no particular
// order, until that returns false. It allocates nothing for a node.
func (t *Tree) Below(v uint32, visit func(u uint32) bool) {
	if !t.live.has(v) {
		return
	}
	w := visitor{walker{t: t}, visit}
	from := t.numberOf(v)
	if from == 0 {
		w.below(t.graph.Edges.From(v), w.look)
		return
	}
	for i := from; i < t.end.Items[from] && !w.halt; i++ {
		u := t.vertex.Items[i]
		if i > from && !w.look(u) {
			return
		}
		if t.bearing.has(i) {
			w.below(t.graph.Edges.From(u), w.look)
		}
	}
}

// BelowAtOnce is Below on all cores: it calls worker once for each, and for each node one of the
// functions that this returns, none of them twice at the same time. What visits returns false is
// not called again. Errors: that of ctx.
func (t *Tree) BelowAtOnce(ctx context.Context, v uint32, worker func() (visit func(u uint32) bool)) error {
	if !t.live.has(v) {
		return nil
	}
	visitors := make([]*visitor, cores.Workers())
	for k := range visitors {
		visitors[k] = &visitor{walker{t: t}, worker()}
	}
	left, err := t.coreBelow(ctx, v, visitors)
	if err != nil {
		return err
	}
	left = visitors[0].split(left)
	var next atomic.Int64
	return atOnce(ctx, len(visitors), func(ctx context.Context, k int) error {
		for i := next.Add(1); int(i) <= len(left) && ctx.Err() == nil; i = next.Add(1) {
			visitors[k].walk(left[i-1])
		}
		return ctx.Err()
	})
}

// coreBelow visits the core nodes that v dominates, and what is peeled off below them. It leaves
// pieces of what is peeled off where there may be very much below one node.
func (t *Tree) coreBelow(ctx context.Context, v uint32, visitors []*visitor) (left []piece, err error) {
	from := t.numberOf(v)
	if from == 0 {
		return t.pieces(nil, t.graph.Edges.From(v)), nil
	}
	heavy := t.retained.of(from) / uint64(partsPerCore*len(visitors))
	numbers := &stretches{n: int(t.end.Items[from] - from)}
	lefts := make([][]piece, len(visitors))
	err = atOnce(ctx, len(visitors), func(ctx context.Context, k int) error {
		w := visitors[k]
		return numbers.run(ctx, func(begin, end int) error {
			for i := from + uint32(begin); i < from+uint32(end) && !w.halt; i++ {
				u := t.vertex.Items[i]
				if i > from && !w.look(u) {
					break
				}
				if !t.bearing.has(i) {
					continue
				}
				if run := t.graph.Edges.From(u); t.retained.of(i) < heavy {
					w.below(run, w.look)
				} else {
					lefts[k] = t.pieces(lefts[k], run)
				}
			}
			return nil
		})
	})
	for _, some := range lefts {
		left = append(left, some...)
	}
	return left, err
}

// visitor calls visit for nodes until that returns false. One goroutine at a time.
type visitor struct {
	walker
	visit func(u uint32) bool
}

// look visits a node and says whether to go on.
func (w *visitor) look(u uint32) bool {
	w.halt = w.halt || !w.visit(u)
	return !w.halt
}

// manyPieces are enough for all cores, whatever lies below each.
const manyPieces = 1 << 10

// split visits what lies right below some pieces, and below that, until there are many pieces of
// what is left.
func (w *visitor) split(left []piece) []piece {
	var next []piece
	for len(left) > 0 && len(left) < manyPieces {
		next = next[:0]
		for _, p := range left {
			for u := range w.peeled(p) {
				next = w.t.pieces(next, w.t.graph.Edges.From(u))
			}
		}
		left, next = next, left
	}
	return left
}

// walk visits the peeled nodes of a piece, and those below them.
func (w *visitor) walk(p piece) {
	for u := range w.peeled(p) {
		w.below(w.t.graph.Edges.From(u), w.look)
	}
}

// peeled visits the peeled nodes of a piece, and yields each.
func (w *visitor) peeled(p piece) iter.Seq[uint32] {
	return func(yield func(u uint32) bool) {
		run := p.run
		for range p.n {
			u, _ := w.t.graph.Edges.Next(&run)
			if !w.t.core.has(u) && (!w.look(u) || !yield(u)) {
				return
			}
		}
	}
}

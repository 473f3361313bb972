package dom

import (
	"context"
	"math/bits"
	"sync/atomic"

	"github.com/apm-sidecar/apm-sidecar/internal/heap/edges"
)

// Orphans are nodes that nothing leads to but other orphans, and that are no roots: garbage.
// What they refer to has one predecessor more for it, as the elements of a list have all the
// arrays that it has outgrown, and would not be peeled.

// disown takes the orphans' references away from what they refer to, as a collector that
// counts references would. off are the nodes that nothing leads to, stay are the roots.
// Errors: that of ctx.
func (p *peeling) disown(ctx context.Context, degrees *edges.Degrees) error {
	var orphans, lost atomic.Int64
	err := each(ctx, len(p.off.words.Items), func(from, to int) error {
		w := orphanage{p: p, degrees: degrees}
		for i := from; i < to; i++ {
			for word := p.off.words.Items[i]; word != 0; word &= word - 1 {
				if v := uint32(64*i + bits.TrailingZeros64(word)); v != 0 && v <= p.graph.Nodes {
					w.disown(v)
				}
			}
		}
		orphans.Add(w.orphans)
		lost.Add(w.lost)
		return nil
	})
	p.orphans, p.lost = orphans.Load(), lost.Load()
	return err
}

// orphanage counts orphans and their references. One goroutine each.
type orphanage struct {
	p             *peeling
	degrees       *edges.Degrees
	stack         []edges.Run
	orphans, lost int64
}

// disown takes away the references of v, and of the nodes that become orphans by that.
func (o *orphanage) disown(v uint32) {
	g := o.p.graph.Edges
	o.orphans++
	o.stack = append(o.stack[:0], g.From(v))
	for len(o.stack) > 0 {
		top := &o.stack[len(o.stack)-1]
		u, ok := g.Next(top)
		if !ok || g.Done(*top) {
			o.stack = o.stack[:len(o.stack)-1] // a chain must not pile up
		}
		if !ok {
			continue
		}
		o.lost++
		if o.degrees.Disown(u) && !o.p.stay.has(u) {
			o.orphans++
			o.stack = append(o.stack, g.From(u))
		}
	}
}

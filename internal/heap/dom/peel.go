package dom

import (
	"context"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/apm-sidecar/apm-sidecar/internal/cores"
	"github.com/apm-sidecar/apm-sidecar/internal/heap/edges"
)

const (
	// maxPeels bounds the passes over all nodes; chains that run against the order
	// of the addresses need the change of direction, few heaps gain from more.
	maxPeels = 6
	// worthPeeling is the least part of the nodes, as 1/worthPeeling, that a pass
	// must have decided on, and that must be open, for another one to be made.
	worthPeeling = 64
)

// peel finds the nodes that need no algorithm: those with one predecessor, orphans aside,
// whose successors are all peeled. Their dominator is that predecessor, and no path
// to another node leads through them. Roots have the virtual root as predecessor
// and stay. t.core is what is left; references is how many there are between its nodes at
// most.
func (t *Tree) peel(ctx context.Context) (references int64, err error) {
	p := peeling{graph: &t.graph}
	defer p.free()
	if err := p.begin(ctx); err != nil {
		return 0, err
	}
	for pass, poor := 0, 0; pass < maxPeels && poor < 2 && p.open >= int64(t.graph.Nodes)/worthPeeling; pass++ {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if gain := p.pass(pass%2 == 0); gain < int64(t.graph.Nodes)/worthPeeling {
			poor++
		} else {
			poor = 0
		}
	}
	if t.core, err = newCore(t.graph.Memory, &p.off, t.graph.Nodes); err != nil {
		return 0, err
	}
	// A peeled node has one predecessor that is no orphan, and refers to no core node.
	peeled := int64(t.graph.Nodes) - int64(t.core.count) - p.orphans
	return int64(t.graph.Edges.Successors()) - p.lost - peeled, nil
}

// peeling is the state of peel.
type peeling struct {
	graph *Graph
	// off are the nodes that are peeled, and the orphans, which are as good as not there;
	// stay those that never will be peeled: those with several predecessors, and those that
	// lead to one that stays.
	off, stay bitset
	// open is how many are neither yet.
	open int64
	// orphans is how many there are, and lost how many references they have.
	orphans, lost int64
}

func (p *peeling) free() {
	p.off.free()
	p.stay.free()
}

// begin finds the orphans, and the nodes that stay for their predecessors' sake. Errors:
// that of ctx; no memory.
func (p *peeling) begin(ctx context.Context) (err error) {
	if p.off, err = newBitset(p.graph.Memory, p.graph.Nodes); err != nil {
		return err
	}
	if p.stay, err = newBitset(p.graph.Memory, p.graph.Nodes); err != nil {
		return err
	}
	for _, r := range p.graph.Roots {
		p.stay.set(r)
	}
	degrees := p.graph.Edges.TakeDegrees()
	defer degrees.Free()
	stay, off := p.stay.words.Items, p.off.words.Items
	err = each(ctx, len(stay), func(from, to int) error {
		for i := from; i < to; i++ {
			none, _ := degrees.Of(i)
			off[i] = none &^ stay[i]
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := p.disown(ctx, &degrees); err != nil {
		return err
	}
	var open atomic.Int64
	err = each(ctx, len(stay), func(from, to int) error {
		for i := from; i < to; i++ {
			none, one := degrees.Of(i)
			off[i] = none &^ stay[i]
			stay[i] |= ^(none | one)
			open.Add(int64(bits.OnesCount64(^(stay[i] | off[i]))))
		}
		return nil
	})
	p.open = open.Load()
	return err
}

// pass makes one pass over all nodes, up or down: a chain is peeled in the pass that
// begins at its end. Each core has one stretch, so that a chain is cut into few. It
// returns how many open nodes it decided on.
func (p *peeling) pass(up bool) int64 {
	var gain atomic.Int64
	var wg sync.WaitGroup
	parts := uint64(cores.Workers())
	cut := func(i uint64) uint32 { return uint32(uint64(len(p.off.words.Items)) * i / parts) }
	for i := range parts {
		wg.Go(func() {
			if up {
				gain.Add(p.up(cut(i), cut(i+1)))
			} else {
				gain.Add(p.down(cut(i), cut(i+1)))
			}
		})
	}
	wg.Wait()
	p.open -= gain.Load()
	return gain.Load()
}

// openOf returns which of the nodes 64i to 64i+63 are neither peeled nor to stay.
func (p *peeling) openOf(i uint32) uint64 {
	return ^(atomic.LoadUint64(&p.stay.words.Items[i]) | atomic.LoadUint64(&p.off.words.Items[i]))
}

// up decides on the nodes 64from, ..., 64to-1 in this order, down in the opposite one.
func (p *peeling) up(from, to uint32) (gain int64) {
	c := p.graph.Edges.Cursor()
	for i := from; i < to; i++ {
		for word := p.openOf(i); word != 0; word &= word - 1 {
			v := 64*i + uint32(bits.TrailingZeros64(word))
			if p.decide(v, c.From(v)) {
				gain++
			}
		}
	}
	return gain
}

func (p *peeling) down(from, to uint32) (gain int64) {
	// Runs are found in ascending order much faster: a few at a time, then back.
	const few = 4
	var nodes [64 * few]uint32
	var runs [64 * few]edges.Run
	c := p.graph.Edges.Cursor()
	for end := to; end > from; {
		begin, n := max(end, from+few)-few, 0
		for i := begin; i < end; i++ {
			for word := p.openOf(i); word != 0; word &= word - 1 {
				v := 64*i + uint32(bits.TrailingZeros64(word))
				nodes[n], runs[n] = v, c.From(v)
				n++
			}
		}
		for n--; n >= 0; n-- {
			if p.decide(nodes[n], runs[n]) {
				gain++
			}
		}
		end = begin
	}
	return gain
}

// decide peels v, whose successors are run, if they are all peeled, or lets it stay if
// one of them stays.
func (p *peeling) decide(v uint32, run edges.Run) bool {
	g, open := p.graph.Edges, false
	for w, ok := g.Next(&run); ok; w, ok = g.Next(&run) {
		if p.stay.share(w) {
			p.stay.join(v)
			return true
		}
		open = open || !p.off.share(w)
	}
	if !open {
		p.off.join(v)
	}
	return !open
}

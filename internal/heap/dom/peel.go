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
	// fewOpen is how many nodes one core decides on after the passes; each may take 32 bytes.
	fewOpen = 1 << 18
)

// peel finds the nodes that need no algorithm: those with one predecessor, orphans aside,
// whose successors are all peeled. Their dominator is that predecessor, and no path
// to another node leads through them. Roots have the virtual root as predecessor
// and stay. t.core is what is left; references is how many there are between its nodes at
// most.
func (t *Tree) peel(ctx context.Context) (references int64, err error) {
	p := peeling{graph: &t.graph, parts: cores.Workers()}
	defer p.free()
	if err := p.run(ctx); err != nil {
		return 0, err
	}
	if t.core, err = newCore(t.graph.Memory, &p.off, t.graph.Nodes); err != nil {
		return 0, err
	}
	t.single, p.single = p.single, bitset{}
	// A peeled node has one predecessor that is no orphan, and refers to no core node.
	peeled := int64(t.graph.Nodes) - int64(t.core.count) - p.orphans
	return int64(t.graph.Edges.Successors()) - p.lost - peeled, nil
}

// peeling is the state of peel.
type peeling struct {
	graph *Graph
	parts int // how many goroutines make a pass
	// off are the nodes that are peeled, and the orphans, which are as good as not there;
	// stay those that never will be peeled: those with several predecessors, and those that
	// lead to one that stays.
	off, stay bitset
	// single are the nodes with one predecessor, orphans aside, that are no roots.
	single bitset
	// open is how many are neither yet.
	open int64
	// orphans is how many there are, and lost how many references they have.
	orphans, lost int64
}

func (p *peeling) free() {
	p.off.free()
	p.stay.free()
	p.single.free()
}

// run decides on the nodes, on all that are worth a pass. Errors: that of ctx; no memory.
func (p *peeling) run(ctx context.Context) error {
	if err := p.begin(ctx); err != nil {
		return err
	}
	worth := int64(p.graph.Nodes) / worthPeeling
	for pass, poor := 0, 0; pass < maxPeels && poor < 2 && p.open > 0 && p.open >= worth; pass++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		before := p.open
		if stays := p.pass(pass%2 == 0); stays == 0 {
			p.peelOpen()
		}
		if before-p.open < worth {
			poor++
		} else {
			poor = 0
		}
	}
	if p.open <= fewOpen {
		p.settle()
	}
	return nil
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
	if p.single, err = newBitset(p.graph.Memory, p.graph.Nodes); err != nil {
		return err
	}
	for _, r := range p.graph.Roots {
		p.stay.set(r)
	}
	degrees := p.graph.Edges.TakeDegrees()
	defer degrees.Free()
	stay, off, single := p.stay.words.Items, p.off.words.Items, p.single.words.Items
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
			off[i], single[i] = none&^stay[i], one&^stay[i]
			stay[i] |= ^(none | one)
			open.Add(int64(bits.OnesCount64(^(stay[i] | off[i]))))
		}
		return nil
	})
	p.open = open.Load()
	return err
}

// pass makes one pass over all nodes, up or down: a chain is peeled in the pass that
// begins at its end. Each core has one stretch, with as many open nodes as the others', so that a
// chain is cut into few. It returns how many open nodes it lets stay.
func (p *peeling) pass(up bool) int64 {
	var peeled, stays atomic.Int64
	var wg sync.WaitGroup
	cuts := p.cuts()
	for i, to := range cuts[1:] {
		from := cuts[i]
		wg.Go(func() {
			w := peeler{peeling: p}
			if up {
				w.up(from, to)
			} else {
				w.down(from, to)
			}
			peeled.Add(w.peeled)
			stays.Add(w.stays)
		})
	}
	wg.Wait()
	p.open -= peeled.Load() + stays.Load()
	return stays.Load()
}

// cuts returns where stretches with as many open nodes each begin and end, in words of the sets.
func (p *peeling) cuts() []uint32 {
	cuts, parts, seen := []uint32{0}, int64(p.parts), int64(0)
	for i := range uint32(len(p.off.words.Items)) {
		for seen*parts > p.open*int64(len(cuts)) {
			cuts = append(cuts, i)
		}
		seen += int64(bits.OnesCount64(p.openOf(i)))
	}
	for len(cuts) <= p.parts {
		cuts = append(cuts, uint32(len(p.off.words.Items)))
	}
	return cuts
}

// peelOpen peels all open nodes, after a pass in which none has come to stay: what leads to
// a node that stays is known by then. The others wait for each other, as in a chain of which each
// core has but a part, or are a ring that nothing leads to.
func (p *peeling) peelOpen() {
	for i := range p.off.words.Items {
		p.off.words.Items[i] = ^p.stay.words.Items[i]
	}
	p.open = 0
}

// settle decides on the nodes that are still open, so that the graph alone tells what is peeled, not
// how far each core had come when another one asked: reports tell nodes of the core from others.
func (p *peeling) settle() {
	for i := range uint32(len(p.off.words.Items)) {
		for word := p.openOf(i); word != 0; word &= word - 1 {
			if v := 64*i + uint32(bits.TrailingZeros64(word)); !p.off.has(v) && !p.stay.has(v) {
				p.settleFrom(v)
			}
		}
	}
	p.open = 0
}

// settleFrom decides on an open node and on those that it leads to, each of which has no other
// predecessor: depth first, and back as soon as one stays.
func (p *peeling) settleFrom(v uint32) {
	type step struct {
		v   uint32
		run edges.Run
	}
	g := p.graph.Edges
	p.off.set(v) // until one stays that it leads to
	way := []step{{v, g.From(v)}}
	for len(way) > 0 {
		top := &way[len(way)-1]
		u, more := g.Next(&top.run)
		switch {
		case !more:
			way = way[:len(way)-1]
		case p.stay.has(u):
			for _, s := range way {
				p.off.clear(s.v)
				p.stay.set(s.v)
			}
			way = way[:0]
		case !p.off.has(u):
			p.off.set(u)
			way = append(way, step{u, g.From(u)})
		}
	}
}

// openOf returns which of the nodes 64i to 64i+63 are neither peeled nor to stay.
func (p *peeling) openOf(i uint32) uint64 {
	return ^(atomic.LoadUint64(&p.stay.words.Items[i]) | atomic.LoadUint64(&p.off.words.Items[i]))
}

// peeler decides on nodes, those of a word of the sets at a time, which it writes alone. One
// goroutine each.
type peeler struct {
	*peeling
	peeled, stays int64 // how many nodes it has decided so on
	// at is the word, and hereOff and hereStay is what the sets say of it.
	at                uint32
	hereOff, hereStay uint64
}

// up decides on the nodes 64from, ..., 64to-1 in this order, down in the opposite one.
func (p *peeler) up(from, to uint32) {
	c := p.graph.Edges.Cursor()
	for i := from; i < to; i++ {
		word := p.begin(i)
		for ; word != 0; word &= word - 1 {
			v := 64*i + uint32(bits.TrailingZeros64(word))
			p.decide(v, c.From(v))
		}
		p.end()
	}
}

func (p *peeler) down(from, to uint32) {
	// Runs are found in ascending order much faster: a few at a time, then back.
	const few = 4
	var runs [64 * few]edges.Run
	c := p.graph.Edges.Cursor()
	for end := to; end > from; {
		begin := max(end, from+few) - few
		for i := begin; i < end; i++ {
			for word := p.openOf(i); word != 0; word &= word - 1 {
				k := uint32(bits.TrailingZeros64(word))
				runs[64*(i-begin)+k] = c.From(64*i + k)
			}
		}
		for ; end > begin; end-- {
			i := end - 1
			for word := p.begin(i); word != 0; {
				k := uint32(bits.Len64(word)) - 1
				word &^= 1 << k
				p.decide(64*i+k, runs[64*(i-begin)+k])
			}
			p.end()
		}
	}
}

// begin takes word i, and returns the open nodes.
func (p *peeler) begin(i uint32) (open uint64) {
	p.at = i
	p.hereOff, p.hereStay = atomic.LoadUint64(&p.off.words.Items[i]), atomic.LoadUint64(&p.stay.words.Items[i])
	return ^(p.hereOff | p.hereStay)
}

// end puts it back.
func (p *peeler) end() {
	if before := p.openOf(p.at); before != ^(p.hereOff | p.hereStay) {
		atomic.StoreUint64(&p.off.words.Items[p.at], p.hereOff)
		atomic.StoreUint64(&p.stay.words.Items[p.at], p.hereStay)
	}
}

// decide peels v, whose successors are run, if they are all peeled, or lets it stay if
// one of them stays.
func (p *peeler) decide(v uint32, run edges.Run) {
	g, open := p.graph.Edges, false
	for w, ok := g.Next(&run); ok; w, ok = g.Next(&run) {
		off, stay := p.hereOff, p.hereStay
		if w/64 != p.at {
			off, stay = atomic.LoadUint64(&p.off.words.Items[w/64]), atomic.LoadUint64(&p.stay.words.Items[w/64])
		}
		if bit := uint64(1) << (w % 64); stay&bit != 0 {
			p.hereStay |= 1 << (v % 64)
			p.stays++
			return
		} else if off&bit == 0 {
			open = true
		}
	}
	if !open {
		p.hereOff |= 1 << (v % 64)
		p.peeled++
	}
}

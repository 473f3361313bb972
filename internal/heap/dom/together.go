package dom

import (
	"context"
	"iter"
	"math/bits"
	"sync/atomic"
)

// Dominates says whether every way from a root to v leads through d. It costs a walk
// over what d retains where v was peeled off, nothing else.
func (t *Tree) Dominates(d, v uint32) bool {
	if d == v || !t.live.has(d) || !t.live.has(v) {
		return d == v && t.live.has(v)
	}
	from, below := t.numberOf(d), t.numberOf(v)
	if from != 0 && below != 0 {
		return from < below && below < t.end.Items[from]
	}
	if below != 0 {
		return false // nothing but peeled nodes is below a peeled one
	}
	w := walker{t: t} // which halts where v is found
	look := func(u uint32) (into bool) {
		w.halt = u == v
		return !w.halt
	}
	if from == 0 {
		w.below(t.graph.Edges.From(d), look)
	} else {
		w.belowCore(from, look)
	}
	return w.halt
}

// RetainedTogether returns the sum of what the nodes retain, leaving out those that
// another one of them dominates. It costs a walk over what is peeled off below those of
// the nodes that are peeled, and, if there are any, over what the others retain.
// Memory while it runs: two bits a node. Errors: no memory.
func RetainedTogether[N ~uint32](t *Tree, nodes iter.Seq[N]) (uint64, error) {
	tops, err := newBitset(t.graph.Memory, uint32(len(t.vertex.Items))) // the numbers of the core nodes
	if err != nil {
		return 0, err
	}
	defer tops.free()
	peeled, err := newBitset(t.graph.Memory, t.graph.Nodes)
	if err != nil {
		return 0, err
	}
	defer peeled.free()
	least, most := t.graph.Nodes, uint32(0) // of the peeled ones
	for n := range nodes {
		v := uint32(n)
		if i := t.numberOf(v); i != 0 {
			tops.set(i)
		} else if t.live.has(v) {
			peeled.set(v)
			least, most = min(least, v), max(most, v)
		}
	}
	sum, w := uint64(0), walker{t: t}
	for i := range t.topmost(&tops) {
		sum += t.retained.of(i)
		if most != 0 {
			w.belowCore(i, func(u uint32) bool {
				peeled.clear(u)
				return true
			})
		}
	}
	if most == 0 {
		return sum, nil
	}
	return sum + t.unionBelow(&peeled, least/64, most/64+1), nil
}

// unionBelow returns what the peeled nodes of a set and those below them weigh, each counted
// once: each node's walk ends where another one's begins. Their words in the set are from,
// ..., to-1.
func (t *Tree) unionBelow(set *bitset, from, to uint32) uint64 {
	var sum atomic.Uint64
	others := func(u uint32) bool { return !set.has(u) }
	// It never fails: nothing of it does, and nobody cancels it.
	_ = each(context.Background(), int(to-from), func(begin, end int) error {
		own, w := uint64(0), walker{t: t}
		for i := from + uint32(begin); i < from+uint32(end); i++ {
			for word := set.words.Items[i]; word != 0; word &= word - 1 {
				own += w.subtree(64*i+uint32(bits.TrailingZeros64(word)), others)
			}
		}
		sum.Add(own)
		return nil
	})
	return sum.Load()
}

// topmost yields the core nodes of a set of numbers that no other one of it dominates.
func (t *Tree) topmost(set *bitset) iter.Seq[uint32] {
	return func(yield func(i uint32) bool) {
		end := uint32(0)
		for k, word := range set.words.Items {
			for ; word != 0; word &= word - 1 {
				i := uint32(k*64 + bits.TrailingZeros64(word))
				if i < end {
					continue
				}
				if !yield(i) {
					return
				}
				end = t.end.Items[i]
			}
		}
	}
}

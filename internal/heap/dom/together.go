package dom

import (
	"iter"
	"math/bits"
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
	found := false
	w := walker{t: t}
	look := func(u uint32) (into bool) {
		found = found || u == v
		return !found
	}
	if from == 0 {
		w.subtree(d, look)
		return found
	}
	for i := from; i < t.end.Items[from] && !found; i++ {
		if t.bearing.has(i) {
			w.subtree(t.vertex.Items[i], look)
		}
	}
	return found
}

// RetainedTogether returns the sum of what the nodes retain, leaving out those that
// another one of them dominates. It costs a walk over what is peeled off below those of
// the nodes that are peeled, and, if there are any, over what the others retain.
// Memory while it runs: two bits a node. Errors: no memory.
func RetainedTogether[N ~uint32](t *Tree, nodes []N) (uint64, error) {
	tops, err := newBitset(t.graph.Memory, uint32(len(t.vertex.Items))) // the numbers of the core nodes
	if err != nil {
		return 0, err
	}
	defer tops.free()
	var peeled []N
	for _, n := range nodes {
		if i := t.numberOf(uint32(n)); i != 0 {
			tops.set(i)
		} else if t.live.has(uint32(n)) {
			peeled = append(peeled, n)
		}
	}
	sum := uint64(0)
	if len(peeled) == 0 {
		for i := range t.topmost(&tops) {
			sum += t.retained.of(i)
		}
		return sum, nil
	}
	wanted, err := newBitset(t.graph.Memory, t.graph.Nodes)
	if err != nil {
		return 0, err
	}
	defer wanted.free()
	below, err := newBitset(t.graph.Memory, t.graph.Nodes) // those that another one dominates
	if err != nil {
		return 0, err
	}
	defer below.free()
	rest := 0
	for _, n := range peeled {
		if !wanted.has(uint32(n)) {
			wanted.set(uint32(n))
			rest++
		}
	}
	w := walker{t: t}
	for i := range t.topmost(&tops) {
		sum += t.retained.of(i)
		for k := i; k < t.end.Items[i] && rest > 0; k++ {
			if t.bearing.has(k) {
				w.subtree(t.vertex.Items[k], func(u uint32) (into bool) {
					if wanted.has(u) && !below.has(u) {
						below.set(u)
						rest--
					}
					return true
				})
			}
		}
	}
	if rest == 0 {
		return sum, nil
	}
	if err := markNested(t, peeled, &wanted, &below); err != nil {
		return 0, err
	}
	for _, n := range peeled {
		v := uint32(n)
		if !below.has(v) {
			sum += w.subtree(v, nil)
			below.set(v) // once, if it comes again
		}
	}
	return sum, nil
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

// markNested adds to below the peeled nodes, all wanted, that another one dominates. It
// goes to each node once. Errors: no memory.
func markNested[N ~uint32](t *Tree, nodes []N, wanted, below *bitset) error {
	walked, err := newBitset(t.graph.Memory, t.graph.Nodes) // the wanted nodes that all below has been walked over
	if err != nil {
		return err
	}
	defer walked.free()
	w := walker{t: t}
	for _, n := range nodes {
		v := uint32(n)
		if below.has(v) || walked.has(v) {
			continue
		}
		walked.set(v)
		w.subtree(v, func(u uint32) (into bool) {
			if !wanted.has(u) {
				return true
			}
			below.set(u)
			into = !walked.has(u)
			walked.set(u)
			return into
		})
	}
	return nil
}

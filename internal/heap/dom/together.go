package dom

import "slices"

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
// Errors: no memory.
func RetainedTogether[N ~uint32](t *Tree, nodes []N) (uint64, error) {
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
	var tops []uint32 // the numbers of the core nodes
	peeled := 0
	for _, n := range nodes {
		v := uint32(n)
		if !t.live.has(v) || wanted.has(v) {
			continue
		}
		wanted.set(v)
		if i := t.numberOf(v); i != 0 {
			tops = append(tops, i)
		} else {
			peeled++
		}
	}
	slices.Sort(tops)
	var sum uint64
	w := walker{t: t}
	for i, end := 0, uint32(0); i < len(tops); i++ {
		if tops[i] < end {
			continue
		}
		sum += t.retained.of(tops[i])
		end = t.end.Items[tops[i]]
		for k := tops[i]; k < end && peeled > 0; k++ {
			if t.bearing.has(k) {
				w.subtree(t.vertex.Items[k], func(u uint32) (into bool) {
					if wanted.has(u) && !below.has(u) {
						below.set(u)
						peeled--
					}
					return true
				})
			}
		}
	}
	if peeled == 0 {
		return sum, nil
	}
	if err := markNested(t, nodes, &wanted, &below); err != nil {
		return 0, err
	}
	for _, n := range nodes {
		v := uint32(n)
		if wanted.has(v) && !below.has(v) && !t.core.has(v) {
			sum += w.subtree(v, nil)
			below.set(v) // once, if it comes again
		}
	}
	return sum, nil
}

// markNested adds to below the wanted peeled nodes that another one dominates. It goes
// to each node once. Errors: no memory.
func markNested[N ~uint32](t *Tree, nodes []N, wanted, below *bitset) error {
	walked, err := newBitset(t.graph.Memory, t.graph.Nodes) // the wanted nodes that all below has been walked over
	if err != nil {
		return err
	}
	defer walked.free()
	w := walker{t: t}
	for _, n := range nodes {
		v := uint32(n)
		if !wanted.has(v) || below.has(v) || t.core.has(v) || walked.has(v) {
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

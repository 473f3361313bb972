package dom

// Heavy returns the child of v that retains at least least, and what it retains; 0, 0
// where there is none. v must be reachable, retained what it retains, and least more
// than half of that, so that there is one such child at most.
//
// It costs a walk over the smaller children, and over as much of a big one as tells
// that it is big: what they may retain together is bounded by the difference of
// retained and least.
func (t *Tree) Heavy(v uint32, retained, least uint64) (child uint32, weight uint64) {
	spare := retained - least // what all other children and v itself may weigh at most
	rest := retained - min(retained, t.graph.Weight(v))
	if i := t.numberOf(v); i != 0 {
		for j := range t.children(i) {
			if t.retained.of(j) >= least {
				return t.vertex.Items[j], t.retained.of(j)
			}
			rest -= min(rest, t.retained.of(j))
		}
	}
	// rest is now what the peeled children retain.
	if rest < least {
		return 0, 0
	}
	w := walker{t: t}
	run := t.graph.Edges.From(v)
	for u, ok := t.graph.Edges.Next(&run); ok; u, ok = t.graph.Edges.Next(&run) {
		if t.core.has(u) {
			continue
		}
		sum, whole := w.upTo(u, spare)
		if whole {
			if rest -= min(rest, sum); rest < least {
				return 0, 0
			}
			continue
		}
		if child != 0 {
			return 0, 0 // two of them are more than the spare each
		}
		child = u
	}
	if child == 0 {
		return 0, 0
	}
	return child, rest
}

// upTo returns the weight of the peeled node v and of the peeled nodes below it. It
// stops where that exceeds limit; then whole is false.
func (w *walker) upTo(v uint32, limit uint64) (sum uint64, whole bool) {
	t, g := w.t, w.t.graph.Edges
	sum = t.graph.Weight(v)
	w.stack = append(w.stack[:0], g.From(v))
	for len(w.stack) > 0 && sum <= limit {
		top := &w.stack[len(w.stack)-1]
		u, ok := g.Next(top)
		if !ok || g.Done(*top) {
			w.stack = w.stack[:len(w.stack)-1] // a chain must not pile up
		}
		if ok && !t.core.has(u) {
			sum += t.graph.Weight(u)
			w.stack = append(w.stack, g.From(u))
		}
	}
	return sum, sum <= limit
}

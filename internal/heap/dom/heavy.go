package dom

import "slices"

// firstLimit is the part of the limit, as 1/firstLimit, that a walk below a child goes to at
// first, and moreLimit how many times as far it goes each time after.
const (
	firstLimit = 1 << 10
	moreLimit  = 16
)

// Heavy returns the child of v that retains at least least, and what it retains; 0, 0
// where there is none. v must be reachable, retained what it retains, and least more
// than half of that, so that there is one such child at most.
//
// It costs walks over all children but the biggest, to its end over none: of what is
// retained, that one has what the others have not.
func (t *Tree) Heavy(v uint32, retained, least uint64) (child uint32, weight uint64) {
	rest := retained - min(retained, t.graph.Weight(v))
	if i := t.numberOf(v); i != 0 {
		for j := range t.children(i) {
			if t.retained.of(j) >= least {
				return t.vertex.Items[j], t.retained.of(j)
			}
			rest -= min(rest, t.retained.of(j))
		}
	}
	// rest is what the peeled children retain. All of them but the heavy one, and v itself,
	// may retain spare at most.
	spare, w := retained-least, walker{t: t}
	limit := spare / firstLimit
	light := func(u uint32) bool {
		sum, whole := w.upTo(u, limit)
		if whole {
			rest -= min(rest, sum)
		}
		return whole
	}
	var big []uint32
	run := t.graph.Edges.From(v)
	for u, ok := t.graph.Edges.Next(&run); ok; u, ok = t.graph.Edges.Next(&run) {
		if rest < least {
			return 0, 0
		}
		if !t.core.has(u) && !light(u) {
			big = append(big, u)
		}
	}
	for len(big) > 1 && limit < spare {
		limit = min(limit*moreLimit+1, spare)
		big = slices.DeleteFunc(big, light)
	}
	if len(big) != 1 || rest < least {
		return 0, 0
	}
	return big[0], rest
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

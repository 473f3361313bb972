package dom

import "iter"

// Children yields the nodes whose immediate dominator is v, 0 for the virtual root, and what each
// retains, in no particular order; none for unreachable nodes.
func (t *Tree) Children(v uint32) iter.Seq2[uint32, uint64] {
	if v == 0 {
		return t.Top
	}
	return func(yield func(child uint32, retained uint64) bool) {
		if !t.live.has(v) {
			return
		}
		run := t.graph.Edges.From(v)
		for w, ok := t.graph.Edges.Next(&run); ok; w, ok = t.graph.Edges.Next(&run) {
			if !t.core.has(w) && !yield(w, t.Retained(w)) {
				return
			}
		}
		if i := t.numberOf(v); i != 0 {
			t.under(i, yield)
		}
	}
}

// SomeChildren yields some of the Children of v, not 0: at most n of those that were peeled off, and n of
// the others. It tells what they retain up to most, to which it walks below the former.
func (t *Tree) SomeChildren(v uint32, n int, most uint64) iter.Seq2[uint32, uint64] {
	return func(yield func(child uint32, retained uint64) bool) {
		if !t.live.has(v) {
			return
		}
		run, w, peeled := t.graph.Edges.From(v), walker{t: t}, 0
		for u, ok := t.graph.Edges.Next(&run); ok && peeled < n; u, ok = t.graph.Edges.Next(&run) {
			if t.core.has(u) {
				continue
			}
			peeled++
			if retained, _ := w.upTo(u, most); !yield(u, min(retained, most)) {
				return
			}
		}
		if i := t.numberOf(v); i != 0 {
			others := 0
			t.under(i, func(u uint32, retained uint64) bool {
				others++
				return yield(u, min(retained, most)) && others < n
			})
		}
	}
}

// IsChild says whether v, not 0, is the immediate dominator of a reachable node.
func (t *Tree) IsChild(v, child uint32) bool {
	if i := t.numberOf(child); i != 0 {
		return t.vertex.Items[t.idom.Items[i]] == v
	}
	if !t.live.has(v) || !t.live.has(child) {
		return false
	}
	run := t.graph.Edges.From(v) // a peeled node has one that is live
	for w, ok := t.graph.Edges.Next(&run); ok; w, ok = t.graph.Edges.Next(&run) {
		if w == child {
			return true
		}
	}
	return false
}

// Dominator returns the immediate dominator of a reachable node, 0 for the virtual root
// and for unreachable nodes. It costs a pass over the graph for a peeled node, nothing
// for others.
func (t *Tree) Dominator(v uint32) uint32 {
	if !t.live.has(v) {
		return 0
	}
	if i := t.numberOf(v); i != 0 {
		return t.vertex.Items[t.idom.Items[i]]
	}
	c := t.graph.Edges.Cursor()
	for u := uint32(1); u <= t.graph.Nodes; u++ {
		run := c.From(u)
		for w, ok := t.graph.Edges.Next(&run); ok; w, ok = t.graph.Edges.Next(&run) {
			if w == v && t.live.has(u) {
				return u
			}
		}
	}
	return 0
}

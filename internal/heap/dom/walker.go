package dom

import "github.com/apm-sidecar/apm-sidecar/internal/heap/edges"

// walker walks over the peeled nodes below a node. One goroutine each.
type walker struct {
	t     *Tree
	stack []edges.Run
	nodes int64 // how many nodes it met in all
	halt  bool  // ends the walk
}

// subtree returns the weight of v and of the peeled nodes below it, see below.
func (w *walker) subtree(v uint32, enter func(u uint32) bool) uint64 {
	return w.t.graph.Weight(v) + w.below(w.t.graph.Edges.From(v), enter)
}

// below returns the weight of the peeled nodes that a run of successors leads to.
// enter, if not nil, is called for each one and says whether to count it and go on.
func (w *walker) below(run edges.Run, enter func(u uint32) bool) uint64 {
	t, g := w.t, w.t.graph.Edges
	var sum uint64
	w.stack = append(w.stack[:0], run)
	for len(w.stack) > 0 && !w.halt {
		top := &w.stack[len(w.stack)-1]
		u, ok := g.Next(top)
		if !ok {
			w.stack = w.stack[:len(w.stack)-1]
			continue
		}
		if g.Done(*top) {
			w.stack = w.stack[:len(w.stack)-1] // a chain must not pile up
		}
		if t.core.has(u) || enter != nil && !enter(u) {
			continue
		}
		w.nodes++
		sum += t.graph.Weight(u)
		if next := g.From(u); !g.Done(next) {
			w.stack = append(w.stack, next)
		}
	}
	return sum
}

// belowCore walks over the peeled nodes that the core node of number i dominates: those below it, and below
// each core node that it dominates. enter is called as by below.
func (w *walker) belowCore(i uint32, enter func(u uint32) bool) {
	t := w.t
	for end := t.end.Items[i]; i < end && !w.halt; i++ {
		if t.bearing.has(i) {
			w.below(t.graph.Edges.From(t.vertex.Items[i]), enter)
		}
	}
}

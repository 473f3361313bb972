package dom

import (
	"context"
	"math"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap/edges"
)

// surveyor walks over a part of the tree. A group is open below its topmost node on the
// way. One goroutine each.
type surveyor struct {
	Survey
	t       *Tree
	open    [][]bool   // by grouping and group
	sums    [][]uint64 // by grouping and group
	merging *merging
	path    []surveyStep // the nodes on the way that changed something
	stack   []surveyRun
	passed  uint64 // the weight of all peeled nodes so far
	// heavy is what a node retains that may have very many peeled children; left are the
	// pieces of those, to be shared out.
	heavy uint64
	left  []surveyPiece
	// inside is the number of the node whose piece was the last one.
	inside uint32
}

// surveyPiece is a piece of what is peeled off below core node number i.
type surveyPiece struct {
	i uint32
	piece
}

// surveyStep is a core node on the way that opened groups, or whose entry is not that
// of its dominator.
type surveyStep struct {
	end    uint32 // one behind the last number below it
	class  uint32
	opened uint64 // the groupings in which it did, a bit each
	entry  uint32
}

// surveyRun is a peeled node whose successors are followed.
type surveyRun struct {
	run    edges.Run
	class  uint32
	opened uint64
	entry  uint32
	before uint64 // passed, before the node
}

func newSurveyor(t *Tree, s Survey, heavy uint64) *surveyor {
	w := &surveyor{Survey: s, t: t, merging: newMerging(), heavy: heavy}
	if w.Fetch == nil {
		w.Fetch = func(uint32) {}
	}
	for _, of := range s.Groupings {
		groups := uint32(0)
		for _, k := range of {
			groups = max(groups, k+1)
		}
		w.open, w.sums = append(w.open, make([]bool, groups)), append(w.sums, make([]uint64, groups))
	}
	return w
}

// surveyAhead is how many numbers are looked ahead to have what their nodes need
// fetched.
const surveyAhead = 8

// part walks over the core nodes from, ..., to-1 and what was peeled off below them.
func (w *surveyor) part(ctx context.Context, from, to uint32) error {
	t := w.t
	if from < to {
		w.enter(t.idom.Items[from])
	}
	for i := from; i < to; i++ {
		if i%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if i+2*surveyAhead < to {
			v := t.vertex.Items[i+2*surveyAhead]
			w.Fetch(v)
			if t.bearing.has(i + 2*surveyAhead) {
				t.graph.Edges.Prefetch(v)
				t.core.words.Prefetch(uint64(v / 64 * 2)) // what is peeled off is near, mostly
			}
			if t.bearing.has(i + surveyAhead) {
				t.graph.Edges.PrefetchRun(t.vertex.Items[i+surveyAhead])
			}
		}
		w.leave(i)
		v := t.vertex.Items[i]
		class, weight := w.Class(v)
		opened := w.unopened(class)
		w.add(class, opened, t.retained.of(i))
		parent := w.entry()
		entry := parent
		if w.Merge {
			entry = w.merging.at(parent, class, v, t.retained.of(i) >= w.Big)
			w.merging.count(entry, weight)
		}
		bearing := t.bearing.has(i)
		if !bearing && t.end.Items[i] == i+1 {
			continue
		}
		w.mark(class, opened, true)
		if bearing && (t.retained.of(i) < w.heavy || !w.leaveFor(i, v)) {
			w.peeled(entry, t.graph.Edges.From(v), math.MaxInt)
		}
		switch {
		case t.end.Items[i] == i+1:
			w.mark(class, opened, false)
		case opened != 0 || entry != parent:
			w.path = append(w.path, surveyStep{t.end.Items[i], class, opened, entry})
		}
	}
	return nil
}

// leaveFor leaves the peeled nodes below v, of number i, for others, in pieces, if there are
// enough of them.
func (w *surveyor) leaveFor(i, v uint32) bool {
	pieces := w.t.pieces(nil, w.t.graph.Edges.From(v))
	if len(pieces) == 1 {
		return false
	}
	for _, p := range pieces {
		w.left = append(w.left, surveyPiece{i, p})
	}
	return true
}

// piece walks over a piece of what is peeled off below a core node.
func (w *surveyor) piece(p surveyPiece) {
	if w.inside != p.i {
		w.leave(math.MaxUint32)
		w.enter(p.i)
		w.inside = p.i
	}
	w.peeled(w.entry(), p.run, p.n)
}

// enter opens what is open below number i, and finds the entries on the way there.
func (w *surveyor) enter(i uint32) {
	t := w.t
	// Of nodes of one class in a row, such as those of a long list, only the topmost one
	// changes something.
	type run struct{ top, class uint32 }
	var above []run
	for ; i != 0; i = t.idom.Items[i] {
		class, _ := w.Class(t.vertex.Items[i])
		if n := len(above); n > 0 && above[n-1].class == class {
			above[n-1].top = i
		} else {
			above = append(above, run{i, class})
		}
	}
	for _, r := range slices.Backward(above) {
		opened, parent := w.unopened(r.class), w.entry()
		entry := parent
		if w.Merge {
			entry = w.merging.at(parent, r.class, t.vertex.Items[r.top], t.retained.of(r.top) >= w.Big)
		}
		if opened != 0 || entry != parent {
			w.mark(r.class, opened, true)
			w.path = append(w.path, surveyStep{t.end.Items[r.top], r.class, opened, entry})
		}
	}
}

// leave closes what is not above i.
func (w *surveyor) leave(i uint32) {
	for n := len(w.path) - 1; n >= 0 && w.path[n].end <= i; n-- {
		w.mark(w.path[n].class, w.path[n].opened, false)
		w.path = w.path[:n]
	}
}

// entry returns the entry of the last node on the way.
func (w *surveyor) entry() uint32 {
	if len(w.path) == 0 {
		return 0
	}
	return w.path[len(w.path)-1].entry
}

// unopened returns the groupings in which no node of the class's group is above.
func (w *surveyor) unopened(class uint32) (groupings uint64) {
	if w.open[0][w.Groupings[0][class]] {
		return 0
	}
	for k, of := range w.Groupings {
		if !w.open[k][of[class]] {
			groupings |= 1 << k
		}
	}
	return groupings
}

// mark opens or closes the groups of a class in the groupings.
func (w *surveyor) mark(class uint32, groupings uint64, open bool) {
	for k := 0; groupings != 0; k, groupings = k+1, groupings>>1 {
		if groupings&1 != 0 {
			w.open[k][w.Groupings[k][class]] = open
		}
	}
}

// add adds to the sums of the groups of a class in the groupings.
func (w *surveyor) add(class uint32, groupings, weight uint64) {
	for k := 0; groupings != 0; k, groupings = k+1, groupings>>1 {
		if groupings&1 != 0 {
			w.sums[k][w.Groupings[k][class]] += weight
		}
	}
}

// peeled walks over the peeled nodes among the first n successors of a node of the entry, and
// over those below them.
func (w *surveyor) peeled(entry uint32, run edges.Run, n int) {
	var room [batch]uint32
	for more := true; more && n > 0; n -= batch {
		k := 0
		for ; k < min(n, batch); k++ {
			if room[k], more = w.t.graph.Edges.Next(&run); !more {
				break
			}
		}
		for _, u := range w.t.core.without(room[:k]) {
			w.hang(entry, u)
		}
	}
}

// hang walks over u, a successor of a node of the entry, and over the peeled nodes below it.
func (w *surveyor) hang(entry, u uint32) {
	g := w.t.graph.Edges
	w.stack = w.stack[:0]
	w.meet(entry, u)
	for len(w.stack) > 0 {
		top := &w.stack[len(w.stack)-1]
		u, ok := g.Next(&top.run)
		if !ok {
			w.mark(top.class, top.opened, false)
			w.add(top.class, top.opened, w.passed-top.before)
			w.stack = w.stack[:len(w.stack)-1]
			continue
		}
		entry := top.entry
		if top.opened == 0 && g.Done(top.run) {
			w.stack = w.stack[:len(w.stack)-1] // a chain must not pile up
		}
		w.meet(entry, u)
	}
}

// meet counts u, a successor of a node of the entry, if it is peeled, and puts it on the stack
// if it has successors itself.
func (w *surveyor) meet(entry, u uint32) {
	if w.t.core.has(u) {
		return
	}
	class, weight := w.Class(u)
	opened, before, below := w.unopened(class), w.passed, w.t.graph.Edges.From(u)
	w.passed += weight
	if w.Merge {
		entry = w.merging.at(entry, class, u, false)
		w.merging.count(entry, weight)
	}
	if w.t.graph.Edges.Done(below) {
		w.add(class, opened, weight)
		return
	}
	w.mark(class, opened, true)
	// Field by field: as a whole it would be put together elsewhere, and the copying wait for that.
	n := len(w.stack)
	w.stack = slices.Grow(w.stack, 1)[:n+1]
	top := &w.stack[n]
	top.run, top.class, top.opened, top.entry, top.before = below, class, opened, entry, before
}

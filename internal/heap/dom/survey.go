package dom

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/apm-sidecar/apm-sidecar/internal/cores"
	"github.com/apm-sidecar/apm-sidecar/internal/heap/edges"
)

// Survey asks for sums over the whole tree. All of them come from one walk.
type Survey struct {
	// Class returns the class and the weight of a node. It is called from several
	// goroutines.
	Class func(v uint32) (class uint32, weight uint64)
	// Groupings are one to 64 ways to group the classes: the group of each class, by
	// class. Groups are numbered from 0. The first grouping is the finest: classes of one
	// group in it are of one group in all.
	Groupings [][]uint32
	// Merge asks for the merged tree. Core nodes that retain at least Big get an entry
	// of their own there.
	Merge bool
	Big   uint64
}

// Sums are the answer to a Survey.
type Sums struct {
	// Retained holds for each grouping, by group, what the reachable nodes of the group
	// retain: the sum over those that no other node of their group dominates. It is a
	// lower bound of what would go with all of them, as nodes that only several of them
	// hold together are not counted.
	Retained [][]uint64
	// Merged is the merged tree. Entries come after their parents, otherwise in no
	// particular order.
	Merged []Merged
}

// Survey walks over the tree on all cores. Memory: 8 bytes a group, 64 an entry of the
// merged tree, for each core. Errors: that of ctx.
func (t *Tree) Survey(ctx context.Context, s Survey) (*Sums, error) {
	// Several parts a core, as some have more peeled nodes than others. Each begins with
	// a walk up to the root, which is long where the tree is deep, so they are few.
	parts := 4 * cores.Workers()
	surveyors := make([]*surveyor, parts)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(cores.Workers())
	cut := func(part int) uint32 { return uint32(1 + (len(t.idom.Items)-1)*part/parts) }
	for i := range parts {
		g.Go(func() error {
			surveyors[i] = newSurveyor(t, s)
			return surveyors[i].part(ctx, cut(i), cut(i+1))
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	sums := &Sums{Retained: surveyors[0].sums}
	for _, w := range surveyors[1:] {
		for k := range sums.Retained {
			for group, n := range w.sums[k] {
				sums.Retained[k][group] += n
			}
		}
		surveyors[0].merging.join(w.merging)
	}
	if s.Merge {
		sums.Merged = surveyors[0].merging.finish()
	}
	return sums, nil
}

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

func newSurveyor(t *Tree, s Survey) *surveyor {
	w := &surveyor{Survey: s, t: t, merging: newMerging()}
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
		w.enter(from)
	}
	for i := from; i < to; i++ {
		if i%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if i+2*surveyAhead < to {
			t.graph.Edges.Prefetch(t.vertex.Items[i+2*surveyAhead])
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
		if bearing {
			w.peeled(entry, t.graph.Edges.From(v))
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

// enter opens what is open at the node from, and finds the entries above it.
func (w *surveyor) enter(from uint32) {
	t := w.t
	// Of nodes of one class in a row, such as those of a long list, only the topmost one
	// changes something.
	type run struct{ top, class uint32 }
	var above []run
	for i := t.idom.Items[from]; i != 0; i = t.idom.Items[i] {
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

// peeled walks over the peeled nodes below a node of the entry whose successors are run.
func (w *surveyor) peeled(entry uint32, run edges.Run) {
	t, g := w.t, w.t.graph.Edges
	w.stack = append(w.stack[:0], surveyRun{run: run, entry: entry})
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
		if t.core.has(u) {
			continue
		}
		class, weight := w.Class(u)
		opened, before, below := w.unopened(class), w.passed, g.From(u)
		w.passed += weight
		if w.Merge {
			entry = w.merging.at(entry, class, u, false)
			w.merging.count(entry, weight)
		}
		if g.Done(below) {
			w.add(class, opened, weight)
			continue
		}
		w.mark(class, opened, true)
		w.stack = append(w.stack, surveyRun{below, class, opened, entry, before})
	}
}

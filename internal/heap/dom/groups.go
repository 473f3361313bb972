package dom

import (
	"context"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/apm-sidecar/apm-sidecar/internal/heap/edges"
	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// RetainedByGroup returns what the reachable nodes of each group, numbered from 0 to
// groups-1, retain: the sum over those that no other node of their group dominates.
// It is a lower bound of what would go with all of them, as nodes that only several
// of them hold together are not counted.
//
// group is called from several goroutines. It costs one pass over the tree, depth
// first, and 8 bytes a core node while it runs. Errors: that of ctx; no memory.
func (t *Tree) RetainedByGroup(ctx context.Context, groups int, group func(v uint32) uint32) ([]uint64, error) {
	s := &siblings{t: t, group: group}
	defer s.free()
	if err := s.build(); err != nil {
		return nil, err
	}
	var taken atomic.Uint64
	workers := make([]*grouper, runtime.GOMAXPROCS(0))
	g, ctx := errgroup.WithContext(ctx)
	for i := range workers {
		w := &grouper{siblings: s, open: make([]bool, groups), sums: make([]uint64, groups)}
		workers[i] = w
		g.Go(func() error {
			for {
				from := taken.Add(stretch) - stretch
				if from > uint64(t.graph.Nodes) {
					return nil
				}
				if err := w.tops(ctx, uint32(max(from, 1)), uint32(min(from+stretch-1, uint64(t.graph.Nodes)))); err != nil {
					return err
				}
			}
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	sums := workers[0].sums
	for _, w := range workers[1:] {
		for k, n := range w.sums {
			sums[k] += n
		}
	}
	return sums, nil
}

// siblings are the core nodes' children, by number: first[i] is the first child of
// i, next[i] the child after i of the same parent, 0 for none.
type siblings struct {
	t           *Tree
	group       func(v uint32) uint32
	first, next offheap.Array[uint32]
	opened      bitset // nodes that opened their group; by number
}

func (s *siblings) build() (err error) {
	idom := s.t.idom.Items
	if s.first, err = offheap.Make[uint32](len(idom)); err != nil {
		return err
	}
	if s.next, err = offheap.Make[uint32](len(idom)); err != nil {
		return err
	}
	if s.opened, err = newBitset(uint32(len(idom))); err != nil {
		return err
	}
	for i := len(idom) - 1; i > 0; i-- {
		s.next.Items[i] = s.first.Items[idom[i]]
		s.first.Items[idom[i]] = uint32(i)
	}
	return nil
}

func (s *siblings) free() {
	s.first.Free()
	s.next.Free()
	s.opened.free()
}

// grouper walks over subtrees. A group is open below its topmost node on the way. One
// goroutine each.
type grouper struct {
	*siblings
	open   []bool
	sums   []uint64 // by group
	passed uint64   // the weight of all peeled nodes so far
	stack  []groupRun
	steps  int
}

// groupRun is a peeled node whose successors are followed.
type groupRun struct {
	run    edges.Run
	opened bool
	group  uint32
	before uint64 // passed, before the node
}

// tops walks over the subtrees of the core nodes directly under the virtual root, from
// one node to another.
func (w *grouper) tops(ctx context.Context, from, to uint32) error {
	t, c := w.t, w.t.graph.Edges.Cursor()
	for v := from; v <= to; v++ {
		run := c.From(v)
		i := t.numberOf(v)
		switch {
		case i == 0 || t.idom.Items[i] != 0:
		case w.first.Items[i] != 0:
			if err := w.top(ctx, i); err != nil {
				return err
			}
		default: // most of them; in this order memory is read from front to back
			k := w.group(v)
			w.sums[k] += t.retained.Items[i]
			if t.bearing.has(i) {
				w.open[k] = true
				w.peeled(run)
				w.open[k] = false
			}
		}
	}
	return ctx.Err()
}

// top walks over the subtree of a core node directly under the virtual root.
func (w *grouper) top(ctx context.Context, top uint32) error {
	t := w.t
	for i := top; ; {
		if w.steps++; w.steps%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		v := t.vertex.Items[i]
		if k := w.group(v); !w.open[k] {
			w.open[k] = true
			w.opened.join(i)
			w.sums[k] += t.retained.Items[i]
		}
		if t.bearing.has(i) {
			w.peeled(t.graph.Edges.From(v))
		}
		if child := w.first.Items[i]; child != 0 {
			i = child
			continue
		}
		for {
			if w.opened.share(i) {
				w.open[w.group(t.vertex.Items[i])] = false
			}
			if i == top {
				return nil
			}
			if next := w.next.Items[i]; next != 0 {
				i = next
				break
			}
			i = t.idom.Items[i]
		}
	}
}

// peeled walks over the peeled nodes below the one whose successors are run.
func (w *grouper) peeled(run edges.Run) {
	t, g := w.t, w.t.graph.Edges
	w.stack = append(w.stack[:0], groupRun{run: run})
	for len(w.stack) > 0 {
		top := &w.stack[len(w.stack)-1]
		u, ok := g.Next(&top.run)
		if !ok {
			if top.opened {
				w.sums[top.group] += w.passed - top.before
				w.open[top.group] = false
			}
			w.stack = w.stack[:len(w.stack)-1]
			continue
		}
		if !top.opened && g.Done(top.run) {
			w.stack = w.stack[:len(w.stack)-1] // a chain must not pile up
		}
		if t.core.has(u) {
			continue
		}
		k, below := w.group(u), g.From(u)
		opens, before := !w.open[k], w.passed
		w.passed += t.graph.Weight(u)
		if g.Done(below) {
			if opens {
				w.sums[k] += w.passed - before
			}
			continue
		}
		w.open[k] = true
		w.stack = append(w.stack, groupRun{below, opens, k, before})
	}
}

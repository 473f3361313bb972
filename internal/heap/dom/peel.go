package dom

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/apm-sidecar/apm-sidecar/internal/heap/edges"
)

const (
	// stretch is how many nodes a worker takes at once, a multiple of 64.
	stretch = 1 << 14
	// maxPeels bounds the passes over all nodes; chains that run against the order
	// of the addresses need the change of direction, few heaps gain from more.
	maxPeels = 6
	// worthPeeling is the least part of the nodes, as 1/worthPeeling, that a pass
	// must have peeled off for another one to be made.
	worthPeeling = 64
)

// each runs work on stretches of nodes, from and to included, on all cores.
func (t *Tree) each(ctx context.Context, work func(from, to uint32) error) error {
	return each(ctx, int(t.graph.Nodes)+1, func(from, to int) error { return work(uint32(max(from, 1)), uint32(to-1)) })
}

// each runs work on stretches of the numbers below n, to not included, on all cores.
func each(ctx context.Context, n int, work func(from, to int) error) error {
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range runtime.GOMAXPROCS(0) {
		g.Go(func() error {
			for {
				from := int(next.Add(stretch) - stretch)
				if from >= n {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := work(from, min(from+stretch, n)); err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}

// peel finds the nodes that need no algorithm: those with one predecessor whose
// successors are all peeled. Their dominator is that predecessor, and no path
// to another node leads through them. Roots have the virtual root as predecessor
// and stay. t.core is what is left.
func (t *Tree) peel(ctx context.Context) error {
	root, err := newBitset(t.graph.Memory, t.graph.Nodes)
	if err != nil {
		return err
	}
	defer root.free()
	for _, r := range t.graph.Roots {
		root.set(r)
	}
	off, err := newBitset(t.graph.Memory, t.graph.Nodes)
	if err != nil {
		return err
	}
	defer off.free()
	for pass, poor := 0, 0; pass < maxPeels && poor < 2; pass++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if gain := t.peelOnce(&root, &off, pass%2 == 0); gain < int64(t.graph.Nodes)/worthPeeling {
			poor++
		} else {
			poor = 0
		}
	}
	t.core, err = newCore(t.graph.Memory, &off, t.graph.Nodes)
	return err
}

// peelOnce makes one pass over all nodes, up or down: a chain is peeled in the pass
// that begins at its end. Each core has one stretch, so that a chain is cut into
// few.
func (t *Tree) peelOnce(root, off *bitset, up bool) int64 {
	var gain atomic.Int64
	var wg sync.WaitGroup
	parts := uint64(runtime.GOMAXPROCS(0))
	cut := func(i uint64) uint32 { return uint32(1 + uint64(t.graph.Nodes)*i/parts) }
	for i := range parts {
		wg.Go(func() {
			if up {
				gain.Add(t.peelUp(root, off, cut(i), cut(i+1)))
			} else {
				gain.Add(t.peelDown(root, off, cut(i), cut(i+1)))
			}
		})
	}
	wg.Wait()
	return gain.Load()
}

// peelUp peels the nodes from, ..., to-1 in this order, peelDown in the opposite one.
func (t *Tree) peelUp(root, off *bitset, from, to uint32) (gain int64) {
	c := t.graph.Edges.Cursor()
	for v := from; v < to; v++ {
		run := c.From(v)
		if t.graph.Edges.OnePredecessor(v) && !root.has(v) && !off.share(v) && t.allPeeled(off, run) {
			off.join(v)
			gain++
		}
	}
	return gain
}

func (t *Tree) peelDown(root, off *bitset, from, to uint32) (gain int64) {
	// Runs are found in ascending order much faster: a few at a time, then back.
	const few = 256
	var runs [few]edges.Run
	c := t.graph.Edges.Cursor()
	for end := to; end > from; {
		begin := max(from, (end-1)&^(few-1))
		for v := begin; v < end; v++ {
			runs[v-begin] = c.From(v)
		}
		for v := end - 1; v >= begin; v-- {
			if t.graph.Edges.OnePredecessor(v) && !root.has(v) && !off.share(v) && t.allPeeled(off, runs[v-begin]) {
				off.join(v)
				gain++
			}
		}
		end = begin
	}
	return gain
}

// allPeeled says whether all successors of a run are peeled.
func (t *Tree) allPeeled(off *bitset, run edges.Run) bool {
	g := t.graph.Edges
	for w, ok := g.Next(&run); ok; w, ok = g.Next(&run) {
		if !off.share(w) {
			return false
		}
	}
	return true
}

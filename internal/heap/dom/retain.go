package dom

import (
	"context"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/apm-sidecar/apm-sidecar/internal/heap/edges"
	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// retain sums up what the nodes retain and marks the reachable ones.
func (t *Tree) retain(ctx context.Context) (err error) {
	n := len(t.vertex.Items)
	if t.retained, err = offheap.Make[uint64](n); err != nil {
		return err
	}
	if t.live, err = newBitset(t.graph.Nodes); err != nil {
		return err
	}
	// First what each core node weighs with all that was peeled off below it.
	var next, size atomic.Int64
	g, gctx := errgroup.WithContext(ctx)
	for range runtime.GOMAXPROCS(0) {
		g.Go(func() error {
			w := walker{t: t}
			mark := func(u uint32) bool {
				t.live.join(u)
				return true
			}
			for {
				from := int(next.Add(stretch)) - stretch
				if from >= n {
					size.Add(w.nodes)
					return nil
				}
				if err := gctx.Err(); err != nil {
					return err
				}
				for i := max(from, 1); i < min(from+stretch, n); i++ {
					t.retained.Items[i] = w.subtree(t.vertex.Items[i], mark)
				}
			}
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	t.size = size.Load()
	for i := n - 1; i > 0; i-- {
		t.retained.Items[t.idom.Items[i]] += t.retained.Items[i]
	}
	return nil
}

// walker walks over the peeled nodes below a node. One goroutine each.
type walker struct {
	t     *Tree
	stack []edges.Run
	nodes int64 // how many nodes it met in all
}

// subtree returns the weight of v and of the peeled nodes below it. enter, if not
// nil, is called for each of them and says whether to go on below it.
func (w *walker) subtree(v uint32, enter func(u uint32) bool) uint64 {
	t, g := w.t, w.t.graph.Edges
	w.nodes++
	if enter != nil && !enter(v) {
		return 0
	}
	sum := t.graph.Weight(v)
	w.stack = append(w.stack[:0], g.From(v))
	for len(w.stack) > 0 {
		top := &w.stack[len(w.stack)-1]
		u, ok := g.Next(top)
		if !ok {
			w.stack = w.stack[:len(w.stack)-1]
			continue
		}
		if g.Done(*top) {
			w.stack = w.stack[:len(w.stack)-1] // a chain must not pile up
		}
		if t.core.has(u) {
			continue
		}
		w.nodes++
		if enter != nil && !enter(u) {
			continue
		}
		sum += t.graph.Weight(u)
		w.stack = append(w.stack, g.From(u))
	}
	return sum
}

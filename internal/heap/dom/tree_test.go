package dom

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/heap/edges"
)

// graph packs successor lists; index 0 is not used. Node v weighs v.
func graph(t testing.TB, successors [][]uint32, roots []uint32) Graph {
	t.Helper()
	bound := uint64(0)
	for _, s := range successors {
		bound += uint64(len(s))
	}
	b, err := edges.NewBuilder(nil, len(successors), bound, 1)
	require.NoError(t, err)
	w := b.NewWriter()
	for v := 1; v < len(successors); v++ {
		require.NoError(t, w.Begin(uint32(v), len(successors[v])))
		for _, s := range successors[v] {
			w.Add(s)
		}
		w.End()
	}
	w.Close()
	t.Cleanup(b.Freeze().Free)
	slices.Sort(roots)
	return Graph{
		Nodes: uint32(len(successors) - 1), Edges: b.Freeze(), Roots: slices.Compact(roots),
		Weight: func(v uint32) uint64 { return uint64(v) },
	}
}

func build(t testing.TB, successors [][]uint32, roots []uint32) *Tree {
	t.Helper()
	tree, err := Build(context.Background(), graph(t, successors, roots))
	require.NoError(t, err)
	t.Cleanup(tree.Free)
	return tree
}

// reach returns what the roots reach without passing barred.
func reach(successors [][]uint32, roots []uint32, barred uint32) map[uint32]bool {
	seen := map[uint32]bool{}
	var walk func(v uint32)
	walk = func(v uint32) {
		if v == barred || seen[v] {
			return
		}
		seen[v] = true
		for _, w := range successors[v] {
			walk(w)
		}
	}
	for _, r := range roots {
		walk(r)
	}
	return seen
}

// TestRandomGraphs compares with the definition: d dominates v if v cannot be
// reached without d, and what d retains is what goes with it.
func TestRandomGraphs(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		n := 1 + r.IntN(14)
		successors := make([][]uint32, n+1)
		for range r.IntN(3 * n) {
			v := 1 + r.IntN(n)
			successors[v] = append(successors[v], uint32(1+r.IntN(n)))
		}
		var roots []uint32
		for range 1 + r.IntN(3) {
			roots = append(roots, uint32(1+r.IntN(n)))
		}
		tree := build(t, successors, roots)
		all := reach(successors, roots, 0)
		require.Equal(t, int64(len(all)), tree.Size(), "seed %d", seed)
		dominators := map[uint32]uint32{}
		for v, d := range tree.Dominators {
			require.NotContains(t, dominators, v)
			dominators[v] = d
		}
		require.Len(t, dominators, len(all), "seed %d", seed)
		var total uint64
		for v := uint32(1); int(v) <= n; v++ {
			require.Equal(t, all[v], tree.Reachable(v), "seed %d node %d", seed, v)
			if !all[v] {
				assert.Zero(t, tree.Retained(v))
				continue
			}
			total += uint64(v)
			without := reach(successors, roots, v)
			var retained uint64
			for w := range all {
				if !without[w] {
					retained += uint64(w)
				}
			}
			require.Equal(t, retained, tree.Retained(v), "seed %d node %d", seed, v)
			for w := range all {
				require.Equal(t, !without[w], tree.Dominates(v, w), "seed %d nodes %d, %d", seed, v, w)
			}
			// The immediate dominator is the dominator that all others dominate.
			want, fewest := uint32(0), len(all)+1
			for d := range all {
				if left := reach(successors, roots, d); d != v && !left[v] && len(all)-len(left) < fewest {
					want, fewest = d, len(all)-len(left)
				}
			}
			require.Equal(t, want, dominators[v], "seed %d node %d", seed, v)
		}
		require.Equal(t, total, tree.Total(), "seed %d", seed)
	}
}

// TestNearestCommonAncestor is the graph where contracting a node into its only
// predecessor goes wrong: h -> c -> {d, e} -> x, so x hangs on c, not on h.
func TestNearestCommonAncestor(t *testing.T) {
	const h, c, d, e, x = 1, 2, 3, 4, 5
	tree := build(t, [][]uint32{h: {c}, c: {d, e}, d: {x}, e: {x}, x: nil}, []uint32{h})
	for v, d := range tree.Dominators {
		if v == x {
			assert.Equal(t, uint32(c), d)
		}
	}
	var top []uint32
	for v := range tree.Top {
		top = append(top, v)
	}
	assert.Equal(t, []uint32{h}, top)
}

// TestRetainedTogether counts nested nodes once, whether they are peeled or not.
func TestRetainedTogether(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 3))
		n := 2 + r.IntN(12)
		successors := make([][]uint32, n+1)
		for v := 1; v < n; v++ {
			for range 1 + r.IntN(2) {
				successors[r.IntN(v)+1] = append(successors[r.IntN(v)+1], uint32(v+1))
			}
		}
		tree := build(t, successors, []uint32{1})
		var nodes []uint32
		for v := 1; v <= n; v++ {
			if r.IntN(3) == 0 {
				nodes = append(nodes, uint32(v))
			}
		}
		want := map[uint32]bool{}
		all := reach(successors, []uint32{1}, 0)
		for _, v := range nodes {
			left := reach(successors, []uint32{1}, v)
			for w := range all {
				if !left[w] {
					want[w] = true
				}
			}
		}
		var sum uint64
		for w := range want {
			sum += uint64(w)
		}
		got, err := RetainedTogether(tree, slices.Values(nodes))
		require.NoError(t, err)
		require.Equal(t, sum, got, "seed %d", seed)
	}
}

// TestChainOnManyCores cuts a chain into more stretches than there are passes, in the order of the
// numbers and against it: it is peeled as a whole all the same, but for what leads to a node that
// stays. A ring that nothing leads to is no hindrance.
func TestChainOnManyCores(t *testing.T) {
	const n, stays, ring = 1 << 14, 3, 8
	for _, up := range []bool{true, false} {
		successors := make([][]uint32, n+ring+1)
		at := func(i int) uint32 { // the i-th of the chain
			if up {
				return uint32(i)
			}
			return uint32(n + 1 - i)
		}
		for i := 1; i < n; i++ {
			successors[at(i)] = []uint32{at(i + 1)}
		}
		for i := range uint32(ring) {
			successors[n+1+i] = []uint32{n + 1 + (i+1)%ring}
		}
		successors[at(stays)] = append(successors[at(stays)], at(1))
		g := graph(t, successors, []uint32{at(1)})
		p := peeling{graph: &g, parts: 16}
		defer p.free()
		require.NoError(t, p.run(t.Context()))
		assert.Zero(t, p.open)
		for i := 1; i <= n; i++ {
			require.Equal(t, i <= stays, p.stay.has(at(i)), "up %v: %d", up, i)
			require.Equal(t, i > stays, p.off.has(at(i)), "up %v: %d", up, i)
		}
	}
}

// TestLongChain is a Finalizer chain: deep, and no stack must grow with it.
func TestLongChain(t *testing.T) {
	const n = 1 << 20
	successors := make([][]uint32, n+1)
	for v := 1; v < n; v++ {
		successors[v] = []uint32{uint32(v + 1)}
	}
	tree := build(t, successors, []uint32{1})
	assert.Less(t, tree.CoreSize(), 100, "all but the root, and few more, are peeled")
	assert.Equal(t, uint64(n)*(n+1)/2, tree.Retained(1))
}

func TestCancelled(t *testing.T) {
	successors := make([][]uint32, 1<<17)
	for v := 1; v < len(successors)-1; v++ {
		successors[v] = []uint32{uint32(v + 1)}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Build(ctx, graph(t, successors, []uint32{1}))
	assert.ErrorIs(t, err, context.Canceled)
}

func BenchmarkBuild(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	const n = 1 << 20
	successors := make([][]uint32, n+1)
	for v := 1; v <= n; v++ {
		successors[v] = []uint32{uint32(1 + r.IntN(n)), uint32(1 + r.IntN(n)), uint32(1 + r.IntN(n))}
	}
	g := graph(b, successors, []uint32{1})
	b.ReportAllocs()
	for b.Loop() {
		tree, err := Build(b.Context(), g)
		require.NoError(b, err)
		tree.Free()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/node")
}

// Dominators yields every reachable node with its immediate dominator, 0 for the
// virtual root, in no particular order: another way to it than All.
func (t *Tree) Dominators(yield func(v, dominator uint32) bool) {
	for i, v := range t.vertex.Items {
		if i > 0 && !yield(v, t.vertex.Items[t.idom.Items[i]]) {
			return
		}
	}
	c := t.graph.Edges.Cursor()
	for v := uint32(1); v <= t.graph.Nodes; v++ {
		if !t.live.has(v) {
			continue
		}
		run := c.From(v)
		for w, ok := t.graph.Edges.Next(&run); ok; w, ok = t.graph.Edges.Next(&run) {
			if !t.core.has(w) && !yield(w, v) {
				return
			}
		}
	}
}

package dom

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// graph builds the arrays of Build from successor lists; index 0 is not used.
func graph(successors [][]uint32) (offset, edges []uint32) {
	offset, edges = make([]uint32, len(successors)), []uint32{0}
	for v, s := range successors {
		if len(s) > 0 {
			offset[v] = uint32(len(edges))
			edges = append(append(edges, uint32(len(s))), s...)
		}
	}
	return offset, edges
}

func build(t testing.TB, successors [][]uint32, roots []uint32) *Tree {
	offset, edges := graph(successors)
	size := make([]uint32, len(successors))
	for i := range size {
		size[i] = uint32(i)
	}
	tree, err := Build(context.Background(), len(successors)-1, offset, edges, roots, size)
	require.NoError(t, err)
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
		require.Equal(t, len(all), tree.Size(), "seed %d", seed)
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
			// The immediate dominator is the dominator that all others dominate.
			want, fewest := uint32(0), len(all)+1
			for d := range all {
				if left := reach(successors, roots, d); d != v && !left[v] && len(all)-len(left) < fewest {
					want, fewest = d, len(all)-len(left)
				}
			}
			got, ok := tree.Dominator(v)
			require.True(t, ok)
			require.Equal(t, want, got, "seed %d node %d", seed, v)
		}
		require.Equal(t, total, tree.Total(), "seed %d", seed)
	}
}

// TestNearestCommonAncestor is the graph where contracting a node into its only
// predecessor goes wrong: h -> c -> {d, e} -> x, so x hangs on c, not on h.
func TestNearestCommonAncestor(t *testing.T) {
	const h, c, d, e, x = 1, 2, 3, 4, 5
	tree := build(t, [][]uint32{h: {c}, c: {d, e}, d: {x}, e: {x}, x: nil}, []uint32{h})
	got, _ := tree.Dominator(x)
	assert.Equal(t, uint32(c), got)
	var top []uint32
	for v := range tree.Top {
		top = append(top, v)
	}
	assert.Equal(t, []uint32{h}, top)
}

// TestRetainedTogether counts nested nodes once.
func TestRetainedTogether(t *testing.T) {
	tree := build(t, [][]uint32{1: {2}, 2: {3}, 3: nil, 4: nil, 5: nil}, []uint32{1, 4})
	assert.Equal(t, uint64(2+3), tree.RetainedTogether([]uint32{3, 2}))
	assert.Equal(t, uint64(3+4), tree.RetainedTogether([]uint32{4, 3, 5}))
}

// TestLongChain is a Finalizer chain: deep, and no stack must grow with it.
func TestLongChain(t *testing.T) {
	const n = 1 << 20
	successors := make([][]uint32, n+1)
	for v := 1; v < n; v++ {
		successors[v] = []uint32{uint32(v + 1)}
	}
	tree := build(t, successors, []uint32{1})
	got, _ := tree.Dominator(n)
	assert.Equal(t, uint32(n-1), got)
	assert.Equal(t, uint64(n)*(n+1)/2, tree.Retained(1))
}

func TestCancelled(t *testing.T) {
	successors := make([][]uint32, 1<<17)
	for v := 1; v < len(successors)-1; v++ {
		successors[v] = []uint32{uint32(v + 1)}
	}
	offset, edges := graph(successors)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Build(ctx, len(successors)-1, offset, edges, []uint32{1}, make([]uint32, len(successors)))
	assert.ErrorIs(t, err, context.Canceled)
}

func BenchmarkBuild(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	const n = 1 << 20
	successors := make([][]uint32, n+1)
	for v := 1; v <= n; v++ {
		successors[v] = []uint32{uint32(1 + r.IntN(n)), uint32(1 + r.IntN(n)), uint32(1 + r.IntN(n))}
	}
	offset, edges := graph(successors)
	size := make([]uint32, n+1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Build(b.Context(), n, offset, edges, []uint32{1}, size); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/node")
}

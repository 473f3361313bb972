package dom

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// unusual limits have graphs of any size go each way there is.
func unusual() map[string]limits {
	never := usualLimits()
	never.steps = -1
	return map[string]limits{
		"usual":    usualLimits(),
		"narrow":   {cores: 1, narrow: 1 << 30, stretch: 1, few: 1, steps: 1 << 20},
		"wide":     {cores: 3, narrow: 0, stretch: 1, few: 1, steps: 1 << 20},
		"passes":   {cores: 2, narrow: 0, stretch: 64, few: 1 << 30, steps: 1 << 20},
		"semi-NCA": never,
	}
}

func buildAs(t *testing.T, successors [][]uint32, roots []uint32, l limits) *Tree {
	t.Helper()
	tree, err := buildWithin(t.Context(), graph(t, successors, roots), l)
	require.NoError(t, err)
	t.Cleanup(tree.Free)
	return tree
}

// requireDominators compares a tree with what the second algorithm says.
func requireDominators(t *testing.T, tree *Tree, want []uint32, reachable []bool) {
	t.Helper()
	var all int64
	for _, is := range reachable[1:] {
		if is {
			all++
		}
	}
	require.Equal(t, all, tree.Size())
	for v, d := range tree.Dominators {
		require.True(t, reachable[v], "node %d", v)
		require.Equal(t, want[v], d, "node %d", v)
		all--
	}
	require.Zero(t, all)
}

// TestEachWay: whichever way the core is gone through, the dominators are the same. The graphs have
// long ways with references across them, so that much has to be put right.
func TestEachWay(t *testing.T) {
	for name, l := range unusual() {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(400) {
				r := rand.New(rand.NewPCG(seed, 23))
				n := 2 + r.IntN(300)
				successors := make([][]uint32, n+1)
				link := func(from, to int) { successors[from] = append(successors[from], uint32(to)) }
				order := r.Perm(n)
				for i, v := range order[1:] {
					link(1+order[i], 1+v)
					if r.IntN(3) > 0 {
						link(1+v, 1+order[i]) // and back
					}
				}
				for range r.IntN(n) {
					link(1+r.IntN(n), 1+r.IntN(n))
				}
				roots := []uint32{uint32(1 + order[0]), uint32(1 + r.IntN(n))}
				want, reachable := iterative(successors, roots)
				requireDominators(t, buildAs(t, successors, roots, l), want, reachable)
			}
		})
	}
}

// TestNumbersAreTheGraphs: numbers do not depend on which core came first.
func TestNumbersAreTheGraphs(t *testing.T) {
	const n = 3 * stretch
	r := rand.New(rand.NewPCG(5, 5))
	successors := make([][]uint32, n+1)
	for range 3 * n {
		v := 1 + r.IntN(n)
		successors[v] = append(successors[v], uint32(1+r.IntN(n)))
	}
	roots := []uint32{1, 2, 3}
	var first []uint32
	for i := range 8 {
		l := usualLimits()
		l.cores, l.stretch = 1+i, 16
		tree := buildAs(t, successors, roots, l)
		if first == nil {
			first = tree.vertex.Items
		}
		require.Equal(t, first, tree.vertex.Items, "%d cores", l.cores)
	}
}

// TestTooManySteps: a list both ways, entered at its head and in its middle, has as many steps to
// each node as it is long. It goes through semi-NCA.
func TestTooManySteps(t *testing.T) {
	const n = 1 << 13
	successors := make([][]uint32, n+1)
	for v := uint32(3); v < n; v++ {
		successors[v] = append(successors[v], v+1)
		successors[v+1] = append(successors[v+1], v)
	}
	successors[1] = []uint32{2}
	successors[2] = []uint32{3, n / 2}
	g := graph(t, successors, []uint32{1})
	tree := &Tree{graph: g, limits: usualLimits()}
	defer tree.Free()
	references, err := tree.peel(t.Context())
	require.NoError(t, err)
	o, ok, err := tree.level(t.Context(), references)
	require.NoError(t, err)
	o.free()
	assert.False(t, ok)
	want, reachable := iterative(successors, []uint32{1})
	requireDominators(t, build(t, successors, []uint32{1}), want, reachable)
}

// TestEachWayStops: its context ends it whichever way the core is gone through.
func TestEachWayStops(t *testing.T) {
	const n = 1 << 16
	successors := make([][]uint32, n+1)
	for v := uint32(1); v < n; v++ {
		successors[v], successors[v+1] = append(successors[v], v+1), append(successors[v+1], v)
	}
	for name, l := range unusual() {
		t.Run(name, func(t *testing.T) {
			tree := &Tree{graph: graph(t, successors, []uint32{1, n / 3}), limits: l}
			defer tree.Free()
			references, err := tree.peel(t.Context())
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			o, err := tree.dominators(ctx, references)
			o.free()
			assert.ErrorIs(t, err, context.Canceled)
		})
	}
}

// BenchmarkLevels is of graphs as unlike as they come, by each of both ways: ns a node.
func BenchmarkLevels(b *testing.B) {
	const n = 1 << 20
	r := rand.New(rand.NewPCG(1, 1))
	random, list := make([][]uint32, n+1), make([][]uint32, n+1)
	for v := uint32(1); v <= n; v++ {
		random[v] = []uint32{uint32(1 + r.IntN(n)), uint32(1 + r.IntN(n)), uint32(1 + r.IntN(n))}
		if v < n {
			list[v], list[v+1] = append(list[v], v+1), append(list[v+1], v)
		}
	}
	for name, successors := range map[string][][]uint32{"random": random, "list": list} {
		for _, way := range []string{"usual", "semi-NCA"} {
			b.Run(fmt.Sprintf("%s/%s", name, way), func(b *testing.B) {
				for b.Loop() {
					b.StopTimer()
					tree := &Tree{graph: graph(b, successors, []uint32{1}), limits: unusual()[way]}
					references, err := tree.peel(b.Context())
					require.NoError(b, err)
					b.StartTimer()
					o, err := tree.dominators(b.Context(), references)
					require.NoError(b, err)
					b.StopTimer()
					o.free()
					tree.Free()
					b.StartTimer()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/node")
			})
		}
	}
}

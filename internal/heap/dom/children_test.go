package dom

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestChildren compares with the dominators of all nodes.
func TestChildren(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 3))
		n := 1 + r.IntN(40)
		successors := make([][]uint32, n+1)
		for range r.IntN(2 * n) {
			v := 1 + r.IntN(n)
			successors[v] = append(successors[v], uint32(1+r.IntN(n)))
		}
		tree := build(t, successors, []uint32{uint32(1 + r.IntN(n)), uint32(1 + r.IntN(n))})
		want := make([][]uint32, n+1)
		for v, d := range tree.Dominators {
			want[d] = append(want[d], v)
			require.Equal(t, d, tree.Dominator(v), "seed %d node %d", seed, v)
		}
		for v := uint32(0); int(v) <= n; v++ {
			slices.Sort(want[v])
			got := children(t, tree, v)
			slices.Sort(got)
			require.Equal(t, want[v], got, "seed %d node %d", seed, v)
			if v != 0 {
				below(t, tree, v)
				some(t, tree, v, len(got))
			}
			for child := uint32(1); v != 0 && int(child) <= n; child++ {
				require.Equal(t, slices.Contains(want[v], child), tree.IsChild(v, child), "seed %d nodes %d, %d", seed, v, child)
			}
			if !tree.Reachable(v) {
				require.Zero(t, tree.Dominator(v))
			}
		}
	}
}

// children returns those of a node, nil for none.
func children(t *testing.T, tree *Tree, v uint32) (all []uint32) {
	t.Helper()
	for child, retained := range tree.Children(v) {
		require.Equal(t, tree.Retained(child), retained, "node %d", child)
		all = append(all, child)
	}
	return all
}

// some compares some of the children of v, not 0, with all.
func some(t *testing.T, tree *Tree, v uint32, all int) {
	t.Helper()
	seen := 0
	for child, retained := range tree.SomeChildren(v, all, math.MaxUint64) {
		require.True(t, tree.IsChild(v, child))
		require.Equal(t, tree.Retained(child), retained, "node %d", child)
		seen++
	}
	require.Equal(t, all, seen, "below %d", v)
	peeled, others := 0, 0
	for child, retained := range tree.SomeChildren(v, 1, 0) {
		require.LessOrEqual(t, retained, tree.Retained(child), "node %d", child)
		if tree.numberOf(child) == 0 {
			peeled++
		} else {
			others++
		}
	}
	require.LessOrEqual(t, peeled, 1)
	require.LessOrEqual(t, others, 1)
	require.Equal(t, all > 0, peeled+others > 0)
	for range tree.SomeChildren(v, all, 0) {
		break
	}
}

package dom

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestAll compares with what the tree says node by node.
func TestAll(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 2))
		n := 1 + r.IntN(40)
		successors := make([][]uint32, n+1)
		for range r.IntN(2 * n) {
			v := 1 + r.IntN(n)
			successors[v] = append(successors[v], uint32(1+r.IntN(n)))
		}
		tree := build(t, successors, []uint32{uint32(1 + r.IntN(n)), uint32(1 + r.IntN(n))})
		all, err := tree.All(context.Background())
		require.NoError(t, err)
		want := make([]uint32, n+1)
		for v, d := range tree.Dominators {
			want[v] = d
		}
		require.Equal(t, want, all.Dominator.Items, "seed %d", seed)
		for v := uint32(1); int(v) <= n; v++ {
			require.Equal(t, tree.Retained(v), all.Retained.Items[v], "seed %d node %d", seed, v)
		}
		all.Free()
	}
}

// TestAllOfAChain needs as many steps as there are nodes, not the square of it.
func TestAllOfAChain(t *testing.T) {
	const n = 1_000_000
	successors := make([][]uint32, n+1)
	for v := uint32(1); v < n; v++ {
		successors[v] = []uint32{v + 1}
	}
	tree := build(t, successors, []uint32{1})
	all, err := tree.All(context.Background())
	require.NoError(t, err)
	defer all.Free()
	assert.Equal(t, uint64(n)*(n+1)/2, all.Retained.Items[1])
	assert.Equal(t, uint64(n), all.Retained.Items[n])

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = tree.All(ctx)
	assert.ErrorIs(t, err, context.Canceled)
}

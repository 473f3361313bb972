package dom

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestRetainedByGroup compares with the sum over the nodes that none of their group
// dominates.
func TestRetainedByGroup(t *testing.T) {
	const groups = 3
	group := func(v uint32) uint32 { return v * 7 % 11 % groups }
	for seed := range uint64(1000) {
		r := rand.New(rand.NewPCG(seed, 3))
		n := 1 + r.IntN(40)
		successors := make([][]uint32, n+1)
		for range r.IntN(2 * n) {
			v := 1 + r.IntN(n)
			successors[v] = append(successors[v], uint32(1+r.IntN(n)))
		}
		tree := build(t, successors, []uint32{uint32(1 + r.IntN(n)), uint32(1 + r.IntN(n))})
		dominators := map[uint32]uint32{}
		for v, d := range tree.Dominators {
			dominators[v] = d
		}
		want := make([]uint64, groups)
		for v := range dominators {
			topmost := true
			for d := dominators[v]; d != 0; d = dominators[d] {
				topmost = topmost && group(d) != group(v)
			}
			if topmost {
				want[group(v)] += tree.Retained(v)
			}
		}
		got, err := tree.RetainedByGroup(context.Background(), groups, group)
		require.NoError(t, err)
		require.Equal(t, want, got, "seed %d", seed)
	}
}

// TestRetainedByGroupOfAChain must not pile the chain up.
func TestRetainedByGroupOfAChain(t *testing.T) {
	const n = 1_000_000
	successors := make([][]uint32, n+1)
	for v := uint32(1); v < n; v++ {
		successors[v] = []uint32{v + 1}
	}
	tree := build(t, successors, []uint32{1})
	sums, err := tree.RetainedByGroup(context.Background(), 2, func(v uint32) uint32 { return v % 2 })
	require.NoError(t, err)
	assert.Equal(t, []uint64{n*(n+1)/2 - 1, n * (n + 1) / 2}, sums)
}

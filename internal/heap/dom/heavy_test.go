package dom

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestHeavy compares with what the tree says node by node.
func TestHeavy(t *testing.T) {
	var heavy int
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 3))
		n := 1 + r.IntN(40)
		successors := make([][]uint32, n+1)
		for range r.IntN(2 * n) {
			v := 1 + r.IntN(n)
			successors[v] = append(successors[v], uint32(1+r.IntN(n)))
		}
		tree := build(t, successors, []uint32{uint32(1 + r.IntN(n)), uint32(1 + r.IntN(n))})
		children := make([][]uint32, n+1)
		for v, d := range tree.Dominators {
			children[d] = append(children[d], v)
		}
		for v := uint32(1); int(v) <= n; v++ {
			retained := tree.Retained(v)
			for least := retained/2 + 1; tree.Reachable(v) && least <= retained; least++ {
				var want uint32
				for _, c := range children[v] {
					if tree.Retained(c) >= least {
						want = c
					}
				}
				got, weight := tree.Heavy(v, retained, least)
				require.Equal(t, want, got, "seed %d node %d least %d", seed, v, least)
				require.Equal(t, tree.Retained(want), weight, "seed %d node %d least %d", seed, v, least)
				if want != 0 {
					heavy++
				}
			}
		}
	}
	require.Greater(t, heavy, 1000)
}

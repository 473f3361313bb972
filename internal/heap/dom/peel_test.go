package dom

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCoreIsTheGraphs: what is left after peeling does not depend on how far the passes of the
// cores get. Chains run up and down, and many end at a node that stays.
func TestCoreIsTheGraphs(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 11))
		n := 200 + r.IntN(3000)
		successors := make([][]uint32, n+1)
		order := r.Perm(n)
		for i, v := range order[1:] {
			before := order[i]
			if r.IntN(20) == 0 {
				before = order[r.IntN(i+1)]
			}
			successors[before+1] = append(successors[before+1], uint32(v+1))
		}
		for range r.IntN(5) {
			v := 1 + r.IntN(n)
			successors[v] = append(successors[v], uint32(1+r.IntN(n)))
		}
		root := uint32(order[r.IntN(3)] + 1)
		tree := build(t, successors, []uint32{root})
		stays, live := staying(successors, root), 0
		for v := range reach(successors, []uint32{root}, 0) {
			if stays[v] {
				live++
			}
		}
		require.Equal(t, live, tree.CoreSize(), "seed %d", seed)
	}
}

// staying returns which nodes can't be peeled, one predecessor after the other.
func staying(successors [][]uint32, root uint32) []bool {
	predecessors, stays := make([]int, len(successors)), make([]bool, len(successors))
	for _, to := range successors {
		for _, w := range to {
			predecessors[w]++
		}
	}
	var orphans []uint32
	for v := uint32(1); int(v) < len(successors); v++ {
		if predecessors[v] == 0 && v != root {
			orphans = append(orphans, v)
		}
	}
	for len(orphans) > 0 {
		v := orphans[0]
		orphans = orphans[1:]
		for _, w := range successors[v] {
			if predecessors[w]--; predecessors[w] == 0 && w != root {
				orphans = append(orphans, w)
			}
		}
	}
	for more := true; more; {
		more = false
		for v := range stays {
			stay := uint32(v) == root || predecessors[v] > 1
			for _, w := range successors[v] {
				stay = stay || stays[w] && predecessors[v] > 0
			}
			if stay && !stays[v] {
				stays[v], more = true, true
			}
		}
	}
	return stays
}

package dom

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMergedTree draws a map of three equal values, a list that hangs on itself, and
// two big nodes of one group.
func TestMergedTree(t *testing.T) {
	const holder, value, leaf, link = 0, 1, 2, 3
	groups := []uint32{1: holder, 2: value, 3: value, 4: value, 5: leaf, 6: leaf, 7: link, 8: link, 9: link, 90: value, 100: value}
	successors := make([][]uint32, 101)
	successors[1] = []uint32{2, 3, 4, 7, 90, 100}
	successors[2], successors[3] = []uint32{5}, []uint32{6}
	successors[7], successors[8] = []uint32{8}, []uint32{9}
	successors[90], successors[100] = []uint32{1}, []uint32{1} // big ones must be core nodes
	tree := build(t, successors, []uint32{1})
	big := uint64(50)
	sums, err := tree.Survey(context.Background(), survey(func(v uint32) uint32 { return groups[v] }, 101, big))
	got := sums.Merged
	require.NoError(t, err)

	byTop := map[uint32]Merged{}
	for i, e := range got {
		require.Less(t, e.Parent, int32(i))
		byTop[e.Top] = e
	}
	root := byTop[1]
	assert.Equal(t, Merged{Parent: -1, Class: holder, Top: 1, Nodes: 1, Own: 1, RetainedNodes: 11, Retained: 1 + 2 + 3 + 4 + 5 + 6 + 7 + 8 + 9 + 190}, root)
	list := byTop[7]
	assert.Equal(t, uint64(3), list.Nodes, "what hangs on its own group is one entry")
	assert.Equal(t, uint64(24), list.Own)
	for _, e := range got {
		if e.Class == value && e.Top == 0 {
			assert.Contains(t, []uint64{9, 199}, e.Own)
		}
		if e.Class == leaf {
			assert.Equal(t, uint64(11), e.Retained)
			assert.Equal(t, uint32(value), got[e.Parent].Class)
		}
	}
}

// TestMergedOfRandomGraphs: what the entries stand for adds up to the tree, and each
// one's sum to its own and those below.
func TestMergedOfRandomGraphs(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 7))
		n := 1 + r.IntN(30)
		successors := make([][]uint32, n+1)
		for range r.IntN(3 * n) {
			v := 1 + r.IntN(n)
			successors[v] = append(successors[v], uint32(1+r.IntN(n)))
		}
		tree := build(t, successors, []uint32{1, uint32(n)})
		sums, err := tree.Survey(context.Background(), survey(func(v uint32) uint32 { return v % 3 }, 101, uint64(1+r.IntN(60))))
		entries := sums.Merged
		require.NoError(t, err)
		var nodes, own, top uint64
		below := make([]uint64, len(entries))
		for i := len(entries) - 1; i >= 0; i-- {
			e := entries[i]
			nodes, own = nodes+e.Nodes, own+e.Own
			require.Equal(t, e.Own+below[i], e.Retained, "seed %d", seed)
			if e.Parent < 0 {
				top += e.Retained
				continue
			}
			below[e.Parent] += e.Retained
			require.NotEqual(t, e.Class, entries[e.Parent].Class, "seed %d", seed)
			if e.Top != 0 {
				require.Equal(t, e.Class, e.Top%3)
			}
		}
		require.Equal(t, uint64(tree.Size()), nodes, "seed %d", seed)
		require.Equal(t, tree.Total(), own, "seed %d", seed)
		require.Equal(t, tree.Total(), top, "seed %d", seed)
	}
}

// TestMergedTreeOfAChain: neither its depth nor its length grows with the chain.
func TestMergedTreeOfAChain(t *testing.T) {
	const n = 300_000
	successors := make([][]uint32, n+1)
	for v := uint32(1); v < n; v++ {
		successors[v] = []uint32{v + 1}
	}
	tree := build(t, successors, []uint32{1})
	sums, err := tree.Survey(context.Background(), survey(func(v uint32) uint32 { return v % 2 }, 101, tree.Total()+1))
	alternating := sums.Merged
	require.NoError(t, err)
	assert.Len(t, alternating, maxMergedDepth)
	assert.Equal(t, uint64(n), alternating[0].RetainedNodes)
}

// TestJoiningStops: of a hundred thousand classes it takes seconds, and memory.
func TestJoiningStops(t *testing.T) {
	m, other := newMerging(), newMerging()
	for class := range uint32(2 * mergeRecent) {
		other.count(other.at(0, class, class+1, false), 8)
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, m.join(stopped, other), context.Canceled)
	m = newMerging()
	assert.NoError(t, m.join(t.Context(), other))
	assert.Len(t, m.finish(), 2*mergeRecent)
}

package dom

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// survey asks for all there is about nodes that weigh their number, in one group a
// class; a second grouping has a single group.
func survey(class func(v uint32) uint32, classes int, big uint64) Survey {
	byClass := make([]uint32, classes)
	for i := range byClass {
		byClass[i] = uint32(i)
	}
	return Survey{
		Class:     func(v uint32) (uint32, uint64) { return class(v), uint64(v) },
		Groupings: [][]uint32{byClass, make([]uint32, classes)},
		Merge:     true,
		Big:       big,
	}
}

// TestSurvey compares with the sum over the nodes that none of their group
// dominates.
func TestSurvey(t *testing.T) {
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
		sums, err := tree.Survey(context.Background(), survey(group, groups, 0))
		require.NoError(t, err)
		require.Equal(t, want, sums.Retained[0], "seed %d", seed)
		require.Equal(t, []uint64{tree.Total()}, sums.Retained[1], "seed %d", seed)
	}
}

// TestSurveyOfAChain must not pile the chain up.
func TestSurveyOfAChain(t *testing.T) {
	const n = 1_000_000
	successors := make([][]uint32, n+1)
	for v := uint32(1); v < n; v++ {
		successors[v] = []uint32{v + 1}
	}
	tree := build(t, successors, []uint32{1})
	sums, err := tree.Survey(context.Background(), survey(func(v uint32) uint32 { return v % 2 }, 2, 0))
	require.NoError(t, err)
	assert.Equal(t, []uint64{n*(n+1)/2 - 1, n * (n + 1) / 2}, sums.Retained[0])
}

// TestSurveyOfAWideNode: what hangs on one node is shared out, and adds up to the same.
func TestSurveyOfAWideNode(t *testing.T) {
	const children = 5 * pieceNodes / 2
	successors := make([][]uint32, 3*children+3)
	successors[1] = []uint32{2}
	for i := range uint32(children) {
		child := 3 + 3*i
		successors[2] = append(successors[2], child)
		successors[child] = []uint32{child + 1, child + 2}
	}
	class := func(v uint32) uint32 {
		if v < 3 {
			return v
		}
		return 3 + v%3
	}
	tree := build(t, successors, []uint32{1, 2}) // 2 is no peeled node
	sums, err := tree.Survey(context.Background(), survey(class, 6, 0))
	require.NoError(t, err)
	var want [3]uint64
	for v := uint32(3); v < 3*children+3; v++ {
		want[v%3] += uint64(v)
	}
	below := want[0] + want[1] + want[2]
	assert.Equal(t, []uint64{0, 1, 2 + below, below, want[1], want[2]}, sums.Retained[0])
	assert.Equal(t, []uint64{3 + below}, sums.Retained[1])
	require.Len(t, sums.Merged, 5)
	for _, e := range sums.Merged {
		switch e.Class {
		case 3:
			assert.Equal(t, below, e.Retained)
			assert.Equal(t, uint64(3*children), e.RetainedNodes)
			assert.Equal(t, uint32(2), sums.Merged[e.Parent].Class)
		case 4, 5:
			assert.Equal(t, want[e.Class-3], e.Retained)
			assert.Equal(t, uint64(children), e.Nodes)
			assert.Equal(t, uint32(3), sums.Merged[e.Parent].Class)
		}
	}
}

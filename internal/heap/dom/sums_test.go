package dom

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// TestBigSums has nodes that retain more units than 32 bits count, in the core and
// peeled off below it.
func TestBigSums(t *testing.T) {
	const big = 8 << 33
	successors := [][]uint32{1: {2, 3}, 2: {4}, 3: {4, 5}, 4: nil, 5: {6}, 6: nil}
	g := graph(t, successors, []uint32{1})
	g.Unit = 8
	g.Weight = func(v uint32) uint64 {
		if v >= 4 {
			return big
		}
		return 8
	}
	tree, err := Build(context.Background(), g)
	require.NoError(t, err)
	t.Cleanup(tree.Free)
	for v, want := range map[uint32]uint64{1: 24 + 3*big, 2: 8, 3: 8 + 2*big, 4: big, 5: 2 * big, 6: big} {
		assert.Equal(t, want, tree.Retained(v), "node %d", v)
	}
	assert.Equal(t, uint64(24+3*big), tree.Total())
}

// TestSumsAtTheBound keeps those that are as big as the mark of big ones, or nearly so.
func TestSumsAtTheBound(t *testing.T) {
	items, err := offheap.Make[uint32](nil, 1)
	require.NoError(t, err)
	s := newSums(items, 8)
	t.Cleanup(s.free)
	for _, units := range []uint64{uint64(bigSum) - 1, uint64(bigSum), uint64(bigSum) + 1, 7} {
		s.set(0, 8*units)
		assert.Equal(t, 8*units, s.of(0))
	}
}

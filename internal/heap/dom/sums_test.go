package dom

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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

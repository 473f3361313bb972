package dom

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestOrphans: an array has the elements of those that it took the place of, which still refer
// to the one before; with them no element has but one predecessor.
func TestOrphans(t *testing.T) {
	const array, first, n = 10, 11, 5000
	successors := make([][]uint32, n+1)
	for old := uint32(2); old <= array; old++ {
		for v := uint32(first); v <= n>>(array-old); v++ {
			successors[old] = append(successors[old], v)
		}
	}
	for old := uint32(3); old < array; old++ {
		successors[old] = append(successors[old], old-1) // a chain of garbage
	}
	successors[1] = []uint32{array}
	tree := build(t, successors, []uint32{1})
	assert.Equal(t, int64(2+n-array), tree.Size())
	assert.LessOrEqual(t, tree.CoreSize(), 2, "the root and the array")
	assert.Equal(t, tree.Total()-1, tree.Retained(array))
	assert.Zero(t, tree.Retained(array-1))
	assert.False(t, tree.IsChild(array-1, first), "garbage holds nothing")
	assert.True(t, tree.IsChild(array, first))
}

// TestOrphanRoot: a root that only garbage refers to stays one.
func TestOrphanRoot(t *testing.T) {
	tree := build(t, [][]uint32{1: {2}, 2: {3}, 3: nil}, []uint32{2})
	assert.Equal(t, int64(2), tree.Size())
	assert.Equal(t, uint64(5), tree.Retained(2))
}

package dom

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestManyUnreachable: most of the core may be unreachable, as in a dump with garbage.
func TestManyUnreachable(t *testing.T) {
	const n = 5 * bucketNodes / 2
	successors := make([][]uint32, n+1)
	for v := uint32(11); v < n; v++ {
		successors[v] = []uint32{v + 1, v - 1} // a chain both ways: nothing to peel
	}
	successors[1] = []uint32{2, 3}
	successors[2], successors[3] = []uint32{4}, []uint32{4}
	tree := build(t, successors, []uint32{1})
	assert.Equal(t, int64(4), tree.Size())
	assert.Equal(t, uint64(1+2+3+4), tree.Retained(1))
	assert.Zero(t, tree.Retained(n))
}

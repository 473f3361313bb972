package hprof

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestOrdinals finds each id's record, the last one of several, and none for the ids around runs of them.
func TestOrdinals(t *testing.T) {
	for name, ids := range map[string][]uint64{
		"none": nil, "one": {7}, "a run": {7, 8, 9}, "runs": {20, 21, 5, 6, 7, 0, 1, 30}, "touching runs": {10, 11, 5, 6, 7, 8, 9},
		"repeated": {5, 6, 7, 6, 9, 5}, "the greatest": {^uint64(0) - 1, ^uint64(0)},
	} {
		var o ordinals
		last := map[uint64]int{}
		for at, id := range ids {
			require.NoError(t, o.add(nil, id))
			last[id] = at
		}
		require.NoError(t, o.seal(nil))
		for _, near := range append(ids, 40) {
			for _, id := range []uint64{near - 1, near, near + 1} {
				at, ok := o.of(id)
				want, known := last[id]
				assert.Equal(t, known, ok, "%s: %d", name, id)
				assert.Equal(t, want, at, "%s: %d", name, id)
			}
		}
		o.free()
	}
}

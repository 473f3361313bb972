package dom

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
)

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

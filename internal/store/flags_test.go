package store

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestBlocksFitTheirCacheOnManyProcessors is about what one part of a cache has room for: the engine
// makes as many of them as the square of the number of processors, and from 16 on 16 for each.
func TestBlocksFitTheirCacheOnManyProcessors(t *testing.T) {
	t.Parallel()
	const block = 64 << 10
	for processors, parts := range map[int]int64{1: 1, 2: 4, 8: 64, 16: 256, 64: 1024} {
		for _, usual := range []int64{defaultMemoryBytes / 4, defaultMemoryBytes / 10} {
			size := blockCacheBytes(usual, processors)
			assert.GreaterOrEqual(t, size, usual, processors)
			assert.GreaterOrEqual(t, size/parts, int64(4*block), processors)
		}
	}
	assert.EqualValues(t, defaultMemoryBytes/4, blockCacheBytes(defaultMemoryBytes/4, 4), "more only where it must be")
}

package edges

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestRoomForAll writes runs that leave much of each chunk unused, with codes that are all as long as
// can be: there is room for whatever was announced.
func TestRoomForAll(t *testing.T) {
	const n, longest, rounds = 100_000, 3, 60
	const half = chunkBytes / 2 / longest
	for name, lengths := range map[string][]int{
		"more than half a chunk each":      {half + 10},
		"a node before each":               {1, half + 10},
		"two of less than half":            {half - 10, half + 20},
		"a node before two":                {1, half + 10, half + 10},
		"as big as may be given up":        {bigRun/longest - 5},
		"bigger than a chunk, and smaller": {2*half + 10, half / 2, 1, 3 * half, bigRun / longest},
	} {
		bound, node := 0, uint32(0)
		for range rounds {
			for _, length := range lengths {
				bound += length
			}
		}
		b, err := NewBuilder(nil, n, uint64(bound), 1)
		require.NoError(t, err)
		require.EqualValues(t, longest, b.Longest())
		g := b.Freeze()
		w := b.NewWriter()
		for range rounds {
			for _, length := range lengths {
				node++
				require.NoError(t, w.Run(node, 0, farAway(length)), "%s: node %d", name, node)
			}
		}
		w.Close()
		for v := uint32(1); v <= node; v++ {
			want := lengths[int(v-1)%len(lengths)]
			got := read(g, g.From(v))
			require.Len(t, got, want, "%s: node %d", name, v)
			require.EqualValues(t, farAway(want)[want-1], got[want-1], "%s: node %d", name, v)
		}
		assert.LessOrEqual(t, b.Used(), b.Size(), name)
		g.Free()
	}
}

// farAway returns so many successors, each at the other end of the nodes of TestRoomForAll.
func farAway(length int) []uint64 {
	all := make([]uint64, length)
	for i := range all {
		all[i] = 50_000 + uint64(i%2)*49_999
	}
	return all
}

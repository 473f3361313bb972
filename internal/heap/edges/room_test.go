package edges

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
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

// TestRunsOfAllSizes has one to sixteen writers write runs of 1 to 200,000 successors among short ones, in many
// orders, and reads them all before and after they were put into order.
func TestRunsOfAllSizes(t *testing.T) {
	const n, written, room = 100_000, 3000, 1_200_000
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 3))
		writers := 1 << (seed / 4)
		successors, bound := make([][]uint64, written), 0
		for v := range successors {
			many := r.IntN(6) * r.IntN(2)
			if r.IntN(3) == 0 {
				many = min(200_000>>max(r.IntN(17), r.IntN(17), r.IntN(17)), room-bound)
			}
			bound += many
			for i := range many { // of all lengths of codes
				successors[v] = append(successors[v], uint64(i%7+r.IntN(n>>r.IntN(16))))
			}
		}
		order := r.Perm(written)
		switch seed % 4 {
		case 0:
			slices.Sort(order)
		case 1:
			slices.SortFunc(order, func(a, b int) int { return b - a })
		case 2: // by size
			slices.SortFunc(order, func(a, b int) int { return len(successors[a]) - len(successors[b]) })
		}
		var m offheap.Memory
		b, err := NewBuilder(&m, n+7, uint64(bound), writers)
		require.NoError(t, err)
		var all []*Writer
		var group sync.WaitGroup
		part := (written + writers - 1) / writers
		for mine := range slices.Chunk(order, part) {
			w := b.NewWriter()
			all = append(all, w)
			group.Go(func() {
				for _, v := range mine {
					if s := successors[v]; assert.NoError(t, w.Begin(uint32(v), len(s))) {
						w.AddAll(s)
						w.End()
					}
				}
			})
		}
		group.Wait()
		for _, w := range all {
			w.Close()
		}
		assert.LessOrEqual(t, b.Used(), b.Size())
		g := b.Freeze()
		same := func() {
			t.Helper()
			c, kept := g.Cursor(), uint64(0)
			for v := range successors {
				want := distinctOf(uint32(v), successors[v])
				kept += uint64(len(want))
				require.Equal(t, want, read(g, g.From(uint32(v))), "seed %d node %d", seed, v)
				require.Equal(t, want, read(g, c.From(uint32(v))), "seed %d node %d", seed, v)
			}
			assert.Equal(t, kept, g.Successors())
		}
		same()
		require.NoError(t, b.Arrange(t.Context(), &m, writers))
		same()
		g.Free()
	}
}

// distinctOf is distinct for what AddAll takes.
func distinctOf(v uint32, successors []uint64) []uint32 {
	all := make([]uint32, len(successors))
	for i, s := range successors {
		all[i] = uint32(s)
	}
	return distinct(v, all)
}

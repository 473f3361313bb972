package heap

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// TestTablesAreInOrder deals the objects of a table out to parts, in runs: none, few and many breaks.
func TestTablesAreInOrder(t *testing.T) {
	const n = 5000
	r := rand.New(rand.NewPCG(7, 8))
	for _, run := range []int{n, 900, 3} {
		objects := make([]ObjID, n)
		for i := range objects {
			objects[i] = ObjID(2*i + 1)
		}
		runs := slices.Collect(slices.Chunk(objects, run))
		r.Shuffle(len(runs), func(i, j int) { runs[i], runs[j] = runs[j], runs[i] })
		b := &builder{Graph: &Graph{memory: &offheap.Memory{}}}
		parts := []*rows{{}, {}, {}}
		for i, run := range runs {
			for _, o := range run {
				if p := parts[i%2]; run[0]%3 == 0 && o%5 == 0 { // what a sample has is its own part
					require.NoError(t, parts[2].add(o, nil, &tablePlan{}, b))
				} else {
					require.NoError(t, p.add(o, nil, &tablePlan{}, b))
				}
			}
		}
		table, err := newTable(b.memory, Watch{}, parts, nil)
		require.NoError(t, err)
		require.Equal(t, objects, table.Objects, run)
	}
}

package dom

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// below compares what lies below v with all the children there.
func below(t *testing.T, tree *Tree, v uint32) {
	t.Helper()
	var want, got []uint32
	for todo := []uint32{v}; len(todo) > 0; {
		under := children(t, tree, todo[0])
		want = append(want, under...)
		todo = append(todo[1:], under...)
	}
	visit := func(limit int) func(u uint32) bool {
		return func(u uint32) bool {
			got = append(got, u)
			return len(got) < limit
		}
	}
	tree.Below(v, visit(len(want)+1))
	slices.Sort(want)
	slices.Sort(got)
	require.Equal(t, want, got, "below %d", v)
	require.Equal(t, want, belowAtOnce(t, tree, v), "at once, below %d", v)
	got = nil
	tree.Below(v, visit(2))
	require.LessOrEqual(t, len(got), 2, "visit ends it")
}

// belowAtOnce returns what BelowAtOnce visits, in ascending order.
func belowAtOnce(t *testing.T, tree *Tree, v uint32) (got []uint32) {
	t.Helper()
	var mu sync.Mutex
	err := tree.BelowAtOnce(t.Context(), v, func() func(u uint32) bool {
		var own sync.Mutex
		return func(u uint32) bool {
			require.True(t, own.TryLock(), "two call a worker's function at the same time")
			defer own.Unlock()
			mu.Lock()
			defer mu.Unlock()
			got = append(got, u)
			return true
		}
	})
	require.NoError(t, err)
	slices.Sort(got)
	return got
}

// TestBelowPieces has very many nodes below one that was not peeled off and below one that was, and a
// long chain below the last of them.
func TestBelowPieces(t *testing.T) {
	const children, chain = 3 * pieceNodes, 2 * pieceNodes
	for name, core := range map[string]bool{"core": true, "peeled": false} {
		t.Run(name, func(t *testing.T) {
			// 1 is the root, 2 has the children, from 3 on; 1 leads to the first one as well where 2 has to stay.
			successors := make([][]uint32, 3+children+chain)
			successors[1] = []uint32{2}
			if core {
				successors[1] = append(successors[1], 3)
			}
			var want []uint32
			for u := uint32(3); int(u) < len(successors); u++ {
				if u < 3+children {
					successors[2] = append(successors[2], u)
				} else {
					successors[u-1] = append(successors[u-1], u)
				}
				if u > 3 || !core {
					want = append(want, u)
				}
			}
			tree := build(t, successors, []uint32{1})
			require.Equal(t, core, tree.numberOf(2) != 0)
			require.Equal(t, want, belowAtOnce(t, tree, 2))

			halted := 0
			require.NoError(t, tree.BelowAtOnce(t.Context(), 2, func() func(u uint32) bool {
				halted++
				return func(uint32) bool { return false }
			}), "each ends with the first it visits")
			require.Positive(t, halted)

			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			require.ErrorIs(t, tree.BelowAtOnce(ctx, 2, func() func(u uint32) bool {
				return func(uint32) bool { return true }
			}), context.Canceled)
		})
	}
}

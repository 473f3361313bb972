package heap

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSearchNear(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{0, 1, 2, 1000} {
		var items []uint32
		for x := uint32(1); len(items) < n; x += 1 + r.Uint32N(3) {
			items = append(items, x)
		}
		for range 20_000 {
			x := r.Uint32N(uint32(2*n) + 3)
			at, ok := slices.BinarySearch(items, x)
			gotAt, got := searchNear(items, x, r.IntN(n+3))
			require.Equal(t, at, gotAt, x)
			require.Equal(t, ok, got, x)
		}
	}
}

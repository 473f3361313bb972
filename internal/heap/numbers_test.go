package heap

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNumbers(t *testing.T) {
	var got numbers
	_, ok := got.get(7)
	assert.False(t, ok)
	var zeroAlone numbers
	zeroAlone.of(0)
	_, ok = zeroAlone.get(7)
	assert.False(t, ok)
	want := map[uint64]int{}
	r := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		id := r.Uint64N(3000) << r.UintN(50) // 0, too
		n, known := want[id]
		if !known {
			n = len(want)
			want[id] = n
		}
		number, fresh := got.of(id)
		require.Equal(t, n, number)
		require.Equal(t, !known, fresh)
	}
	assert.Contains(t, want, uint64(0))
	for id, n := range want {
		number, ok := got.get(id)
		require.True(t, ok)
		require.Equal(t, n, number)
	}
	_, ok = got.get(1<<63 + 1)
	assert.False(t, ok)
}

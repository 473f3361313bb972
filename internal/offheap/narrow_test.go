package offheap

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestNarrow writes numbers of all widths, in both directions: neighbours must not change.
func TestNarrow(t *testing.T) {
	for most, width := range map[uint32]int64{0: 1, 0xff: 1, 0x100: 2, 0xffffff: 3, 0x1000000: 4, 0xffffffff: 4} {
		var m Memory
		const n = 1000
		a, err := MakeNarrow(&m, n, most)
		require.NoError(t, err)
		assert.Equal(t, n*width+word-width, m.Reserved(), "most %#x", most)
		want := make([]uint32, n)
		for i := range n {
			for _, k := range []int{i, n - 1 - i} {
				want[k] = most - most/uint32(n)*uint32(i)
				a.Set(k, want[k])
			}
		}
		for i := range n {
			require.Equal(t, want[i], a.At(i), "number %d, most %#x", i, most)
		}
		a.Free()
		a.Free()
		assert.Zero(t, m.Reserved())
	}
}

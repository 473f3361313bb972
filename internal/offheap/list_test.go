package offheap

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestList(t *testing.T) {
	var m Memory
	var l List[uint32]
	const n = 2*slabItems + 10
	for i := range uint32(n) {
		require.NoError(t, l.Append(&m, i*7))
	}
	assert.Equal(t, n, l.Len())
	for _, i := range []int{0, slabItems - 1, slabItems, n - 1} {
		assert.Equal(t, uint32(i*7), l.At(i))
	}

	const first, step = slabItems - 50, 7 // from the first slab into the last one
	gathered := make([]uint32, (n-first)/step)
	l.Gather(gathered, first, step)
	for i, item := range gathered {
		if !assert.Equal(t, uint32((first+i*step)*7), item) {
			break
		}
	}

	var other List[uint32]
	for len(gathered) > 0 {
		some := min(len(gathered), 1000)
		require.NoError(t, other.AppendAll(&m, gathered[:some]))
		gathered = gathered[some:]
	}
	assert.Equal(t, (n-first)/step, other.Len())
	for i := range other.Len() {
		if !assert.Equal(t, l.At(first+i*step), other.At(i)) {
			break
		}
	}
	other.Free()

	l.Free()
	assert.Zero(t, m.Reserved())
}

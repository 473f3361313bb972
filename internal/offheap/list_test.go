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
	l.Free()
	assert.Zero(t, m.Reserved())
}

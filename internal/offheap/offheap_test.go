package offheap

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMake(t *testing.T) {
	var m Memory
	a, err := Make[uint32](&m, 1<<20)
	require.NoError(t, err)
	require.Len(t, a.Items, 1<<20)
	assert.Zero(t, a.Items[1<<20-1])
	a.Items[1<<20-1] = 7
	assert.Equal(t, uint32(7), a.Items[1<<20-1])
	assert.Equal(t, int64(4<<20), m.Reserved())
	a.Free()
	assert.Nil(t, a.Items)
	assert.Zero(t, m.Reserved())
	a.Free()

	none, err := Make[uint64](&m, 0)
	require.NoError(t, err)
	assert.Empty(t, none.Items)
	none.Free()
}

func TestTooMuch(t *testing.T) {
	_, err := Make[uint64](nil, 1<<58)
	assert.Error(t, err)
}

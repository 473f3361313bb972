package offheap

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestQueue lets a queue grow and shrink: the items come in order, and it takes no more than
// when it was longest.
func TestQueue(t *testing.T) {
	var m Memory
	var q Queue[uint32]
	_, ok := q.Pop()
	require.False(t, ok)
	in, out := uint32(0), uint32(0)
	push := func(n int) {
		for range n {
			require.NoError(t, q.Push(&m, in*7))
			in++
		}
	}
	pop := func(n int) {
		for range n {
			item, ok := q.Pop()
			require.True(t, ok)
			require.Equal(t, out*7, item)
			out++
		}
	}
	const long = 2*slabItems + 10
	push(long)
	room := m.Reserved()
	pop(slabItems + 3)
	for range 3 * slabItems {
		push(1)
		pop(1)
	}
	push(slabItems)
	for _, n := range []int{0, 1, slabItems, int(in-out) - 1} {
		item, ok := q.Peek(n)
		require.True(t, ok)
		require.Equal(t, (out+uint32(n))*7, item)
	}
	_, ok = q.Peek(int(in - out))
	assert.False(t, ok)
	assert.Equal(t, room, m.Reserved(), "the room is used again")
	pop(int(in - out))
	_, ok = q.Pop()
	assert.False(t, ok)
	push(1)
	pop(1)
	q.Free()
	assert.Zero(t, m.Reserved())
}

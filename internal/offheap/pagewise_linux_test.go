package offheap

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestPagewise: of an array in a file that was dropped, what is looked at comes back, not what
// lies around it.
func TestPagewise(t *testing.T) {
	if !canPagewise() {
		t.Skip("this system brings what lies around, too")
	}
	const size, looks = 64 << 20, 500
	m := spilling(t)
	require.NoError(t, m.Spill())
	a, err := Make[uint8](m, size)
	require.NoError(t, err)
	defer a.Free()
	for i := range a.Items {
		a.Items[i] = 1
	}
	m.Drop()
	before, err := Resident()
	require.NoError(t, err)
	sum, random := 0, rand.New(rand.NewPCG(1, 2))
	for range looks {
		sum += int(a.Items[random.IntN(size)])
	}
	after, err := Resident()
	require.NoError(t, err)
	assert.Equal(t, looks, sum)
	assert.Less(t, after-before, int64(size/4), "bytes for %d looks", looks)
}

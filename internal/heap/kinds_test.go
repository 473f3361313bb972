package heap

import (
	"math"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSizeBeyondAllArrays has an array of more elements than Java has numbers for: its size does not begin at nothing again.
func TestSizeBeyondAllArrays(t *testing.T) {
	assert.Equal(t, uint32(math.MaxUint32), kindOf(1, 16+math.MaxUint32*8).size8)
	assert.Equal(t, uint32(1<<31+2), kindOf(1, 16+8<<31).size8)
}

// TestManyKinds has more kinds than two bytes have numbers for, met by two writers in different orders, and sizes that
// differ in their highest bit alone.
func TestManyKinds(t *testing.T) {
	const classes, sizes = 40, 2000
	k, err := newKinds(nil, classes*sizes, NoClass)
	require.NoError(t, err)
	defer k.free()
	kindOfObject := func(o int) (ClassID, int64) {
		class, size := o%classes, int64(o/classes)
		return ClassID(class), 8 * (size/2 + size%2<<31)
	}
	var group sync.WaitGroup
	for part := range 2 {
		group.Go(func() {
			w := newKindWriter(k)
			for i := part; i < classes*sizes; i += 2 {
				o := (i * 7919) % (classes * sizes)
				class, bytes := kindOfObject(o)
				w.set(ObjID(o+1), class, bytes)
			}
		})
	}
	group.Wait()
	assert.Len(t, k.all, 1+classes*sizes)
	for o := range classes * sizes {
		class, bytes := kindOfObject(o)
		require.Equal(t, kindOf(class, bytes), k.of(ObjID(o+1)), o)
	}
	assert.Equal(t, NoClass, k.of(0).class)
}

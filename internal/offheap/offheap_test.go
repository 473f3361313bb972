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

func TestDiscard(t *testing.T) {
	const items = 1 << 20
	a, err := Make[uint32](&Memory{}, items)
	require.NoError(t, err)
	defer a.Free()
	for i := range a.Items {
		a.Items[i] = 7
	}
	before, err := Resident()
	if err != nil {
		t.Skip(err)
	}
	a.Discard(1000, items-1000)
	after, err := Resident()
	require.NoError(t, err)
	assert.Less(t, after, before-3<<20)
	for i, v := range a.Items {
		if i < 1000 || i >= items-1000 {
			require.Equal(t, uint32(7), v, i)
		}
	}
	a.Items[items/2] = 9
	assert.Equal(t, uint32(9), a.Items[items/2])
	a.Discard(5, 6) // less than a page: stays
	assert.Equal(t, uint32(7), a.Items[5])
}

func TestPopulate(t *testing.T) {
	a, err := Make[uint32](&Memory{}, 4<<20)
	require.NoError(t, err)
	defer a.Free()
	before, err := Resident()
	if err != nil {
		t.Skip(err)
	}
	a.Items[1<<20] = 7
	a.Populate()
	after, err := Resident()
	require.NoError(t, err)
	assert.Greater(t, after, before+15<<20, "of 16 MiB")
	assert.Equal(t, uint32(7), a.Items[1<<20])
	assert.Zero(t, a.Items[2<<20])

	var none Array[uint8]
	none.Populate()
}

func TestPopulateBeside(t *testing.T) {
	a, err := Make[uint32](&Memory{}, 4<<20)
	require.NoError(t, err)
	defer a.Free()
	before, err := Resident()
	if err != nil {
		t.Skip(err)
	}
	b := new(Beside)
	PopulateBeside(b, &a)
	for i := 0; i < len(a.Items); i += 8 << 10 { // every eighth page
		a.Items[i] = uint32(i)
	}
	b.busy.Wait()
	for i := 0; i < len(a.Items); i += 8 << 10 {
		require.EqualValues(t, i, a.Items[i])
	}
	after, err := Resident()
	require.NoError(t, err)
	assert.Greater(t, after, before+15<<20, "of 16 MiB")

	stopped, err := Make[uint32](&Memory{}, 64<<20)
	require.NoError(t, err)
	defer stopped.Free()
	b.Stop()
	PopulateBeside(b, &stopped)
	b.busy.Wait()
	now, err := Resident()
	require.NoError(t, err)
	assert.Less(t, now, after+16<<20, "nothing after Stop")

	var nobody *Beside
	PopulateBeside(nobody, &stopped)
	nobody.Stop()
}

// TestPopulateSpilled: what is on the disk does not come into memory ahead of its use.
func TestPopulateSpilled(t *testing.T) {
	m := spilling(t)
	require.NoError(t, m.Spill())
	a, err := Make[uint32](m, 4<<20)
	require.NoError(t, err)
	defer a.Free()
	before, err := Resident()
	require.NoError(t, err)
	a.Populate()
	var b Beside
	PopulateBeside(&b, &a)
	b.busy.Wait()
	after, err := Resident()
	require.NoError(t, err)
	assert.Less(t, after, before+4<<20)
}

// TestHalves: two arrays lie in the memory of one, which is freed with the first.
func TestHalves(t *testing.T) {
	var m Memory
	a, err := Make[uint64](&m, 1001)
	require.NoError(t, err)
	reserved := m.Reserved()
	first, second := Halves(&a)
	assert.Empty(t, a.Items)
	require.Len(t, first.Items, 1001)
	require.Len(t, second.Items, 1001)
	for i := range first.Items {
		first.Items[i], second.Items[i] = 1, 2
	}
	assert.NotContains(t, first.Items, uint32(2))
	assert.NotContains(t, second.Items, uint32(1))
	assert.Equal(t, reserved, m.Reserved())
	a.Free()
	second.Free()
	assert.Equal(t, reserved, m.Reserved(), "it is the first one's")
	first.Free()
	assert.Zero(t, m.Reserved())

	var none Array[uint64]
	first, second = Halves(&none)
	assert.Empty(t, first.Items)
	assert.Empty(t, second.Items)
}

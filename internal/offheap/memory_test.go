package offheap

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fill writes numbers that follow from their places.
func fill(items []uint32) {
	for i := range items {
		items[i] = uint32(i) * 0x9E3779B1
	}
}

func requireFilled(t *testing.T, items []uint32) {
	t.Helper()
	for i, x := range items {
		if want := uint32(i) * 0x9E3779B1; x != want {
			require.Equal(t, want, x, i)
		}
	}
}

// spilling returns a Memory whose arrays may go to the disk, or skips.
func spilling(t *testing.T) *Memory {
	t.Helper()
	if err := canSpill(); errors.Is(err, ErrNoSpill) {
		t.Skip(err)
	}
	return &Memory{}
}

func TestSpillKeepsContent(t *testing.T) {
	m := spilling(t)
	before, err := Make[uint32](m, 3<<20)
	require.NoError(t, err)
	defer before.Free()
	fill(before.Items[1<<20:])
	require.NoError(t, m.Spill())
	after, err := Make[uint32](m, 2<<20)
	require.NoError(t, err)
	defer after.Free()
	fill(after.Items)
	assert.Equal(t, int64(20<<20), m.Spilled())

	full, err := Resident()
	require.NoError(t, err)
	m.Drop()
	dropped, err := Resident()
	require.NoError(t, err)
	assert.Less(t, dropped, full-6<<20, "of 8 MiB that were written to")
	assert.Zero(t, before.Items[1<<20-1])
	requireFilled(t, before.Items[1<<20:])
	requireFilled(t, after.Items)
	require.NoError(t, m.Spill(), "once more")
}

func TestRetain(t *testing.T) {
	m := spilling(t)
	require.NoError(t, m.Spill())
	m.Retain(16 << 20)
	reserved, err := Reserve[uint8](m, 8<<20)
	require.NoError(t, err)
	defer reserved.Free()
	assert.Equal(t, int64(8<<20), m.Spilled(), "room for the worst case")
	first, err := Make[uint8](m, 16<<20)
	require.NoError(t, err)
	assert.Equal(t, int64(8<<20), m.Spilled(), "fits")
	second, err := Make[uint8](m, 16<<20)
	require.NoError(t, err)
	defer second.Free()
	assert.Equal(t, int64(24<<20), m.Spilled(), "there is one already")
	first.Free()
	third, err := Make[uint8](m, 16<<20)
	require.NoError(t, err)
	defer third.Free()
	assert.Equal(t, int64(24<<20), m.Spilled(), "in place of the first")
}

func TestNoRoom(t *testing.T) {
	m := spilling(t)
	require.NoError(t, m.Spill())
	_, err := Make[uint64](m, 1<<43) // 64 TiB
	require.Error(t, err)
	assert.Contains(t, err.Error(), "no room for 70368744177664 bytes in "+os.TempDir())

	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	_, err = Make[uint8](m, smallBytes)
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestKeepSaysWhenItCant(t *testing.T) {
	m := spilling(t)
	var over *OverLimitError
	require.ErrorAs(t, m.Keep(t.Context(), 1<<20), &over)
	assert.Greater(t, over.Resident, over.Limit)
}

func TestKeepEndsWithItsContext(t *testing.T) {
	m := spilling(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- m.Keep(ctx, 1<<40) }()
	cancel()
	assert.NoError(t, <-ended)
}

func TestLimitFor(t *testing.T) {
	for _, limit := range []int64{1 << 20, 100 << 20, 1 << 30, 5 << 30, 1 << 40} {
		assert.GreaterOrEqual(t, Aim(LimitFor(Aim(limit))), Aim(limit))
		assert.InDelta(t, limit, LimitFor(Aim(limit)), 2)
	}
}

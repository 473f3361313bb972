package store_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
	"github.com/apm-sidecar/apm-sidecar/internal/store"
)

// TestAFullDiskIsNoPanic: the store refuses samples before there is no space left
// for its own files, and takes them again when there is.
func TestAFullDiskIsNoPanic(t *testing.T) {
	disk := smallDisk(t, "128m")
	s, err := store.Open(store.Options{Dir: filepath.Join(disk, "store"), MinFreeBytes: 48 << 20})
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Close()) }()
	write := func() error {
		return s.Write([]series.Sample{{Name: "m", TimeMs: time.Now().UnixMilli(), Value: 1}})
	}
	require.NoError(t, write())

	ballast := filepath.Join(disk, "ballast")
	require.NoError(t, os.WriteFile(ballast, make([]byte, 100<<20), 0o600))
	require.Eventually(t, func() bool { return write() != nil }, time.Minute, 50*time.Millisecond, "the disk is nearly full")
	assert.ErrorIs(t, write(), store.ErrNoSpace)
	assert.ErrorContains(t, write(), "free at "+disk+"/store, samples are taken again from 48.0 MiB on")
	assert.True(t, s.Blind())
	assert.False(t, s.Full())
	assert.NoError(t, s.WriteText("apm_sidecar_build_info 1", nil, time.Now()), "what the sidecar says of itself goes on")

	more := filepath.Join(disk, "more")
	_ = os.WriteFile(more, make([]byte, 128<<20), 0o600) // as much as there is room for
	require.Eventually(t, s.Full, time.Minute, 50*time.Millisecond, "the reserve's place is taken, too")
	assert.ErrorIs(t, s.WriteText("apm_sidecar_build_info 1", nil, time.Now()), store.ErrNoSpace)

	require.NoError(t, os.Remove(more))
	require.NoError(t, os.Remove(ballast))
	require.Eventually(t, func() bool { return write() == nil }, time.Minute, 50*time.Millisecond, "there is space again")
	assert.False(t, s.Blind())
	assert.False(t, s.Full())
}

package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
	"github.com/apm-sidecar/apm-sidecar/internal/store"
)

// TestSaveLeavesNothingInMemory alone.
func TestSaveLeavesNothingInMemory(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Open(store.Options{Dir: dir})
	require.NoError(t, err)
	defer func() { assert.NoError(t, s.Close()) }()
	require.NoError(t, s.Write([]series.Sample{{Name: "m", TimeMs: time.Now().UnixMilli(), Value: 1}}))
	s.Flush()
	require.GreaterOrEqual(t, store.PartsInMemory(), uint64(2), "of samples and of the index")
	require.NoError(t, store.Save(dir))
	assert.Zero(t, store.PartsInMemory())
}

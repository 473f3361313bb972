//go:build unix

package hprof_test

import (
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// TestPipe reads a dump, plain and compressed, from a named pipe.
func TestPipe(t *testing.T) {
	plain, err := open(t, sample(8).Encode(hproftest.Shape{}))
	require.NoError(t, err)
	want, _ := walk(t, plain)
	for _, shape := range []hproftest.Shape{{}, {Gzip: true}, {ChunkBytes: 100}, {Zstd: true}} {
		pipe := filepath.Join(t.TempDir(), "pipe")
		require.NoError(t, syscall.Mkfifo(pipe, 0o600))
		go func() {
			assert.NoError(t, os.WriteFile(pipe, sample(8).Encode(shape), 0o600))
		}()
		f, err := hprof.Open(t.Context(), pipe, nil)
		require.NoError(t, err)
		got, whole := walk(t, f)
		assert.True(t, whole)
		assert.Equal(t, want, got)
		assert.NoError(t, f.Close())
	}
}

// TestPipeWithoutWriter does not wait for ever.
func TestPipeWithoutWriter(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := hprof.Open(ctx, pipe, nil)
	assert.ErrorIs(t, err, context.Canceled)
}

// What is no dump is not unpacked to its end: it may have none, and fill the disk.
func TestWhatIsNoDumpIsNotUnpacked(t *testing.T) {
	for name, packed := range map[string]bool{"plain": false, "gzip": true} {
		t.Run(name, func(t *testing.T) {
			pipe := filepath.Join(t.TempDir(), "pipe")
			require.NoError(t, syscall.Mkfifo(pipe, 0o600))
			ended := make(chan error, 1)
			go func() { ended <- writeZeros(pipe, packed) }()
			_, err := hprof.Open(t.Context(), pipe, nil)
			require.ErrorIs(t, err, hprof.ErrNotHprof)
			assert.ErrorIs(t, <-ended, syscall.EPIPE, "it was read to its end")
		})
	}
}

// writeZeros writes a gigabyte, or as much as is read.
func writeZeros(path string, packed bool) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	var to io.Writer = f
	if packed {
		to = gzip.NewWriter(f)
	}
	block := make([]byte, 1<<20)
	for range 1024 {
		if _, err := to.Write(block); err != nil {
			return err
		}
	}
	return nil
}

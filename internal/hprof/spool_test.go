package hprof_test

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

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

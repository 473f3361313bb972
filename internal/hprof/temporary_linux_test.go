package hprof_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
	"github.com/apm-sidecar/apm-sidecar/internal/offheap/offheaptest"
)

// TestBomb unpacks what begins like a dump and is bigger than the disk: some of the disk is
// left to others, and all of it in the end. The disk is one of 64 MiB, which takes mounts of
// one's own, so the test runs itself with those.
func TestBomb(t *testing.T) {
	if !offheaptest.OwnMounts(t) {
		return
	}
	const size = 64 << 20
	disk, packed := t.TempDir(), filepath.Join(t.TempDir(), "bomb.hprof")
	if err := unix.Mount("none", disk, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("mount: %v", err)
	}
	defer func() { assert.NoError(t, unix.Unmount(disk, 0)) }()
	t.Setenv("TMPDIR", disk)
	j := hproftest.NewJDK(17, 8)
	j.Class("com.acme.Bomb", j.Object).Static("zeros", j.Bytes(make([]byte, 2*size)))
	bomb := j.Finish()
	for name, shape := range map[string]hproftest.Shape{"gzip": {Gzip: true}, "chunks": {ChunkBytes: 1 << 20}, "zstd": {Zstd: true}} {
		require.NoError(t, os.WriteFile(packed, bomb.Encode(shape), 0o600))
		_, err := hprof.Open(t.Context(), packed, nil)
		require.ErrorIs(t, err, unix.ENOSPC, name)
		require.ErrorContains(t, err, "set TMPDIR", name)
		if name != "chunks" { // which are written in no fixed order
			var written int64
			_, scanned := fmt.Sscanf(err.Error(), packed+": no room to unpack the dump after %d bytes", &written)
			require.NoError(t, scanned, err.Error())
			assert.LessOrEqual(t, written, int64(size/20*19), "%s: some of the disk is left to others", name)
			assert.Greater(t, written, int64(size/20*18), name)
		}
		var s unix.Statfs_t
		require.NoError(t, unix.Statfs(disk, &s))
		assert.Equal(t, s.Blocks, s.Bfree, "%s: what was written is gone", name)
	}
}

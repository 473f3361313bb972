package offheap

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/apm-sidecar/apm-sidecar/internal/offheap/offheaptest"
)

// TestFolder: temporary files are on a disk where there is one, unless somebody asked for
// another folder. It mounts others.
func TestFolder(t *testing.T) {
	if !offheaptest.OwnMounts(t) {
		return
	}
	if inMemory("/var/tmp") {
		t.Skip("/var/tmp is in memory")
	}
	if err := unix.Mount("none", "/tmp", "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("mount: %v", err)
	}
	t.Setenv("TMPDIR", "/tmp")
	assert.Equal(t, "/tmp", Folder(), "it was asked for")
	_, err := spillFolder()
	require.ErrorIs(t, err, ErrNoSpill)

	require.NoError(t, os.Unsetenv("TMPDIR"))
	assert.Equal(t, "/var/tmp", Folder())
	folder, err := spillFolder()
	require.NoError(t, err)
	assert.Equal(t, "/var/tmp", folder)

	// As in a container whose root may only be read.
	require.NoError(t, unix.Mount("/var/tmp", "/var/tmp", "", unix.MS_BIND, ""))
	require.NoError(t, unix.Mount("", "/var/tmp", "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	assert.Equal(t, "/tmp", Folder(), "nothing can be written to the disk")

	require.NoError(t, unix.Mount("none", "/var/tmp", "tmpfs", 0, "size=1m"))
	assert.Equal(t, "/tmp", Folder(), "no disk anywhere")
	_, err = spillFolder()
	require.ErrorIs(t, err, ErrNoSpill)
}

// TestAFolderInMemory must not take what is there for a disk.
func TestAFolderInMemory(t *testing.T) {
	if !inMemory("/dev/shm") {
		t.Skip("/dev/shm is not in memory here")
	}
	t.Setenv("TMPDIR", "/dev/shm")
	assert.ErrorIs(t, (&Memory{}).Spill(), ErrNoSpill)
}

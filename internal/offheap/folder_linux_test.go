package offheap

import (
	"bytes"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// ownMounts tells a test that it runs with mounts of its own.
const ownMounts = "OFFHEAP_TEST_OWN_MOUNTS"

// TestFolder: temporary files are on a disk where there is one, unless somebody asked for
// another folder. It mounts others, and runs itself with mounts of its own to do so.
func TestFolder(t *testing.T) {
	if os.Getenv(ownMounts) == "" {
		if out, err := exec.CommandContext(t.Context(), "unshare", "-rm", "true").CombinedOutput(); err != nil {
			t.Skipf("no mounts of one's own here: %v %s", err, out)
		}
		if inMemory("/var/tmp") {
			t.Skip("/var/tmp is in memory")
		}
		again := exec.CommandContext(t.Context(), "unshare", "-rm", os.Args[0], "-test.run=^TestFolder$", "-test.v")
		again.Env = append(os.Environ(), ownMounts+"=yes")
		out, err := again.CombinedOutput()
		require.NoError(t, err, "%s", out)
		if bytes.Contains(out, []byte("--- SKIP")) {
			t.Skipf("%s", out)
		}
		require.Contains(t, string(out), "--- PASS: TestFolder")
		return
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

package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"golang.org/x/sys/unix"

	"github.com/apm-sidecar/apm-sidecar/internal/host"
)

// smallDisk is a file system of its own with so many bytes. Only root can make one.
func smallDisk(t *testing.T, bytes string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+bytes); err != nil {
		t.Skipf("mount a small disk: %v", err)
	}
	t.Cleanup(func() { assert.NoError(t, unix.Unmount(dir, 0)) })
	return dir
}

// fill leaves no byte to others on the disk that file is on, once: what becomes free later,
// and while it does so, stays free.
func fill(file string) error {
	f, err := os.OpenFile(filepath.Clean(file), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		free, err := host.FreeBytes(filepath.Dir(file))
		if err != nil {
			return err
		}
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if err := unix.Fallocate(int(f.Fd()), 0, info.Size(), free); !errors.Is(err, unix.ENOSPC) {
			return err
		}
	}
}

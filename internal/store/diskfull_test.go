package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/apm-sidecar/apm-sidecar/internal/host"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
	"github.com/apm-sidecar/apm-sidecar/internal/store"
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
	assert.NoError(t, s.WriteText("apm_sidecar_build_info 1", nil, time.Now()), "what the sidecar says of itself goes on")

	require.NoError(t, os.Remove(ballast))
	require.Eventually(t, func() bool { return write() == nil }, time.Minute, 50*time.Millisecond, "there is space again")
	assert.False(t, s.Blind())
}

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/apm-sidecar/apm-sidecar/internal/host"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// minFreeBytes is the least free space to open a store with, its reserve included:
// VictoriaMetrics panics when it cannot create its own files.
const minFreeBytes = 32 << 20

// lockName is the lock file of VictoriaMetrics, and the mark of a store.
const lockName = "flock.lock"

// checkFolder creates dir when missing and finds, before VictoriaMetrics would
// end the process over it, what stands against a store there. It refuses a
// folder with other files: VictoriaMetrics empties sub-folders named tmp and
// cache without asking.
func checkFolder(dir string, room *space) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("store: create folder: %w", err)
	}
	if err := checkOurs(dir); err != nil {
		return err
	}
	// First: the lock file marks the folder for the next start, however this one ends, and the
	// reserve in it may be another process's.
	if err := checkLock(dir); err != nil {
		return err
	}
	room.look()
	return checkFree(dir)
}

// checkOurs accepts an empty folder and one with the mark of a store.
func checkOurs(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("store: read folder: %w", err)
	}
	if len(entries) == 0 {
		return nil
	}
	_, err = os.Lstat(filepath.Join(dir, lockName))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s is neither empty nor a store; choose another folder", ErrForeign, dir)
	}
	return err
}

// checkFree wants minFreeBytes on the file system of dir.
func checkFree(dir string) error {
	free, err := host.FreeBytes(dir)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if free < minFreeBytes {
		return fmt.Errorf("store: %s free at %s, at least %s are needed; make room or choose another folder",
			unit.Bytes(free), dir, unit.Bytes(minFreeBytes))
	}
	return nil
}

// checkLock takes the lock for a moment; that proves as well that files can be
// written here.
func checkLock(dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return fmt.Errorf("store: folder is not writable: %w", err)
	}
	defer f.Close()
	locked, err := host.Lock(f)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if !locked {
		return fmt.Errorf("%w: another apm-sidecar uses %s; stop it or choose another folder", ErrInUse, dir)
	}
	return nil
}

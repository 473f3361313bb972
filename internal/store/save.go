package store

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/VictoriaMetrics/VictoriaMetrics/app/vmstorage"
)

// linkName is a second name that the lock file has for a moment.
const linkName = "linked"

// save has the engine write to disk what it holds in memory. On its own it does so when an
// interval is over, however little room is left then. Nothing else that it offers begins
// with that than a snapshot, which is of hard links: a file system without them gets an error.
// What cannot be written is a fatal error of the engine's.
func save(dir string) error {
	lock, link := filepath.Join(dir, lockName), filepath.Join(dir, linkName)
	// One may be there since the process was killed.
	if err := os.Remove(link); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("store: %w", err)
	}
	if err := os.Link(lock, link); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if err := os.Remove(link); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	name := vmstorage.Storage.MustCreateSnapshot()
	if err := vmstorage.Storage.DeleteSnapshot(name); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

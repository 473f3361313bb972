package store

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/VictoriaMetrics/VictoriaMetrics/app/vmstorage"
	"github.com/VictoriaMetrics/VictoriaMetrics/lib/storage"
)

// linkName is a second name that the lock file has for a moment.
const linkName = "linked"

// saveTries bounds the snapshots in a row: samples of the sidecar's own go on to come in.
const saveTries = 10

// save has the engine write to disk what it holds in memory. On its own it does so when an
// interval is over, however little room is left then. Nothing else that it offers begins
// with that than a snapshot, which is of hard links: a file system without them gets an error.
// What cannot be written is a fatal error of the engine's. A snapshot leaves out what is on
// its way into parts at that moment, which DebugFlush waits for, and parts in memory that are
// being merged: another one follows while there are any.
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
	for range saveTries {
		vmstorage.Storage.DebugFlush()
		name := vmstorage.Storage.MustCreateSnapshot()
		if err := vmstorage.Storage.DeleteSnapshot(name); err != nil {
			return fmt.Errorf("store: %w", err)
		}
		if partsInMemory() == 0 {
			break
		}
	}
	return nil
}

// partsInMemory is how many parts of samples and of the index are on no disk yet.
func partsInMemory() uint64 {
	var m storage.Metrics
	vmstorage.Storage.UpdateMetrics(&m)
	return m.TableMetrics.InmemoryPartsCount + m.IndexDBMetrics.InmemoryPartsCount
}

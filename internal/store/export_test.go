package store

import "github.com/VictoriaMetrics/VictoriaMetrics/app/vmstorage"

// Flush makes written samples visible to queries at once.
func (s *Store) Flush() { vmstorage.Storage.DebugFlush() }

// Save is save.
func Save(dir string) error { return save(dir) }

// PartsInMemory is partsInMemory.
func PartsInMemory() uint64 { return partsInMemory() }

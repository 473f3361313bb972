package store

import "github.com/VictoriaMetrics/VictoriaMetrics/app/vmstorage"

// Flush makes written samples visible to queries at once.
func (s *Store) Flush() { vmstorage.Storage.DebugFlush() }

package agent

import (
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// Reading is what the trigger judges: one poll of one JVM.
type Reading struct {
	At time.Time
	// Ratio is the share of the old region in use after its last collection.
	Ratio float64
	// Partly says that the collection did not cover the whole region: garbage may
	// be among what is in use.
	Partly bool
	// HeapUsedBytes is the heap in use now: what a dump would hold at most.
	HeapUsedBytes int64
	// FreeBytes is the free disk space where the dump would go; missing means
	// unknown, and then nothing stands in the way.
	FreeBytes jvm.Opt[int64]
}

// readingOf takes the reading from a poll. It is false where the JVM does not say,
// or not yet.
func readingOf(s *jvm.Snapshot) (Reading, bool) {
	old, ok := series.OldRegionOf(s)
	if !ok {
		return Reading{}, false
	}
	r := Reading{At: s.Time, Ratio: old.Ratio(), Partly: old.Partly}
	if s.Memory != nil {
		r.HeapUsedBytes = s.Memory.Heap.Used.Or(0)
	}
	return r, true
}

package agent

import (
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
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

// readingOf takes the reading from a poll: the old pools, or the pool that is the
// whole heap where there are no generations. It is false where the JVM does not
// say, or not yet.
func readingOf(s *jvm.Snapshot) (Reading, bool) {
	r := Reading{At: s.Time}
	if s.Memory != nil {
		r.HeapUsedBytes = s.Memory.Heap.Used.Or(0)
	}
	if ratio, ok := afterYoungOfG1(s); ok {
		r.Ratio, r.Partly = ratio, true
		return r, true
	}
	used, limit := int64(0), int64(0)
	for _, kind := range []jvm.PoolKind{jvm.PoolOld, jvm.PoolSingle} {
		for _, p := range s.Pools {
			if p.Kind != kind || p.AfterGC == nil {
				continue
			}
			used += p.AfterGC.Used.Or(0)
			limit += p.AfterGC.Max.Or(0)
		}
		if limit > 0 {
			break
		}
	}
	if limit == 0 {
		return Reading{}, false
	}
	r.Ratio = float64(used) / float64(limit)
	return r, true
}

// afterYoungOfG1 is the share of G1's old region in use after the collector's last
// pause, where that was a young collection. What the old pool itself says after a
// collection is no use until it is too late: G1 empties the region in young
// collections, a part at a time, and does not even try with a region in which its
// concurrent marking found nothing dead, which is how a leak looks. The pool then
// says nothing, or what it said long ago, until the full collection right before
// the OutOfMemoryError. Measured on 17 and 25.
func afterYoungOfG1(s *jvm.Snapshot) (float64, bool) {
	var last *jvm.LastGC
	young := false
	for _, gc := range s.GCs {
		if gc.Last == nil || (last != nil && gc.Last.EndMs.Or(0) < last.EndMs.Or(0)) {
			continue
		}
		last, young = gc.Last, gc.Name == jvm.G1Young
	}
	if !young {
		return 0, false
	}
	for _, p := range s.Pools {
		limit := p.Usage.Max.Or(0)
		if p.Kind != jvm.PoolOld || limit == 0 {
			continue
		}
		for _, change := range last.Pools {
			if change.Pool == p.Name {
				return float64(change.AfterBytes) / float64(limit), true
			}
		}
	}
	return 0, false
}

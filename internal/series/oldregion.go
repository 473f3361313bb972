package series

import "github.com/apm-sidecar/apm-sidecar/internal/jvm"

// OldRegion is the use of the old region after its last collection: of the old
// pools, or of the pool that is the whole heap where there are no generations.
type OldRegion struct {
	UsedBytes, LimitBytes int64
	// Partly says that the collection did not cover the whole region: garbage may
	// be among what is in use.
	Partly bool
	// EndMs tells one collection from the next, in milliseconds since the JVM's
	// start; 0 if unknown.
	EndMs int64
}

// Ratio is the share in use, 0 to 1.
func (o OldRegion) Ratio() float64 { return float64(o.UsedBytes) / float64(o.LimitBytes) }

// partlyRatio is the share from which a use with garbage in it says something: G1 lets
// garbage pile up to about half of the heap before it looks for it.
const partlyRatio = 0.6

// Telling says that so much in use is worth a thought: it is no mere garbage.
func (o OldRegion) Telling() bool { return !o.Partly || o.Ratio() >= partlyRatio }

// OldRegionOf reads it from a poll. It is false where the JVM does not say, or not
// yet.
func OldRegionOf(s *jvm.Snapshot) (OldRegion, bool) {
	if o, ok := afterYoungOfG1(s); ok {
		return o, true
	}
	var o OldRegion
	for _, kind := range []jvm.PoolKind{jvm.PoolOld, jvm.PoolSingle} {
		for _, p := range s.Pools {
			if p.Kind != kind || p.AfterGC == nil {
				continue
			}
			o.UsedBytes += p.AfterGC.Used.Or(0)
			// ZGC's generations have no limit of their own after a collection.
			o.LimitBytes += p.AfterGC.Max.Or(p.Usage.Max.Or(0))
		}
		if o.LimitBytes > 0 {
			break
		}
	}
	for _, gc := range s.GCs {
		if gc.Last != nil && gc.Generation != jvm.GenerationYoung {
			o.EndMs = max(o.EndMs, gc.Last.EndMs.Or(0))
		}
	}
	return o, o.LimitBytes > 0
}

// OldUseOf is the share of the old pools in use now, garbage included, 0 to 1. It is
// false where the JVM has none or does not say.
func OldUseOf(s *jvm.Snapshot) (float64, bool) {
	var o OldRegion
	for _, p := range s.Pools {
		if p.Kind == jvm.PoolOld {
			o.UsedBytes += p.Usage.Used.Or(0)
			o.LimitBytes += p.Usage.Max.Or(0)
		}
	}
	return o.Ratio(), o.LimitBytes > 0
}

// afterYoungOfG1 is the use of G1's old region after the collector's last pause,
// where that was a young collection. What the old pool itself says after a
// collection is no use until it is too late: G1 empties the region in young
// collections, a part at a time, and does not even try with a region in which its
// concurrent marking found nothing dead, which is how a leak looks. The pool then
// says nothing, or what it said long ago, until the full collection right before
// the OutOfMemoryError. Measured on 17 and 25.
func afterYoungOfG1(s *jvm.Snapshot) (OldRegion, bool) {
	var last *jvm.LastGC
	young := false
	for _, gc := range s.GCs {
		if gc.Last == nil || (last != nil && gc.Last.EndMs.Or(0) < last.EndMs.Or(0)) {
			continue
		}
		last, young = gc.Last, gc.Name == jvm.G1Young
	}
	if !young {
		return OldRegion{}, false
	}
	for _, p := range s.Pools {
		limit := p.Usage.Max.Or(0)
		if p.Kind != jvm.PoolOld || limit == 0 {
			continue
		}
		for _, change := range last.Pools {
			if change.Pool == p.Name {
				return OldRegion{UsedBytes: change.AfterBytes, LimitBytes: limit, Partly: true, EndMs: last.EndMs.Or(0)}, true
			}
		}
	}
	return OldRegion{}, false
}

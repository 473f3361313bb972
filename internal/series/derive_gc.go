package series

import "github.com/apm-sidecar/apm-sidecar/internal/jvm"

func (b *builder) collectors(s *jvm.Snapshot) {
	for _, gc := range s.GCs {
		name, phase := Label{"gc", gc.Name}, Label{"phase", string(gc.Phase)}
		own := []Label{name, {"generation", string(gc.Generation)}, phase}
		b.count("jvm_gc_collection_seconds_count", gc.Count, 1, own...)
		b.count("jvm_gc_collection_seconds_sum", gc.TimeMs, 1000, own...)
		if gc.Last == nil {
			continue
		}
		b.count("jvm_gc_last_duration_seconds", gc.Last.DurationMs, 1000, name, phase)
		b.count("jvm_gc_last_id", gc.Last.ID, 1, name)
		if s.Runtime != nil {
			start, okStart := s.Runtime.StartMs.Get()
			end, okEnd := gc.Last.EndMs.Get()
			if okStart && okEnd {
				b.add("jvm_gc_last_end_timestamp_seconds", float64(start+end)/1000, name)
			}
		}
		b.lastPools(name, gc.Last.Pools)
	}
}

func (b *builder) lastPools(gc Label, pools []jvm.PoolChange) {
	var freed int64
	for _, p := range pools {
		pool := Label{"pool", p.Pool}
		b.add("jvm_gc_last_before_bytes", float64(p.BeforeBytes), gc, pool)
		b.add("jvm_gc_last_after_bytes", float64(p.AfterBytes), gc, pool)
		freed += p.BeforeBytes - p.AfterBytes
	}
	if len(pools) > 0 {
		b.add("jvm_gc_last_freed_bytes", float64(freed), gc)
	}
}

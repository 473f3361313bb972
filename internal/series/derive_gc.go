package series

import "github.com/apm-sidecar/apm-sidecar/internal/jvm"

func (b *builder) collectors(s *jvm.Snapshot) {
	for _, gc := range s.GCs {
		name, phase := Label{"gc", gc.Name}, Label{"phase", string(gc.Phase)}
		own := b.with(name, Label{"generation", string(gc.Generation)}, phase)
		b.count(own, "jvm_gc_collection_seconds_count", gc.Count, 1)
		b.count(own, "jvm_gc_collection_seconds_sum", gc.TimeMs, 1000)
		if gc.Last == nil {
			continue
		}
		b.count(b.with(name, phase), "jvm_gc_last_duration_seconds", gc.Last.DurationMs, 1000)
		named := b.with(name)
		b.count(named, "jvm_gc_last_id", gc.Last.ID, 1)
		if s.Runtime != nil {
			start, okStart := s.Runtime.StartMs.Get()
			end, okEnd := gc.Last.EndMs.Get()
			if okStart && okEnd {
				b.addTo(named, "jvm_gc_last_end_timestamp_seconds", float64(start+end)/1000)
			}
		}
		b.lastPools(name, named, gc.Last.Pools)
	}
}

func (b *builder) lastPools(gc Label, named []Label, pools []jvm.PoolChange) {
	var freed int64
	for _, p := range pools {
		own := b.with(gc, Label{"pool", p.Pool})
		b.addTo(own, "jvm_gc_last_before_bytes", float64(p.BeforeBytes))
		b.addTo(own, "jvm_gc_last_after_bytes", float64(p.AfterBytes))
		freed += p.BeforeBytes - p.AfterBytes
	}
	if len(pools) > 0 {
		b.addTo(named, "jvm_gc_last_freed_bytes", float64(freed))
	}
}

func (b *builder) pressure(ratios []pressureRatio) {
	for _, p := range ratios {
		own := b.with(Label{"phase", string(p.phase)}, Label{"window", p.window})
		b.addTo(own, "jvm_gc_pressure_ratio", p.ratio)
	}
}

func (b *builder) churn(c churned) {
	b.number("jvm_gc_memory_allocated_bytes_total", c.allocated)
	b.number("jvm_gc_memory_promoted_bytes_total", c.promoted)
}

func (b *builder) oldRegion(o oldForecast) {
	if !o.known {
		return
	}
	b.add("jvm_memory_old_after_gc_bytes", float64(o.region.UsedBytes))
	b.add("jvm_memory_old_limit_bytes", float64(o.region.LimitBytes))
	b.add(NameOldRatio, o.region.Ratio())
	b.number("jvm_memory_old_growth_bytes_per_second", o.growth)
	b.number(NameOldFullIn, o.fullInSeconds)
}

package jmx

import (
	"cmp"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// fastTier is what changes from second to second.
func fastTier() []item[snapshot] {
	return append([]item[snapshot]{
		{read("java.lang:type=Runtime", "StartTime", "Uptime"), false, decodeRuntime},
		{read("java.lang:type=Memory", "HeapMemoryUsage", "NonHeapMemoryUsage", "ObjectPendingFinalizationCount"), false, decodeMemory},
		{read("java.lang:type=MemoryPool,*", "Name", "Type", "Usage", "CollectionUsage"), false, decodePools},
		{read("java.lang:type=GarbageCollector,*", "Name", "CollectionCount", "CollectionTime", "LastGcInfo"), false, decodeGCs},
		{read("java.lang:type=Threading", "ThreadCount", "DaemonThreadCount", "PeakThreadCount", "TotalStartedThreadCount"), false, decodeThreads},
		{read("java.lang:type=Threading", "TotalThreadAllocatedBytes"), true, decodeAllocated},
		{read("java.lang:type=OperatingSystem", "ProcessCpuTime", "SystemLoadAverage", "OpenFileDescriptorCount"), false, decodeOS},
	}, serverItems()...)
}

func decodeRuntime(s *snapshot, v value) {
	s.runtime = jvm.Runtime{StartMs: count(v, "StartTime"), UptimeMs: count(v, "Uptime")}
	s.Runtime = &s.runtime
}

func decodeMemory(s *snapshot, v value) {
	s.memory = jvm.Memory{
		Heap:              usage(v.get("HeapMemoryUsage")),
		NonHeap:           usage(v.get("NonHeapMemoryUsage")),
		PendingFinalizers: count(v, "ObjectPendingFinalizationCount"),
	}
	s.Memory = &s.memory
}

func decodePools(s *snapshot, v value) {
	s.Pools = slices.Grow(s.pools[:0], beans(v))
	eachBean(v, func(_ []byte, bean value) {
		if pool, ok := poolOf(bean); ok {
			pool.Usage = usage(bean.get("Usage"))
			pool.AfterGC = s.afterGC(bean.get("CollectionUsage"))
			s.Pools = append(s.Pools, pool)
		}
	})
	s.pools = s.Pools
	slices.SortFunc(s.Pools, func(a, b jvm.Pool) int { return cmp.Compare(a.Name, b.Name) })
}

// poolOf reads a pool's name and what follows from it.
func poolOf(bean value) (jvm.Pool, bool) {
	name := text(bean, "Name")
	heap := text(bean, "Type") == "HEAP"
	return jvm.Pool{Name: name, Heap: heap, Kind: jvm.KindOfPool(name, heap)}, name != ""
}

// afterGC reads a CollectionUsage. A pool that no collection has covered yet has
// one of zeros: nothing committed, so nothing measured (HotSpot, memoryPool.cpp).
func (s *snapshot) afterGC(v value) *jvm.Usage {
	after := usage(v)
	if committed, ok := after.Committed.Get(); ok && committed == 0 {
		return nil
	}
	if after == (jvm.Usage{}) {
		return nil
	}
	return keep(&s.after, after)
}

// decodeGCs comes after decodePools: it looks for the changes of the heap's pools alone.
func decodeGCs(s *snapshot, v value) {
	s.GCs = slices.Grow(s.gcs[:0], beans(v))
	eachBean(v, func(_ []byte, bean value) {
		name := text(bean, "Name")
		if name == "" {
			return
		}
		gc := jvm.GC{Name: name, Count: count(bean, "CollectionCount"), TimeMs: count(bean, "CollectionTime")}
		gc.Phase, gc.Generation = jvm.KindOfGC(name)
		if last := bean.get("LastGcInfo"); last.get("id").exists() {
			gc.Last = keep(&s.last, jvm.LastGC{
				ID:         count(last, "id"),
				DurationMs: count(last, "duration"),
				EndMs:      count(last, "endTime"),
				Pools:      s.heapChanges(last),
			})
		}
		s.GCs = append(s.GCs, gc)
	})
	s.gcs = s.GCs
	slices.SortFunc(s.GCs, func(a, b jvm.GC) int { return cmp.Compare(a.Name, b.Name) })
}

// heapChanges pairs the two tables of a GcInfo by pool: those of the heap, for no
// collection empties metaspace and code. A collector that measures nothing fills both
// with zeros: no pairs then.
func (s *snapshot) heapChanges(last value) []jvm.PoolChange {
	before, after := last.get("memoryUsageBeforeGc"), last.get("memoryUsageAfterGc")
	from := len(s.changes)
	measured := false
	for i := range s.Pools {
		if !s.Pools[i].Heap {
			continue
		}
		name := s.Pools[i].Name
		b, okBefore := count(before.get(name), "used").Get()
		a, okAfter := count(after.get(name), "used").Get()
		if okBefore && okAfter {
			measured = measured || b > 0 || a > 0
			s.changes = append(s.changes, jvm.PoolChange{Pool: name, BeforeBytes: b, AfterBytes: a})
		}
	}
	if !measured {
		s.changes = s.changes[:from]
		return nil
	}
	return s.changes[from:len(s.changes):len(s.changes)]
}

func decodeThreads(s *snapshot, v value) {
	s.threads = jvm.Threads{
		Current: count(v, "ThreadCount"),
		Daemon:  count(v, "DaemonThreadCount"),
		Peak:    count(v, "PeakThreadCount"),
		Started: count(v, "TotalStartedThreadCount"),
	}
	s.Threads = &s.threads
}

func decodeAllocated(s *snapshot, v value) {
	s.AllocatedBytes = count(v, "TotalThreadAllocatedBytes")
}

func decodeOS(s *snapshot, v value) {
	s.os = jvm.OS{
		CPUTimeNs:   count(v, "ProcessCpuTime"),
		LoadAverage: load(v, "SystemLoadAverage"),
		OpenFiles:   count(v, "OpenFileDescriptorCount"),
	}
	s.OS = &s.os
}

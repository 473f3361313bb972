package jmx

import (
	"cmp"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// fastTier is what changes from second to second.
func fastTier() []item[jvm.Snapshot] {
	return append([]item[jvm.Snapshot]{
		{read("java.lang:type=Runtime", "StartTime", "Uptime"), false, decodeRuntime},
		{read("java.lang:type=Memory", "HeapMemoryUsage", "NonHeapMemoryUsage", "ObjectPendingFinalizationCount"), false, decodeMemory},
		{read("java.lang:type=MemoryPool,*", "Name", "Type", "Usage", "CollectionUsage"), false, decodePools},
		{read("java.lang:type=GarbageCollector,*", "Name", "CollectionCount", "CollectionTime", "LastGcInfo"), false, decodeGCs},
		{read("java.lang:type=Threading", "ThreadCount", "DaemonThreadCount", "PeakThreadCount", "TotalStartedThreadCount"), false, decodeThreads},
		{read("java.lang:type=Threading", "TotalThreadAllocatedBytes"), true, decodeAllocated},
		{read("java.lang:type=OperatingSystem", "ProcessCpuTime", "SystemLoadAverage", "OpenFileDescriptorCount"), false, decodeOS},
	}, serverItems()...)
}

func decodeRuntime(s *jvm.Snapshot, v value) {
	s.Runtime = &jvm.Runtime{StartMs: count(v, "StartTime"), UptimeMs: count(v, "Uptime")}
}

func decodeMemory(s *jvm.Snapshot, v value) {
	s.Memory = &jvm.Memory{
		Heap:              usage(v.get("HeapMemoryUsage")),
		NonHeap:           usage(v.get("NonHeapMemoryUsage")),
		PendingFinalizers: count(v, "ObjectPendingFinalizationCount"),
	}
}

func decodePools(s *jvm.Snapshot, v value) {
	s.Pools = make([]jvm.Pool, 0, beans(v))
	eachBean(v, func(_ []byte, bean value) {
		if pool, ok := poolOf(bean); ok {
			pool.Usage = usage(bean.get("Usage"))
			pool.AfterGC = afterGC(bean.get("CollectionUsage"))
			s.Pools = append(s.Pools, pool)
		}
	})
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
func afterGC(v value) *jvm.Usage {
	after := usage(v)
	if committed, ok := after.Committed.Get(); ok && committed == 0 {
		return nil
	}
	if after == (jvm.Usage{}) {
		return nil
	}
	measured := after // only what is kept is allocated
	return &measured
}

// decodeGCs comes after decodePools: it looks for the changes of the heap's pools alone.
func decodeGCs(s *jvm.Snapshot, v value) {
	s.GCs = make([]jvm.GC, 0, beans(v))
	eachBean(v, func(_ []byte, bean value) {
		name := text(bean, "Name")
		if name == "" {
			return
		}
		gc := jvm.GC{Name: name, Count: count(bean, "CollectionCount"), TimeMs: count(bean, "CollectionTime")}
		gc.Phase, gc.Generation = jvm.KindOfGC(name)
		if last := bean.get("LastGcInfo"); last.get("id").exists() {
			gc.Last = &jvm.LastGC{
				ID:         count(last, "id"),
				DurationMs: count(last, "duration"),
				EndMs:      count(last, "endTime"),
				Pools:      heapChanges(s.Pools, last),
			}
		}
		s.GCs = append(s.GCs, gc)
	})
	slices.SortFunc(s.GCs, func(a, b jvm.GC) int { return cmp.Compare(a.Name, b.Name) })
}

// heapChanges pairs the two tables of a GcInfo by pool: those of the heap, for no
// collection empties metaspace and code. A collector that measures nothing fills both
// with zeros: no pairs then.
func heapChanges(pools []jvm.Pool, last value) []jvm.PoolChange {
	before, after := last.get("memoryUsageBeforeGc"), last.get("memoryUsageAfterGc")
	changes := make([]jvm.PoolChange, 0, heapPools(pools))
	measured := false
	for i := range pools {
		if !pools[i].Heap {
			continue
		}
		b, okBefore := count(before.get(pools[i].Name), "used").Get()
		a, okAfter := count(after.get(pools[i].Name), "used").Get()
		if okBefore && okAfter {
			measured = measured || b > 0 || a > 0
			changes = append(changes, jvm.PoolChange{Pool: pools[i].Name, BeforeBytes: b, AfterBytes: a})
		}
	}
	if !measured {
		return nil
	}
	return changes
}

func heapPools(pools []jvm.Pool) int {
	n := 0
	for i := range pools {
		if pools[i].Heap {
			n++
		}
	}
	return n
}

func decodeThreads(s *jvm.Snapshot, v value) {
	s.Threads = &jvm.Threads{
		Current: count(v, "ThreadCount"),
		Daemon:  count(v, "DaemonThreadCount"),
		Peak:    count(v, "PeakThreadCount"),
		Started: count(v, "TotalStartedThreadCount"),
	}
}

func decodeAllocated(s *jvm.Snapshot, v value) {
	s.AllocatedBytes = count(v, "TotalThreadAllocatedBytes")
}

func decodeOS(s *jvm.Snapshot, v value) {
	s.OS = &jvm.OS{
		CPUTimeNs:   count(v, "ProcessCpuTime"),
		LoadAverage: load(v, "SystemLoadAverage"),
		OpenFiles:   count(v, "OpenFileDescriptorCount"),
	}
}

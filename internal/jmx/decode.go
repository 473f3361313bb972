package jmx

import (
	"cmp"
	"slices"
	"time"

	"github.com/valyala/fastjson"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// pollItem is one read of a poll and how its answer enters the snapshot. decode
// meets only answers of status 200; whatever has another type than expected
// stays missing.
type pollItem struct {
	request
	decode func(*jvm.Snapshot, *fastjson.Value)
}

func pollTable() []pollItem {
	return []pollItem{
		{read("java.lang:type=Runtime", "StartTime", "Uptime", "VmName", "VmVendor", "VmVersion"), decodeRuntime},
		{read("java.lang:type=Memory", "HeapMemoryUsage", "NonHeapMemoryUsage", "ObjectPendingFinalizationCount"), decodeMemory},
		{read("java.lang:type=MemoryPool,*", "Name", "Type", "Usage", "CollectionUsage"), decodePools},
		{read("java.lang:type=GarbageCollector,*", "Name", "CollectionCount", "CollectionTime", "LastGcInfo"), decodeGCs},
		{read("java.lang:type=Threading", "ThreadCount", "DaemonThreadCount", "PeakThreadCount", "TotalStartedThreadCount"), decodeThreads},
		{read("java.lang:type=ClassLoading", "LoadedClassCount", "TotalLoadedClassCount", "UnloadedClassCount"), decodeClasses},
		{read("java.lang:type=OperatingSystem", "ProcessCpuTime", "ProcessCpuLoad", "SystemCpuLoad", "SystemLoadAverage",
			"AvailableProcessors", "OpenFileDescriptorCount", "MaxFileDescriptorCount"), decodeOS},
		{read("java.lang:type=Compilation", "TotalCompilationTime"), decodeCompilation},
		{read("java.nio:type=BufferPool,*", "Name", "Count", "MemoryUsed", "TotalCapacity"), decodeBuffers},
	}
}

// pollItems are the requests of pollTable, in its order.
func pollItems() []request {
	table := pollTable()
	items := make([]request, len(table))
	for i := range table {
		items[i] = table[i].request
	}
	return items
}

// decodeSnapshot builds the snapshot from one reply per item of pollTable.
func decodeSnapshot(now time.Time, items []request, replies []reply) *jvm.Snapshot {
	s := &jvm.Snapshot{Time: now}
	for i, item := range pollTable() {
		if replies[i].err != "" {
			s.Missing = append(s.Missing, jvm.Missing{Part: items[i].MBean, Reason: replies[i].err})
			continue
		}
		failures := failedAttributes(replies[i].value, items[i].Attribute)
		for _, f := range failures {
			s.Missing = append(s.Missing, jvm.Missing{Part: items[i].MBean + "/" + f.attribute, Reason: f.reason})
		}
		// 2.x answers status 200 for an MBean that does not exist, with an error
		// in place of every attribute.
		if len(failures) < len(items[i].Attribute) {
			item.decode(s, replies[i].value)
		}
	}
	heap := heapPools(s.Pools)
	for i := range s.GCs {
		keepHeap(s.GCs[i].Last, heap)
	}
	return s
}

func decodeRuntime(s *jvm.Snapshot, v *fastjson.Value) {
	s.Runtime = &jvm.Runtime{
		StartMs:  count(v, "StartTime"),
		UptimeMs: count(v, "Uptime"),
		Name:     text(v, "VmName"),
		Vendor:   text(v, "VmVendor"),
		Version:  text(v, "VmVersion"),
	}
}

func decodeMemory(s *jvm.Snapshot, v *fastjson.Value) {
	s.Memory = &jvm.Memory{
		Heap:              usage(v.Get("HeapMemoryUsage")),
		NonHeap:           usage(v.Get("NonHeapMemoryUsage")),
		PendingFinalizers: count(v, "ObjectPendingFinalizationCount"),
	}
}

func decodePools(s *jvm.Snapshot, v *fastjson.Value) {
	eachBean(v, func(bean *fastjson.Value) {
		name := text(bean, "Name")
		if name == "" {
			return
		}
		heap := text(bean, "Type") == "HEAP"
		pool := jvm.Pool{Name: name, Heap: heap, Kind: jvm.KindOfPool(name, heap), Usage: usage(bean.Get("Usage"))}
		pool.AfterGC = afterGC(bean.Get("CollectionUsage"))
		s.Pools = append(s.Pools, pool)
	})
	slices.SortFunc(s.Pools, func(a, b jvm.Pool) int { return cmp.Compare(a.Name, b.Name) })
}

// afterGC reads a CollectionUsage. A pool that no collection has covered yet has
// one of zeros: nothing committed, so nothing measured (HotSpot, memoryPool.cpp).
func afterGC(v *fastjson.Value) *jvm.Usage {
	after := usage(v)
	if committed, ok := after.Committed.Get(); ok && committed == 0 {
		return nil
	}
	if after == (jvm.Usage{}) {
		return nil
	}
	return &after
}

func decodeGCs(s *jvm.Snapshot, v *fastjson.Value) {
	eachBean(v, func(bean *fastjson.Value) {
		name := text(bean, "Name")
		if name == "" {
			return
		}
		gc := jvm.GC{Name: name, Count: count(bean, "CollectionCount"), TimeMs: count(bean, "CollectionTime")}
		gc.Phase, gc.Generation = jvm.KindOfGC(name)
		if last := bean.Get("LastGcInfo"); last != nil && last.Type() == fastjson.TypeObject && last.Exists("id") {
			gc.Last = &jvm.LastGC{
				ID:         count(last, "id"),
				DurationMs: count(last, "duration"),
				EndMs:      count(last, "endTime"),
				Pools:      poolChanges(last),
			}
		}
		s.GCs = append(s.GCs, gc)
	})
	slices.SortFunc(s.GCs, func(a, b jvm.GC) int { return cmp.Compare(a.Name, b.Name) })
}

// poolChanges pairs the two tables of a GcInfo by pool. A collector that
// measures nothing fills both with zeros: no pairs then.
func poolChanges(last *fastjson.Value) []jvm.PoolChange {
	after := last.Get("memoryUsageAfterGc")
	var changes []jvm.PoolChange
	measured := false
	last.GetObject("memoryUsageBeforeGc").Visit(func(key []byte, before *fastjson.Value) {
		b, okBefore := usage(before).Used.Get()
		a, okAfter := usage(after.Get(string(key))).Used.Get()
		if okBefore && okAfter {
			measured = measured || b > 0 || a > 0
			changes = append(changes, jvm.PoolChange{Pool: string(key), BeforeBytes: b, AfterBytes: a})
		}
	})
	if !measured {
		return nil
	}
	slices.SortFunc(changes, func(a, b jvm.PoolChange) int { return cmp.Compare(a.Pool, b.Pool) })
	return changes
}

func heapPools(pools []jvm.Pool) map[string]bool {
	heap := map[string]bool{}
	for _, p := range pools {
		if p.Heap {
			heap[p.Name] = true
		}
	}
	return heap
}

// keepHeap drops the pools that no collection empties: metaspace and code.
func keepHeap(last *jvm.LastGC, heap map[string]bool) {
	if last != nil {
		last.Pools = slices.DeleteFunc(last.Pools, func(c jvm.PoolChange) bool { return !heap[c.Pool] })
	}
}

func decodeThreads(s *jvm.Snapshot, v *fastjson.Value) {
	s.Threads = &jvm.Threads{
		Current: count(v, "ThreadCount"),
		Daemon:  count(v, "DaemonThreadCount"),
		Peak:    count(v, "PeakThreadCount"),
		Started: count(v, "TotalStartedThreadCount"),
	}
}

func decodeClasses(s *jvm.Snapshot, v *fastjson.Value) {
	s.Classes = &jvm.Classes{
		Loaded:        count(v, "LoadedClassCount"),
		LoadedTotal:   count(v, "TotalLoadedClassCount"),
		UnloadedTotal: count(v, "UnloadedClassCount"),
	}
}

func decodeOS(s *jvm.Snapshot, v *fastjson.Value) {
	s.OS = &jvm.OS{
		CPUTimeNs:   count(v, "ProcessCpuTime"),
		ProcessLoad: load(v, "ProcessCpuLoad"),
		SystemLoad:  load(v, "SystemCpuLoad"),
		LoadAverage: load(v, "SystemLoadAverage"),
		Processors:  count(v, "AvailableProcessors"),
		OpenFiles:   count(v, "OpenFileDescriptorCount"),
		MaxFiles:    count(v, "MaxFileDescriptorCount"),
	}
}

func decodeCompilation(s *jvm.Snapshot, v *fastjson.Value) {
	s.CompilationMs = count(v, "TotalCompilationTime")
}

func decodeBuffers(s *jvm.Snapshot, v *fastjson.Value) {
	eachBean(v, func(bean *fastjson.Value) {
		name := text(bean, "Name")
		if name == "" {
			return
		}
		s.Buffers = append(s.Buffers, jvm.BufferPool{
			Name:          name,
			Count:         count(bean, "Count"),
			UsedBytes:     count(bean, "MemoryUsed"),
			CapacityBytes: count(bean, "TotalCapacity"),
		})
	})
	slices.SortFunc(s.Buffers, func(a, b jvm.BufferPool) int { return cmp.Compare(a.Name, b.Name) })
}

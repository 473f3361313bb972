package series

import "github.com/apm-sidecar/apm-sidecar/internal/jvm"

// maxQueueSeries bounds the classes of the finalizer queue that get a series of
// their own.
const maxQueueSeries = 20

func (b *builder) memory(s *jvm.Snapshot) {
	if s.Memory != nil {
		b.usage("jvm_memory_", s.Memory.Heap, Label{"area", "heap"})
		b.usage("jvm_memory_", s.Memory.NonHeap, Label{"area", "nonheap"})
		b.count("jvm_memory_objects_pending_finalization", s.Memory.PendingFinalizers, 1)
	}
	for _, p := range s.Pools {
		own := []Label{{"area", area(p)}, {"kind", string(p.Kind)}, {"pool", p.Name}}
		b.usage("jvm_memory_pool_", p.Usage, own...)
		if p.AfterGC != nil {
			b.usage("jvm_memory_pool_collection_", *p.AfterGC, own...)
		}
	}
	b.queue(s.Queue)
	for _, p := range s.Buffers {
		pool := Label{"pool", p.Name}
		b.count("jvm_buffer_pool_used_bytes", p.UsedBytes, 1, pool)
		b.count("jvm_buffer_pool_capacity_bytes", p.CapacityBytes, 1, pool)
		b.count("jvm_buffer_pool_used_buffers", p.Count, 1, pool)
	}
}

func (b *builder) queue(q *jvm.FinalizerQueue) {
	if q == nil || q.Disabled {
		return
	}
	b.add(nameQueueClasses, float64(len(q.Classes)))
	var rest int64
	for i, c := range q.Classes {
		if i >= maxQueueSeries {
			rest += c.Count
			continue
		}
		b.add(nameQueueObjects, float64(c.Count), Label{"class", c.Class})
	}
	if rest > 0 {
		b.add(nameQueueObjects, float64(rest), Label{"class", "other"})
	}
}

func area(p jvm.Pool) string {
	if p.Heap {
		return "heap"
	}
	return "nonheap"
}

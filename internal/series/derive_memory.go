package series

import "github.com/apm-sidecar/apm-sidecar/internal/jvm"

func (b *builder) memory(s *jvm.Snapshot) {
	if s.Memory != nil {
		b.usage(b.with(Label{"area", "heap"}), memoryNames(), s.Memory.Heap)
		b.usage(b.with(Label{"area", "nonheap"}), memoryNames(), s.Memory.NonHeap)
		b.count(nil, "jvm_memory_objects_pending_finalization", s.Memory.PendingFinalizers, 1)
	}
	for _, p := range s.Pools {
		own := b.pool(p)
		b.usage(own, poolNames(), p.Usage)
		if p.AfterGC != nil {
			b.usage(own, afterGCNames(), *p.AfterGC)
		}
	}
}

func (b *builder) pool(p jvm.Pool) []Label {
	area := "nonheap"
	if p.Heap {
		area = "heap"
	}
	return b.with(Label{"area", area}, Label{"kind", string(p.Kind)}, Label{"pool", p.Name})
}

// usage appends the four numbers of a usage under their names: used, committed,
// max, init.
func (b *builder) usage(own []Label, names [4]string, u jvm.Usage) {
	b.count(own, names[0], u.Used, 1)
	b.count(own, names[1], u.Committed, 1)
	b.count(own, names[2], u.Max, 1)
	b.count(own, names[3], u.Init, 1)
}

func memoryNames() [4]string {
	return [4]string{"jvm_memory_used_bytes", "jvm_memory_committed_bytes", "jvm_memory_max_bytes", "jvm_memory_init_bytes"}
}

func poolNames() [4]string {
	return [4]string{"jvm_memory_pool_used_bytes", "jvm_memory_pool_committed_bytes", "jvm_memory_pool_max_bytes", "jvm_memory_pool_init_bytes"}
}

func afterGCNames() [4]string {
	return [4]string{"jvm_memory_pool_collection_used_bytes", "jvm_memory_pool_collection_committed_bytes",
		"jvm_memory_pool_collection_max_bytes", "jvm_memory_pool_collection_init_bytes"}
}

package finding

import (
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

// joinPoolKept returns what the threads of the ForkJoinPool are at one of whose queues keeps its tasks in an
// array, if all of them wait without a limit of time; else nil. Those that carry virtual threads are no such pool's.
//
// Source: java/util/concurrent/ForkJoinPool.java of JDK 8 to 25: a thread without work is in awaitWork, called by runWorker.
func (h *Heap) joinPoolKept(array heap.ObjID) []errand {
	pool := h.joinPoolOf(array)
	if pool == 0 {
		return nil
	}
	in := func(method string) func(heap.Frame) bool {
		return func(f heap.Frame) bool { return f.Class == forkJoinPool && f.Method == method }
	}
	return h.allKept(1, func(s heap.Stack) (e errand, mine, ok bool) {
		if !h.IsSubclass(h.ClassOf(s.Object), "java.util.concurrent.ForkJoinWorkerThread") || !h.hasReference(s.Object, pool) {
			return e, false, false
		}
		base := slices.IndexFunc(s.Frames, in("runWorker"))
		if base < 0 || slices.ContainsFunc(s.Frames, in("awaitWork")) || h.IsSubclass(h.ClassOf(s.Object), "jdk.internal.misc.CarrierThread") {
			return e, true, false
		}
		e = errand{service: scheduling, base: base, entry: outermost(s.Frames[:base], isNot("java.", "jdk.", "sun."))}
		e.thread = thread{Stack: s, ThreadInfo: h.threadInfos[s.Object]}
		return e, true, e.entry >= 0
	})
}

// joinPoolOf returns the ForkJoinPool one of whose queues keeps its tasks in an array, 0 for none.
func (h *Heap) joinPoolOf(array heap.ObjID) heap.ObjID {
	for _, pool := range h.Tables[tableForkJoin].Objects {
		for queues := range h.References(pool) {
			if h.Class(queues).Name != forkJoinPool+"$WorkQueue[]" {
				continue
			}
			for queue := range h.References(queues) {
				if h.hasReference(queue, array) {
					return pool
				}
			}
		}
	}
	return 0
}

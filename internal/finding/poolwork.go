package finding

import (
	"fmt"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// poolAtWork says in a sentence what the threads of the pool are at that takes its tasks
// from a queue, "" where nothing is known of them.
func (h *Heap) poolAtWork(queue heap.ObjID) string {
	places := map[string][]heap.ObjID{} // threads by where they are
	pools := h.poolsOf()
	var threads int64
	for s := range h.Stacks() {
		pool := pools[s.Object]
		if pool == 0 || !h.hasReference(pool, queue) {
			continue
		}
		threads++
		if f := (&thread{Stack: s}).own(); f != nil {
			at := short(f.Class) + "." + clip(f.Method, 60)
			places[at] = append(places[at], s.Object)
		}
	}
	place, busy := most(places, func(heap.ObjID) int64 { return 1 })
	if place == "" {
		return ""
	}
	return fmt.Sprintf(" Of its pool's %s, %s in %s.", unit.Plural(threads, "thread", "threads"), unit.Count(int64(len(busy))), place)
}

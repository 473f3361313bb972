package finding

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

// instances returns the reachable objects of a class and its subclasses.
func (h *Heap) instances(class string) []heap.ObjID {
	names := map[string]bool{}
	for id := range h.Classes {
		if h.IsSubclass(heap.ClassID(id), class) {
			names[h.Classes[id].Name] = true
		}
	}
	return h.instancesOf(func(name string) bool { return names[name] })
}

// instancesOf returns the reachable objects of the classes that are wanted by name.
func (h *Heap) instancesOf(want func(class string) bool) []heap.ObjID {
	return h.objectsOf(func(c *heap.Class) bool { return want(c.Name) }, true)
}

// objectsOf returns the objects of the classes that are wanted, those that are reachable or those that are not, in
// the order of their addresses.
func (h *Heap) objectsOf(want func(c *heap.Class) bool, reachable bool) []heap.ObjID {
	wanted := make([]bool, len(h.Classes))
	var left atomic.Int64 // how many of them are still to be seen
	for i := range h.Classes {
		if c := &h.Classes[i]; c.Instances > 0 && want(c) {
			wanted[i] = true
			left.Add(c.Instances)
		}
	}
	if left.Load() == 0 {
		return nil
	}
	var mu sync.Mutex
	var found [][]heap.ObjID // by stretch
	// It never fails: nobody cancels it.
	_ = h.Stretches(context.Background(), func() func(from, to heap.ObjID) {
		return func(from, to heap.ObjID) {
			if left.Load() == 0 {
				return
			}
			seen, here := int64(0), []heap.ObjID(nil)
			for o := from; o <= to; o++ {
				if wanted[h.ClassOf(o)] {
					seen++
					if h.reachable(o) == reachable {
						here = append(here, o)
					}
				}
			}
			left.Add(-seen)
			if len(here) > 0 {
				mu.Lock()
				defer mu.Unlock()
				found = append(found, here)
			}
		}
	})
	slices.SortFunc(found, func(a, b []heap.ObjID) int { return cmp.Compare(a[0], b[0]) })
	return slices.Concat(found...)
}

package finding

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

const (
	weakMap      = "java.util.WeakHashMap"
	weakMapEntry = weakMap + "$Entry"

	weakReference = "java.lang.ref.WeakReference"
)

// weakEntries is what was seen of some entries of a WeakHashMap.
type weakEntries struct {
	// looked is how many were looked at, and own how many of their values refer to their
	// own key: such an entry never goes.
	looked, own int64
	// values and keys are the classes of most of them.
	values, keys string
}

// lookAtWeak looks at entries of a WeakHashMap; it returns nil for other collections. Errors:
// that of ctx.
func (h *Heap) lookAtWeak(ctx context.Context, c *collection) (*weakEntries, error) {
	if !h.IsSubclass(h.ClassOf(c.object), weakMap) || c.array == 0 {
		return nil, nil
	}
	var entries []heap.ObjID
	for o := range h.References(c.array) {
		if h.Class(o).Name == weakMapEntry {
			if entries = append(entries, o); len(entries) == maxSampled {
				break
			}
		}
	}
	w := &weakEntries{}
	keys, values := map[string][]heap.ObjID{}, map[string][]heap.ObjID{}
	err := h.Read(ctx, entries, func(e heap.Content) {
		v, _, _ := h.Field(e, heap.FieldName{Class: weakMapEntry, Field: "value"})
		k, _, _ := h.Field(e, heap.FieldName{Class: referenceClass, Field: "referent"})
		key, value := h.Object(k), h.Object(v)
		if key == 0 || value == 0 {
			return
		}
		w.looked++
		if h.refersClosely(value, key) {
			w.own++
		}
		keys[h.Class(key).Name] = append(keys[h.Class(key).Name], key)
		values[h.payloadClass(value)] = append(values[h.payloadClass(value)], value)
	})
	one := func(heap.ObjID) int64 { return 1 }
	w.keys, _ = most(keys, one)
	w.values, _ = most(values, one)
	return w, err
}

// lookAtWeakBelow looks at the nodes of a library's map with weak keys among what a suspect retains: those that are a
// WeakReference or refer to one, and keep what that refers to. It returns nil where there are few, or where they do not
// keep most of it. Errors: that of ctx.
func (h *Heap) lookAtWeakBelow(ctx context.Context, s *suspect) (*weakEntries, error) {
	if s.below == nil || s.group != nil {
		return nil, nil
	}
	nodes := map[heap.ObjID]heap.ObjID{} // by WeakReference
	for id, n := range s.below.counts {
		if c := &h.Classes[id]; n < manyElements || !platform(c.Name) && !container(c.Name) && !isLink(c.Name) {
			continue
		}
		for _, o := range s.below.samples[id] {
			if h.IsSubclass(heap.ClassID(id), weakReference) {
				nodes[o] = o
				continue
			}
			for r := range h.References(o) {
				if h.IsSubclass(h.ClassOf(r), weakReference) {
					nodes[r] = o
				}
			}
		}
	}
	if len(nodes) == 0 {
		return nil, nil
	}
	found, kept, keys := map[heap.ClassID]*weakEntries{}, map[heap.ClassID]int64{}, map[heap.ClassID]map[string][]heap.ObjID{}
	err := h.Read(ctx, slices.Collect(maps.Keys(nodes)), func(c heap.Content) {
		v, _, _ := h.Field(c, heap.FieldName{Class: referenceClass, Field: "referent"})
		key, node := h.Object(v), nodes[c.Object]
		if key == 0 || key == node || h.hasReference(c.Object, key) {
			return
		}
		class := h.ClassOf(node)
		if found[class] == nil {
			found[class], keys[class] = &weakEntries{}, map[string][]heap.ObjID{}
		}
		found[class].looked++
		keys[class][h.Class(key).Name] = append(keys[class][h.Class(key).Name], key)
		if h.Tree.Dominates(uint32(node), uint32(key)) {
			found[class].own++
			kept[class] += h.retained(node)
		}
	})
	for _, class := range slices.Sorted(maps.Keys(found)) {
		w := found[class]
		if kept[class]*s.below.counts[class] >= s.retained/2*int64(len(s.below.samples[class])) {
			w.keys, _ = most(keys[class], func(heap.ObjID) int64 { return 1 })
			return w, err
		}
	}
	return nil, err
}

// keptByThemselves says whether most entries of a WeakHashMap never go. A key that is a
// class, or a loader, goes with what else refers to it.
func (w *weakEntries) keptByThemselves() bool {
	return w != nil && w.own*2 > w.looked && w.keys != "java.lang.Class"
}

// word adds to a finding what is wrong with the map.
func (w *weakEntries) word(f *Finding, p pressure) {
	f.Evidence.Facts = append(f.Evidence.Facts, fact("values that refer to their own key", "%s of %s looked at", unit.Count(w.own), unit.Count(w.looked)))
	f.Summary += fmt.Sprintf(" Its values refer to their own keys (%s of %s looked at), so none of its entries ever goes, weak or not.",
		unit.Count(w.own), unit.Count(w.looked))
	f.Advice = "Hold the key in the value by a WeakReference, or not at all; or remove entries explicitly."
	f.Evidence.Refutes = "the keys are in use elsewhere, all of them"
	if f.Bytes*100 >= p.liveBytes*criticalShare && f.Severity == SeverityInfo {
		f.Severity = SeverityWarning
	}
}

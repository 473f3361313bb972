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
	classValueMap   = "java.lang.ClassValue$ClassValueMap"
	classValueEntry = "java.lang.ClassValue$Entry"
)

// classValues are what classes keep in their values of ClassValue. A dump leaves out by which field a class refers to those, so
// that they look like garbage.
type classValues struct {
	objects, bytes int64
	// most is the class of the ClassValue whose values keep most, "" where that is not known, and mostBytes what these keep.
	most      string
	mostBytes int64
}

// readClassValues measures what no GC root reaches and the maps of ClassValues do. Errors: that of ctx.
//
// Source: java/lang/ClassValue.java of JDK 8 to 25: Class.classValueMap, which HPROF does not list, is a WeakHashMap of
// entries; an entry's referent is the Version, which has the ClassValue, and its value the value.
func (h *Heap) readClassValues(ctx context.Context) (v classValues, err error) {
	var found, entries []heap.ObjID
	seen := h.NewSet()
	walk := func(from heap.ObjID, each func(heap.ObjID) (further bool)) {
		if h.reachable(from) || !seen.Add(from) {
			return
		}
		for todo := []heap.ObjID{from}; len(todo) > 0; {
			o := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			if !each(o) {
				continue
			}
			for r := range h.References(o) {
				if !h.reachable(r) && seen.Add(r) {
					todo = append(todo, r)
				}
			}
		}
	}
	count := func(o heap.ObjID) {
		v.objects++
		v.bytes += h.ShallowBytes(o)
	}
	for _, o := range h.objectsOf(func(c *heap.Class) bool { return c.Name == classValueMap }, false) {
		walk(o, func(o heap.ObjID) bool {
			if h.Class(o).Name == classValueEntry {
				entries = append(entries, o)
				return false
			}
			found = append(found, o)
			return true
		})
	}
	for _, o := range found {
		count(o)
	}
	names, err := h.classValuesOf(ctx, entries)
	if err != nil {
		return classValues{}, err
	}
	by := map[string]int64{}
	for _, e := range entries {
		before := v.bytes
		count(e)
		for r := range h.References(e) {
			walk(r, func(o heap.ObjID) bool { count(o); return true })
		}
		by[names[e]] += v.bytes - before
	}
	for _, name := range slices.Sorted(maps.Keys(by)) {
		if by[name] > v.mostBytes {
			v.most, v.mostBytes = name, by[name]
		}
	}
	return v, nil
}

// classValuesOf names the classes of the ClassValues that entries are of, as far as they are known. Errors: that of ctx.
func (h *Heap) classValuesOf(ctx context.Context, entries []heap.ObjID) (map[heap.ObjID]string, error) {
	names := map[heap.ObjID]string{}
	values, err := h.follow(ctx, entries, "referent", "classValue")
	for e, address := range values {
		if o := h.Object(address); o != 0 {
			names[e] = stableClass(h.Class(o).Name)
		}
	}
	return names, err
}

// appendClassValues adds the remark on values of classes that look like garbage, where these are much.
func (h *Heap) appendClassValues(found []Finding, p pressure) []Finding {
	v := h.classValues
	if v.bytes < suspectBytes || v.bytes*100 < (p.liveBytes+v.bytes)*suspectShare {
		return found
	}
	f := Finding{
		Kind: "class-values", Severity: SeverityInfo, Confidence: ConfidenceMedium, Objects: v.objects, Bytes: v.bytes,
		Culprit:     Culprit{Class: v.most},
		Fingerprint: fingerprint("class-values", v.most),
		Title:       fmt.Sprintf("%s that look like garbage are values of ClassValues", unit.Bytes(v.bytes)),
		Summary: fmt.Sprintf("A dump does not list by which field a class refers to them, so no GC root seems to reach these %s. They are in use as long as their classes are: "+
			"other shares of this report are of the heap without them.", unit.Plural(v.objects, "object", "objects")),
		Advice: "Look at what the values of classes are filled with: they go with the class only, or by ClassValue.remove().",
		Evidence: Evidence{
			Facts:   []Fact{fact("behind ClassValues", "%s, %s", unit.Bytes(v.bytes), unit.Plural(v.objects, "object", "objects"))},
			Refutes: "their classes were unloaded, and no collection has found them yet: then a dump of live objects (jcmd PID GC.heap_dump) has none of them",
		},
	}
	if v.most != "" {
		f.Summary += fmt.Sprintf(" Most, %s, are values of %s.", unit.Bytes(v.mostBytes), clip(v.most, 100))
		f.Advice = fmt.Sprintf("Look at what %s fills the values of classes with: they go with the class only, or by ClassValue.remove().", clip(v.most, 100))
		f.Evidence.Facts = append(f.Evidence.Facts, fact("most", "%s, %s", v.most, unit.Bytes(v.mostBytes)))
	}
	return append(found, f)
}

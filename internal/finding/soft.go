package finding

import (
	"context"
	"fmt"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

const softReference = "java.lang.ref.SoftReference"

// lookForSoft says what of a suspect only SoftReferences hold, and returns the ways to it: those that
// pass no SoftReference, where there are any. Errors: that of ctx; no memory.
func (h *Heap) lookForSoft(ctx context.Context, s *suspect, paths []Path) (soft string, ways []Path, err error) {
	if s.collection != nil && h.hasSoftElements(s.collection) || s.collection == nil && s.group == nil && h.mostlySoft(s) {
		return "its elements", paths, nil
	}
	if !slices.ContainsFunc(paths, h.passesSoft) {
		return "", paths, nil
	}
	ways, err = h.pathsAroundSoft(ctx, s.targets(), 1)
	switch {
	case err != nil || len(ways) > 0:
		return "", ways, err
	case s.group != nil:
		return "them", paths, nil
	}
	return "it", paths, nil
}

// pathsAroundSoft returns the most frequented ways to the objects that pass no SoftReference, limit at most. Errors: that of
// ctx; no memory.
func (h *Heap) pathsAroundSoft(ctx context.Context, objects []heap.ObjID, limit int) ([]Path, error) {
	tracks, err := h.TracksAround(ctx, h.instances(softReference), objects)
	if err != nil {
		return nil, err
	}
	defer tracks.Free()
	return h.pathsAlong(ctx, tracks, objects, limit)
}

// passesSoft says whether a path leads through the referent of a SoftReference.
func (h *Heap) passesSoft(p Path) bool {
	return slices.ContainsFunc(p.above(), func(s Step) bool { return s.Field == "referent" && h.isSoft(s.Class) })
}

// isSoft says whether a class of that name is SoftReference or extends it.
func (h *Heap) isSoft(name string) bool {
	for id := range h.Classes {
		if h.Classes[id].Name == name && h.IsSubclass(heap.ClassID(id), softReference) {
			return true
		}
	}
	return false
}

// mostlySoft says whether most of what a container retains is behind SoftReferences below it.
func (h *Heap) mostlySoft(s *suspect) bool {
	if !container(h.Class(s.object).Name) {
		return false
	}
	var bytes int64
	for _, o := range h.instances(softReference) {
		if h.Tree.Dominates(uint32(s.object), uint32(o)) {
			bytes += h.retained(o)
		}
	}
	return bytes*2 > s.retained
}

// hasSoftElements says whether most elements of a collection are SoftReferences.
func (h *Heap) hasSoftElements(c *collection) bool {
	soft, all := 0, 0
	count := func(o heap.ObjID) {
		if all++; h.IsSubclass(h.ClassOf(o), softReference) {
			soft++
		}
	}
	for _, o := range h.heads(c) {
		if !h.isNode(c, o) {
			count(o)
			continue
		}
		for name, r := range h.content(c, o) {
			if name != "key" {
				count(r)
			}
		}
	}
	return soft*2 > all
}

// lookForEmpty counts the references among elements of a collection, and those that were cleared. Errors: that of ctx.
func (h *Heap) lookForEmpty(ctx context.Context, c *collection) (references, empty int64, err error) {
	var found []heap.ObjID
	look := func(o heap.ObjID) {
		if k := h.ClassOf(o); h.IsSubclass(k, softReference) || h.IsSubclass(k, weakReference) && !h.isNode(c, o) {
			found = append(found, o)
		}
	}
	for _, o := range h.heads(c) {
		look(o)
		if h.isNode(c, o) {
			for _, r := range h.content(c, o) {
				look(r)
			}
		}
	}
	err = h.Read(ctx, found, func(r heap.Content) {
		references++
		if v, _, _ := h.Field(r, heap.FieldName{Class: referenceClass, Field: "referent"}); v == 0 {
			empty++
		}
	})
	return references, empty, err
}

// wordEmpty says that most of the references in a collection refer to nothing any more.
func wordEmpty(f *Finding, s *suspect) {
	if s.empty*2 <= s.references {
		return
	}
	looked := fmt.Sprintf("%s of %s looked at", unit.Count(s.empty), unit.Count(s.references))
	f.Summary += fmt.Sprintf(" Most of the references in it are empty (%s): what they referred to is gone, but they stay, with their keys.", looked)
	f.Evidence.Facts = append(f.Evidence.Facts, fact("empty references", "%s", looked))
	f.Advice = "Take entries out when their references are cleared (a ReferenceQueue tells of them), or use a cache that does (Caffeine, Guava: weakKeys(), weakValues(), softValues()) with a maximum size."
}

// wordSoft says what the JVM does to what only SoftReferences hold.
func wordSoft(f *Finding, s *suspect) {
	if s.soft == "" {
		return
	}
	f.Summary += fmt.Sprintf(" Only SoftReferences hold %s: the JVM clears those before it throws an OutOfMemoryError.", s.soft)
	f.Advice = "Nothing, as long as collections are short: it goes when memory is short. Else use a cache with a maximum size, or a lower -XX:SoftRefLRUPolicyMSPerMB."
	f.Evidence.Refutes = "a later dump, with the heap full, in which it is still there"
}

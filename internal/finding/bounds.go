package finding

import (
	"context"
	"math"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

// arrayQueue takes as many elements as its array has.
const arrayQueue = "java.util.concurrent.ArrayBlockingQueue"

// bounds are the fields in which queues, caches and rings keep how much they take at most, as
// entries or as the weight of these. Caffeine has a class for each set of features, all with the
// same name of the field.
//
// Source: java/util/concurrent of JDK 8 to 25; Caffeine 2 and 3 (BoundedLocalCache), Guava
// (LocalCache), Disruptor 3 and 4 (RingBufferFields).
func bounds() []heap.FieldName {
	return []heap.FieldName{
		{Class: linkedQueue, Field: "capacity"},
		{Class: "java.util.concurrent.LinkedBlockingDeque", Field: "capacity"},
		{Class: "com.google.common.cache.LocalCache", Field: "maxWeight"},
		{Class: "com.lmax.disruptor.RingBufferFields", Field: "bufferSize"},
		{Field: "maximum"},
	}
}

// boundOf returns how much the suspect takes at most, 0 where it has no bound or none that is
// known, and notes whose that is. A cache's bound is a field of what the object refers to, and holds for the collection in it
// that its elements are in. Errors: that of ctx.
func (h *Heap) boundOf(ctx context.Context, s *suspect) (bound int64, err error) {
	objects := []heap.ObjID{s.object}
	switch c := s.collection; {
	case s.group != nil:
		return 0, nil
	case c != nil && h.IsSubclass(h.ClassOf(c.object), arrayQueue):
		err = h.Read(ctx, []heap.ObjID{c.array}, func(c heap.Content) { bound = c.Count })
		return bound, err
	case c != nil:
		objects[0] = c.object
		cache, err := h.cacheOf(c)
		if err != nil {
			return 0, err
		}
		if cache != 0 {
			objects = append(objects, cache)
		}
	case container(h.Class(s.object).Name):
		for r := range h.References(s.object) {
			if container(h.Class(r).Name) {
				objects = append(objects, r)
			}
		}
	}
	err = h.Read(ctx, objects, func(c heap.Content) {
		for _, f := range bounds() {
			if f.Class == "" && !container(h.Class(c.Object).Name) {
				continue
			}
			if v, _, ok := h.Field(c, f); ok && int64(v) > 0 && v != math.MaxInt32 && v < math.MaxInt64/2 {
				bound, s.cached = int64(v), s.collection != nil && c.Object != s.collection.object
			}
		}
	})
	return bound, err
}

// cacheOf returns the cache of a library that the way from the roots to the collection comes from, 0 if
// it comes from elsewhere. Errors: that of the walk from the roots.
func (h *Heap) cacheOf(c *collection) (heap.ObjID, error) {
	tracks, err := h.Tracks()
	if err != nil {
		return 0, err
	}
	if before := tracks.Before(c.object); before != 0 && container(h.Class(before).Name) {
		return before, nil
	}
	return 0, nil
}

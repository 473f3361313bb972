package finding

import (
	"context"
	"iter"

	"golang.org/x/sync/errgroup"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

const (
	// pathClasses is how many classes of referents get paths.
	pathClasses = 10
	// pathsPerClass is how many paths each of them gets.
	pathsPerClass = 3
	// worthRetained is the least number of held referents of a class for which it is
	// measured what they retain: that costs a pass over the tree.
	worthRetained = 1000
)

// heldReferents is what is held of the classes that get paths.
type heldReferents struct {
	objects *heap.Set
	classes []*referents
	of      []*referents // by ClassID, nil for other classes
}

// addPaths says who holds the held referents of the biggest classes, and what the
// many ones retain, both at once.
func (h *Heap) addPaths(ctx context.Context, classes []*referents) error {
	held := h.heldReferents(classes)
	if held.objects.Len() == 0 {
		return nil
	}
	tracks, err := h.Tracks()
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return h.addHolders(ctx, tracks, held) })
	g.Go(func() error { return h.addRetained(held) })
	return g.Wait()
}

// heldReferents looks the held referents up.
func (h *Heap) heldReferents(classes []*referents) *heldReferents {
	held := &heldReferents{objects: h.NewSet(), of: make([]*referents, len(h.Classes))}
	for _, c := range classes {
		if c.States.RegisteredHeld > 0 && len(held.classes) < pathClasses {
			held.classes = append(held.classes, c)
			for _, id := range h.ClassesNamed(c.Class) {
				held.of[id] = c
			}
		}
	}
	if len(held.classes) == 0 {
		return held
	}
	for referent := range h.registry.held.All {
		if c := held.of[h.ClassOf(referent)]; c != nil {
			held.objects.Add(referent)
			c.held++
		}
	}
	return held
}

// addHolders says who holds the referents.
func (h *Heap) addHolders(ctx context.Context, tracks *heap.Tracks, held *heldReferents) (err error) {
	if err := tracks.Find(ctx, held.objects); err != nil {
		return err
	}
	for _, c := range held.classes {
		c.holds = newMerger(h, tracks)
	}
	for o := range held.objects.All {
		held.of[h.ClassOf(o)].holds.add(o)
	}
	for _, c := range held.classes {
		if c.Paths, err = c.holds.paths(ctx, pathsPerClass); err != nil {
			return err
		}
		c.holds = nil
	}
	return nil
}

// addRetained says what the many ones retain.
func (h *Heap) addRetained(held *heldReferents) error {
	for _, c := range held.classes {
		if c.held < worthRetained {
			continue
		}
		bytes, ok := h.allRetain(c)
		if !ok {
			var err error
			if bytes, err = h.retainedTogether(h.only(held, c)); err != nil {
				return err
			}
		}
		c.RetainedBytes = &bytes
	}
	return nil
}

// only returns the held ones of one class.
func (h *Heap) only(held *heldReferents, c *referents) iter.Seq[heap.ObjID] {
	return func(yield func(heap.ObjID) bool) {
		for o := range held.objects.All {
			if held.of[h.ClassOf(o)] == c && !yield(o) {
				return
			}
		}
	}
}

// allRetain returns what the held ones retain where they are all instances that there are.
func (h *Heap) allRetain(c *referents) (bytes int64, ok bool) {
	ids := h.ClassesNamed(c.Class)
	if h.classRetained == nil || len(ids) != 1 || h.Classes[ids[0]].Instances != c.held {
		return 0, false
	}
	return int64(h.classRetained[ids[0]]), true
}

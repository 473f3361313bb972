package finding

import (
	"context"
	"fmt"

	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// garbageShare is the least share of garbage, in percent of all objects, that tells
// that a dump is one of the whole heap. Dumps of live objects, and all those of ZGC and
// Shenandoah, show some objects that only the JVM's inside holds: 1 to 6 percent of a
// small heap.
const garbageShare = 10

// fewDone is how many Finalizers that ran may be in a dump of live objects: those that
// the Finalizer thread has just left.
const fewDone = 10

// measureKept measures what only finalization keeps, and finds out whether the dump is
// one of the whole heap. Errors: that of ctx.
func (h *Heap) measureKept(ctx context.Context) error {
	unreachable := h.registry.referents(h, func(_ state, reachable bool) bool { return !reachable })
	k, err := h.kept(ctx, unreachable)
	if err != nil {
		return err
	}
	h.keptObjects, h.keptBytes = k.objects, k.bytes
	if h.classValues, err = h.readClassValues(ctx); err != nil {
		return err
	}
	all := int64(h.Objects())
	h.whole = h.registry.total(in(done)) > fewDone || (all-h.Tree.Size()-h.keptObjects-h.classValues.objects)*100 >= all*garbageShare
	return nil
}

// notes says what the kind of the dump keeps in the dark about the Finalizers.
func (h *Heap) notes(f *Finalizers) []string {
	notes := []string{}
	switch {
	case f.Disabled:
		return append(notes, "The JVM ran with --finalization=disabled: nothing is registered, and no finalize() runs.")
	case f.Total == 0:
		return notes
	case !h.whole:
		notes = append(notes, "Hardly an object in the dump is garbage: it is one of live objects, or of ZGC or Shenandoah, or was written right after a collection. How many finalizers ran (done) is unknown.")
		if f.States.Pending > 0 {
			notes = append(notes, fmt.Sprintf("The %s pending may have been found dead by the collection that such a dump begins with: they are no backlog.",
				unit.Plural(f.States.Pending, "Finalizer", "Finalizers")))
		}
	case f.States.RegisteredDead >= manyWaiting:
		notes = append(notes, "A dump does not tell generations: dead objects not yet discovered have died since the last collection of theirs, a moment or hours ago.")
	}
	return notes
}

package finding

import (
	"context"
	"fmt"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// finalizerAtWork finds a Finalizer thread that does not get on: stuck in a
// finalize() that waits for somebody, or slow.
type finalizerAtWork struct{}

// Detect implements Detector.
func (finalizerAtWork) Detect(ctx context.Context, h *Heap) ([]Finding, error) {
	atWork := slices.DeleteFunc(slices.Clone(h.errands), func(e errand) bool { return e.service != finalizing })
	q, err := h.finalizerBacklog(ctx)
	if err != nil || len(atWork) == 0 && !q.worth(h.inUse()) {
		return nil, err
	}
	if len(atWork) == 0 {
		return h.unservedFinding(q), nil
	}
	// What counts is the thread that serves the queue, not one that somebody had
	// started beside it.
	main := max(0, slices.IndexFunc(atWork, func(e errand) bool { return h.Class(e.Object).Name == finalizerClass+"$FinalizerThread" }))
	w := h.waitOf(&atWork[main].thread)
	if atWork[main].pace(w) == computing && q.lasts != "" {
		if class, ok := h.behindInitialiser(&atWork[main].thread); ok {
			w, atWork[main].behind = class, true
		}
	}
	if !atWork[main].stuck() && !q.worth(h.inUse()) {
		return nil, nil
	}
	f := h.finalizerFinding(&atWork[main], w, q)
	for i := range atWork {
		if i != main {
			class, method := atWork[i].call()
			f.Evidence.Facts = append(f.Evidence.Facts, fact("another thread", "%q, %s in %s.%s", atWork[i].Name, atWork[i].State, class, method))
		}
	}
	return []Finding{f}, nil
}

// finalizerBacklog returns what waits for the Finalizer thread. A dump of live objects
// begins with a collection that makes what was dead pending: that is no backlog.
func (h *Heap) finalizerBacklog(ctx context.Context) (backlog, error) {
	waits := func(s state, _ bool) bool { return s == enqueued || s == pending && h.whole }
	b := backlog{done: -1}
	classes := h.registry.byName(h, waits)
	if n := h.registry.absent.of(waits); n > 0 {
		classes[missingReferent] = n
	}
	b.count(classes)
	if h.whole {
		b.done = h.registry.total(in(done))
	}
	b.peak = h.longestQueue()
	b.lasts = h.lasts(&b)
	err := b.weigh(ctx, h, h.registry.referents(h, waits))
	return b, err
}

// lasts returns the evidence that the backlog does not go away by itself, whatever its thread
// is at. A thread that works off what a collection has just found has soon done a part of
// it; as long as the queue is being filled it had no time to.
func (h *Heap) lasts(b *backlog) string {
	switch {
	case h.pressure().outOfMemory:
		return "Memory ran out while they waited."
	case !h.handlerIdle():
		return ""
	case b.peak > 0 && b.waiting*4 >= b.peak*3:
		return fmt.Sprintf("Of the longest queue so far (%s) %s is worked off.", unit.Count(b.peak), unit.Share(max(b.peak-b.waiting, 0), b.peak))
	case b.done >= 0 && b.done*10 < b.waiting:
		return fmt.Sprintf("Only %s were worked off since the last collection.", unit.Count(b.done))
	}
	return ""
}

// longestQueue returns how many Finalizers have ever been in the queue at once, 0 if the
// dump does not tell.
//
// Source: jdk.internal.misc.VM (sun.misc.VM until JDK 8) counts what is in the queue.
func (h *Heap) longestQueue() int64 {
	for _, class := range []string{"jdk.internal.misc.VM", "sun.misc.VM"} {
		if v, ok := h.Static(class, "peakFinalRefCount"); ok {
			return int64(int32(v))
		}
	}
	return 0
}

// handlerIdle says whether the Reference Handler has put into the queues all that the last
// collection found; a dump without its stack does not tell.
func (h *Heap) handlerIdle() bool {
	for s := range h.Stacks() {
		if h.Class(s.Object).Name == referenceClass+"$ReferenceHandler" {
			return len(s.Frames) > 0 && (s.Frames[0].Method == "waitForReferencePendingList" || waitedOn(&s) != 0)
		}
	}
	return false
}

// referentAtWork returns the object whose finalize() the errand is at, 0 if unknown.
func (h *Heap) referentAtWork(e *errand) heap.ObjID {
	states := h.registry.states
	if f := e.local(e.base, func(o heap.ObjID) bool { return states.table.Row(o) >= 0 }); f != 0 {
		if _, referent := states.of(states.table.Row(f)); referent != 0 {
			return referent
		}
	}
	// In JDK 7 and before the frames do not tell, but there is only one.
	if at := h.registry.referents(h, in(inProcessing)); len(at) == 1 && h.registry.total(in(inProcessing)) == 1 {
		return at[0]
	}
	return 0
}

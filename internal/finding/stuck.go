package finding

import (
	"context"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
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
	w, err := h.waitOf(ctx, &atWork[main].thread)
	if err != nil {
		return nil, err
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
	states := newFinalizerStates(h.Graph)
	b := backlog{done: -1}
	var waiting []heap.ObjID
	classes := map[string]int64{}
	var ran int64
	for row := range states.table.Len() {
		s, referent := states.of(row)
		switch {
		case s == enqueued, s == pending && h.whole:
			name := missingReferent
			if referent != 0 {
				name = h.Class(referent).Name
				waiting = append(waiting, referent)
			}
			classes[name]++
		case s == done:
			ran++
		}
	}
	b.count(classes)
	if h.whole {
		b.done = ran
	}
	var err error
	_, b.bytes, err = h.kept(ctx, waiting)
	return b, err
}

// referentAtWork returns the object whose finalize() the errand is at, 0 if unknown.
func (h *Heap) referentAtWork(e *errand) heap.ObjID {
	states := newFinalizerStates(h.Graph)
	if f := e.local(e.base, func(o heap.ObjID) bool { return states.table.Row(o) >= 0 }); f != 0 {
		if _, referent := states.of(states.table.Row(f)); referent != 0 {
			return referent
		}
	}
	// In JDK 7 and before the frames do not tell, but there is only one.
	var at heap.ObjID
	for row := range states.table.Len() {
		if s, referent := states.of(row); s == inProcessing {
			if at != 0 {
				return 0
			}
			at = referent
		}
	}
	return at
}

package finding

import (
	"context"
	"fmt"

	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// deadUndiscovered remarks on many dead finalizables that no collection has found yet. If they
// are old, they wait for a collection of the old generation; but a dump does not tell
// generations, and every program that makes finalizables has some dead ones. So it is a
// remark, never an alarm.
type deadUndiscovered struct{}

// Detect implements Detector.
func (deadUndiscovered) Detect(ctx context.Context, h *Heap) ([]Finding, error) {
	// The collection that a dump of live objects begins with makes them pending.
	dead := func(s state, reachable bool) bool {
		return !reachable && (s == registered || s == pending && !h.whole)
	}
	b := backlog{done: -1}
	b.count(h.registry.byName(h, dead))
	referents := h.registry.referents(h, dead)
	if err := b.weigh(ctx, h, referents); err != nil || !b.worth(h.inUse()) {
		return nil, err
	}
	return []Finding{{
		Kind: "finalizers-waiting-for-old-gc", Severity: SeverityInfo, Confidence: ConfidenceLow,
		Culprit: Culprit{Class: b.class}, Objects: b.waiting, Bytes: b.bytes,
		Title: fmt.Sprintf("%s dead finalizable objects, most are %s, wait to be found by a collection", unit.Count(b.waiting), short(b.class)),
		Summary: fmt.Sprintf("Nobody holds them, and no collection has found them yet. If they died just now, all is well. If their number lasts, they lie in the old generation "+
			"and wait for its collection: %s, %s of what is in use, that finalize() and one more collection must pass before they are free.",
			unit.Bytes(b.bytes), unit.Share(b.bytes, h.inUse())) + h.outside(b.class, referents),
		Advice: "Take a second dump, or count them with GC.class_histogram -all, after some young collections. If they stay: let the old generation be collected " +
			"sooner (-XX:InitiatingHeapOccupancyPercent of G1), or close such objects and do without finalize().",
		Fingerprint: fingerprint("finalizers-waiting-for-old-gc", stableClass(b.class)),
		Evidence: Evidence{
			Facts:   b.facts("dead, not found yet", h.inUse()),
			Refutes: "a second dump, after a young collection, without them: then they were young",
		},
	}}, nil
}

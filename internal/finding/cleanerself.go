package finding

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// cleanersOfThemselves finds cleaning actions that refer to the object whose end they
// wait for: they keep it alive, so they never run.
type cleanersOfThemselves struct{}

// Detect implements Detector.
func (cleanersOfThemselves) Detect(ctx context.Context, h *Heap) ([]Finding, error) {
	p := h.phantoms()
	capturing := map[string][]int{} // rows by class of the action
	for row := range p.table.Len() {
		if p.action(row) != 0 && p.of(row) == registered && h.reachable(p.table.Ref(row, phantomReferent)) && p.captures(row) {
			capturing[p.class(row)] = append(capturing[p.class(row)], row)
		}
	}
	var found []Finding
	for _, class := range slices.Sorted(maps.Keys(capturing)) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		// Those that somebody else holds may be closed by hand yet.
		rows := slices.DeleteFunc(capturing[class], func(row int) bool {
			return !h.Tree.Dominates(uint32(p.table.Objects[row]), uint32(p.table.Ref(row, phantomReferent)))
		})
		bytes, err := h.retainedTogether(slices.Values(p.objects(rows)))
		if err != nil {
			return nil, err
		}
		if len(rows) >= fewWaiting || len(rows) > 0 && bytes*100 >= h.inUse()*worthShare {
			found = append(found, h.selfFinding(p, class, rows, bytes))
		}
	}
	return found, nil
}

// objects returns the references of some rows.
func (p phantoms) objects(rows []int) []heap.ObjID {
	objects := make([]heap.ObjID, len(rows))
	for i, row := range rows {
		objects[i] = p.table.Objects[row]
	}
	return objects
}

// selfFinding words the verdict on the actions of one class.
func (h *Heap) selfFinding(p phantoms, class string, rows []int, bytes int64) Finding {
	n, referent := int64(len(rows)), h.Class(p.table.Ref(rows[0], phantomReferent)).Name
	f := Finding{
		Kind: "cleaner-self-reference", Severity: SeverityInfo, Confidence: ConfidenceHigh,
		Title: fmt.Sprintf("%s of class %s that can never run", unit.Plural(n, "cleaning action", "cleaning actions"), short(class)),
		Summary: fmt.Sprintf("Each refers to the very %s whose end it waits for. The Cleaner holds the action, the action holds the object, nothing else does: "+
			"it never dies. %s stay in memory for them (%s of what is in use).", short(referent), unit.Bytes(bytes), unit.Share(bytes, h.inUse())),
		Advice: "Make the action a static nested class, or a lambda in a static method, that has only what it is to release; " +
			"a lambda or an inner class that uses a field or a method of the object refers to it. Until then call Cleanable.clean() by close().",
		Fingerprint: fingerprint("cleaner-self-reference", class),
		Culprit:     Culprit{Class: class, Object: address(h.Address(p.action(rows[0])))},
		Objects:     n, Bytes: bytes,
		Evidence: Evidence{
			Facts: []Fact{
				fact("actions", "%s of %s", unit.Count(n), class),
				fact("waiting for the end of", "%s, for example @ %s", referent, address(h.Address(p.table.Ref(rows[0], phantomReferent)))),
				fact("kept by them", "%s, %s of what is in use", unit.Bytes(bytes), unit.Share(bytes, h.inUse())),
			},
			Refutes: "code that calls clean() on each Cleanable by hand",
		},
	}
	large := n >= fewWaiting || bytes >= suspectBytes
	switch {
	case large && bytes*100 >= h.inUse()*criticalShare:
		f.Severity = SeverityCritical
	case n >= manyWaiting || large && bytes*100 >= h.inUse()*worthShare:
		f.Severity = SeverityWarning
	}
	return f
}

package finding

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// sparseArrays finds memory that empty elements of object arrays take: those of
// half-empty maps and lists above all.
type sparseArrays struct{}

// shownArrays is how many single arrays and classes a finding shows.
const shownArrays = 5

// Detect implements Detector.
func (sparseArrays) Detect(_ context.Context, h *Heap) ([]Finding, error) {
	total := int64(h.Tree.Total())
	refBytes := int64(h.Layout.RefBytes)
	type row struct {
		class string
		heap.Fill
	}
	var rows []row
	var arrays, slots int64
	for i, f := range h.Fills {
		if f.SparseSlots > 0 {
			rows = append(rows, row{h.Classes[i].Name, f})
			arrays += f.SparseArrays
			slots += f.SparseSlots
		}
	}
	wasted := slots * refBytes
	if wasted < max(total*collectionShare/100, suspectBytes) {
		return nil, nil
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(b.SparseSlots, a.SparseSlots), cmp.Compare(a.class, b.class))
	})
	f := Finding{
		Kind: "sparse-arrays", Severity: SeverityInfo, Confidence: ConfidenceMedium,
		Culprit: Culprit{Class: rows[0].class},
		Objects: arrays,
		Bytes:   wasted,
		Title: fmt.Sprintf("%s empty elements in %s that are at most a quarter full take %s", unit.Count(slots),
			unit.Plural(arrays, "array", "arrays"), unit.Bytes(wasted)),
		Summary: fmt.Sprintf("Most of it lies in %s: %s of %s are that empty, with %s.", clip(rows[0].class, 100),
			unit.Count(rows[0].SparseArrays), unit.Plural(rows[0].Arrays, "array", "arrays"), unit.Bytes(rows[0].SparseSlots*refBytes)),
		Advice:      "Create collections with the capacity they need, or when the first element comes; use List.of and Map.of for small fixed ones; copy one that has shrunk (ArrayList.trimToSize()).",
		Fingerprint: fingerprint("sparse-arrays", rows[0].class),
		Evidence:    Evidence{Refutes: "the arrays are about to be filled, or die with the next collection"},
	}
	for _, r := range rows[:min(len(rows), shownArrays)] {
		f.Evidence.Facts = append(f.Evidence.Facts, fact("class", "%s: %s of %s, %s empty", r.class, unit.Count(r.SparseArrays), unit.Plural(r.Arrays, "array", "arrays"), unit.Bytes(r.SparseSlots*refBytes)))
	}
	big := slices.Clone(h.Sparse)
	slices.SortStableFunc(big, func(a, b heap.SparseArray) int { return cmp.Compare(b.Slots-b.Used, a.Slots-a.Used) })
	for _, a := range big[:min(len(big), shownArrays)] {
		f.Evidence.Facts = append(f.Evidence.Facts, fact("array", "%s @ %s: %s of %s elements used", h.Class(a.Object).Name, address(h.Address(a.Object)), unit.Count(a.Used), unit.Count(a.Slots)))
	}
	return []Finding{f}, nil
}

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

// negligible is the part of a heap, as 1/negligible, that is too little garbage to look for any.
const negligible = 100

// Detect implements Detector.
func (sparseArrays) Detect(ctx context.Context, h *Heap) ([]Finding, error) {
	total := int64(h.Tree.Total())
	refBytes := int64(h.Layout.RefBytes)
	type row struct {
		class string
		heap.Fill
	}
	var rows []row
	var arrays, slots int64
	least := max(total*collectionShare/100, suspectBytes)
	fills, err := h.liveFills(ctx, least/refBytes)
	if err != nil {
		return nil, err
	}
	for i, f := range fills {
		if f.SparseSlots > 0 {
			rows = append(rows, row{h.Classes[i].Name, f})
			arrays += f.SparseArrays
			slots += f.SparseSlots
		}
	}
	wasted := slots * refBytes
	if wasted < least {
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
	big := slices.DeleteFunc(slices.Clone(h.Sparse), func(a heap.SparseArray) bool { return !h.reachable(a.Object) })
	slices.SortStableFunc(big, func(a, b heap.SparseArray) int { return cmp.Compare(b.Slots-b.Used, a.Slots-a.Used) })
	for _, a := range big[:min(len(big), shownArrays)] {
		f.Evidence.Facts = append(f.Evidence.Facts, fact("array", "%s @ %s: %s of %s elements used", h.Class(a.Object).Name, address(h.Address(a.Object)), unit.Count(a.Used), unit.Count(a.Slots)))
	}
	return []Finding{f}, nil
}

// liveFills returns Fills without the garbage, none where all together are below least slots. Which
// arrays of a class are sparse is not kept: the share of them that is reachable is that of the arrays
// which seem so by their references, where an element that repeats the one before is none. Errors:
// that of ctx.
func (h *Heap) liveFills(ctx context.Context, least int64) ([]heap.Fill, error) {
	var slots, bytes int64
	for i, f := range h.Fills {
		slots += f.SparseSlots
		bytes += h.Classes[i].ShallowBytes
	}
	if slots < least {
		return nil, nil
	}
	if garbage := bytes - int64(h.Tree.Total()); garbage*negligible < bytes {
		return h.Fills, nil
	}
	all, live, err := h.fills(ctx)
	if err != nil {
		return nil, err
	}
	for i, whole := range h.Fills {
		if f := &live[i]; f.SparseSlots > 0 {
			f.SparseArrays = int64(float64(whole.SparseArrays) * float64(f.SparseArrays) / float64(all[i].SparseArrays))
			f.SparseSlots = int64(float64(whole.SparseSlots) * float64(f.SparseSlots) / float64(all[i].SparseSlots))
		}
	}
	return live, nil
}

// fills returns how full the arrays of the classes with sparse ones are by their references, and those of
// them that are reachable. Errors: that of ctx.
func (h *Heap) fills(ctx context.Context) (all, live []heap.Fill, err error) {
	type part struct{ all, live []heap.Fill }
	newPart := func() part { return part{make([]heap.Fill, len(h.Fills)), make([]heap.Fill, len(h.Fills))} }
	var parts []part
	err = h.Stretches(ctx, func() func(from, to heap.ObjID) {
		p := newPart()
		parts = append(parts, p)
		return func(from, to heap.ObjID) {
			for o := from; o <= to; o++ {
				class := h.ClassOf(o)
				if h.Fills[class].SparseSlots == 0 {
					continue
				}
				room := (h.ShallowBytes(o) - int64(h.Layout.ArrayBytes)) / int64(h.Layout.RefBytes)
				used := h.elementsUpTo(o, room/2)
				p.all[class].Add(room, used)
				if h.reachable(o) {
					p.live[class].Add(room, used)
				}
			}
		}
	})
	sum := newPart()
	for _, p := range parts {
		for class := range p.all {
			sum.all[class].Join(p.all[class])
			sum.live[class].Join(p.live[class])
		}
	}
	return sum.all, sum.live, err
}

// elementsUpTo counts the references to elements that an array has, not many more than most.
func (h *Heap) elementsUpTo(array heap.ObjID, most int64) (n int64) {
	class := h.Class(array).Object
	for o := range h.References(array) {
		if o == class {
			continue
		}
		if n++; n > most {
			break
		}
	}
	return n
}

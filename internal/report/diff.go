package report

import (
	"cmp"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
)

// Diff is what changed from one report to another of the same program, usually a
// later one. Its JSON names are a contract (docs/diff-schema.md).
type Diff struct {
	SchemaVersion int  `json:"schema_version"`
	Tool          Tool `json:"tool"`
	// Before and After are the dumps that the reports are about.
	Before Dump     `json:"before"`
	After  Dump     `json:"after"`
	Heap   HeapDiff `json:"heap"`
	// Classes are those whose numbers differ, biggest growth of their own size first.
	Classes []ClassDiff `json:"classes"`
	// Finalizers is nil unless both reports have the census.
	Finalizers *FinalizerDiff `json:"finalizers,omitempty"`
	// Findings is nil unless both reports looked for trouble.
	Findings *FindingsDiff `json:"findings,omitempty"`
	Warnings []Warning     `json:"warnings"`
	Limits   DiffLimits    `json:"limits"`
}

// Change is a number before and after; a nil one is not known, and so is their
// difference then.
type Change struct {
	Before *int64 `json:"before,omitempty"`
	After  *int64 `json:"after,omitempty"`
	Delta  *int64 `json:"delta,omitempty"`
}

// HeapDiff are the totals. The reachable ones are absent where a report has none.
type HeapDiff struct {
	Objects          Change `json:"objects"`
	ShallowBytes     Change `json:"shallow_bytes"`
	ReachableObjects Change `json:"reachable_objects,omitzero"`
	ReachableBytes   Change `json:"reachable_bytes,omitzero"`
	Classes          Change `json:"classes"`
	Loaders          Change `json:"loaders"`
	GCRoots          Change `json:"gc_roots"`
}

// FinalizerDiff is the census, in total and by state.
type FinalizerDiff struct {
	Total  Change     `json:"total"`
	States StatesDiff `json:"states"`
}

// StatesDiff has the states of finding.States.
type StatesDiff struct {
	RegisteredHeld Change `json:"registered_held"`
	RegisteredDead Change `json:"registered_dead"`
	Pending        Change `json:"pending"`
	Enqueued       Change `json:"enqueued"`
	InProcessing   Change `json:"in_processing"`
	Done           Change `json:"done"`
}

// FindingsDiff sorts the findings by what became of them. Findings are the same
// where their fingerprints are.
type FindingsDiff struct {
	Appeared []finding.Finding `json:"appeared"`
	Stayed   []FindingDiff     `json:"stayed"`
	Went     []finding.Finding `json:"went"`
}

// FindingDiff is a finding of both reports, as the later one words it.
type FindingDiff struct {
	Finding finding.Finding `json:"finding"`
	Objects Change          `json:"objects"`
	Bytes   Change          `json:"bytes"`
}

// DiffLimits says what was left out.
type DiffLimits struct {
	// ClassRows is the bound of Classes, and ClassesOmitted how many more differ.
	ClassRows      int   `json:"class_rows"`
	ClassesOmitted int64 `json:"classes_omitted"`
	// ClassesUnchanged is how many classes have the same numbers in both reports.
	ClassesUnchanged int64 `json:"classes_unchanged"`
}

// Compare returns what changed from one report to another, with at most rows
// classes. The diff is partial where one of the reports is.
func Compare(tool Tool, before, after *Report, rows int) *Diff {
	d := &Diff{SchemaVersion: SchemaVersion, Tool: tool, Before: before.Dump, After: after.Dump}
	b, a := before.Heap, after.Heap
	d.Heap = HeapDiff{
		Objects:          change(&b.Objects, &a.Objects),
		ShallowBytes:     change(&b.ShallowBytes, &a.ShallowBytes),
		ReachableObjects: change(b.ReachableObjects, a.ReachableObjects),
		ReachableBytes:   change(b.ReachableBytes, a.ReachableBytes),
		Classes:          change(&b.Classes, &a.Classes),
		Loaders:          change(&b.Loaders, &a.Loaders),
		GCRoots:          change(&b.GCRoots, &a.GCRoots),
	}
	d.compareClasses(before, after, rows)
	if before.Finalizers != nil && after.Finalizers != nil {
		d.Finalizers = compareFinalizers(before.Finalizers, after.Finalizers)
	}
	if before.Findings != nil && after.Findings != nil {
		d.Findings = compareFindings(before.Findings, after.Findings)
	}
	for _, w := range before.Warnings {
		w.Message = "before: " + w.Message
		d.Warnings = append(d.Warnings, w)
	}
	for _, w := range after.Warnings {
		w.Message = "after: " + w.Message
		d.Warnings = append(d.Warnings, w)
	}
	return d
}

// Partial tells whether one of the reports covers only a part of its dump.
func (d *Diff) Partial() bool {
	return d.Before.Truncated || d.After.Truncated || damaged(d.Warnings)
}

// change returns the two numbers with their difference.
func change(before, after *int64) Change {
	c := Change{Before: before, After: after}
	if before != nil && after != nil {
		c.Delta = new(*after - *before)
	}
	return c
}

// moved tells whether the number is known to have changed.
func (c Change) moved() bool { return c.Delta != nil && *c.Delta != 0 }

func compareFinalizers(b, a *finding.Finalizers) *FinalizerDiff {
	bs, as := &b.States, &a.States
	return &FinalizerDiff{
		Total: change(&b.Total, &a.Total),
		States: StatesDiff{
			RegisteredHeld: change(&bs.RegisteredHeld, &as.RegisteredHeld),
			RegisteredDead: change(&bs.RegisteredDead, &as.RegisteredDead),
			Pending:        change(&bs.Pending, &as.Pending),
			Enqueued:       change(&bs.Enqueued, &as.Enqueued),
			InProcessing:   change(&bs.InProcessing, &as.InProcessing),
			Done:           change(&bs.Done, &as.Done),
		},
	}
}

// compareFindings pairs the findings in their order, so that several of one
// fingerprint are not taken for one.
func compareFindings(before, after []finding.Finding) *FindingsDiff {
	d := &FindingsDiff{Appeared: []finding.Finding{}, Stayed: []FindingDiff{}}
	left := slices.Clone(before)
	for _, f := range after {
		i := slices.IndexFunc(left, func(b finding.Finding) bool { return b.Fingerprint == f.Fingerprint })
		if i < 0 {
			d.Appeared = append(d.Appeared, f)
			continue
		}
		d.Stayed = append(d.Stayed, FindingDiff{f, change(&left[i].Objects, &f.Objects), change(&left[i].Bytes, &f.Bytes)})
		left = slices.Delete(left, i, i+1)
	}
	d.Went = left
	slices.SortStableFunc(d.Stayed, func(x, y FindingDiff) int { return cmp.Compare(*y.Bytes.Delta, *x.Bytes.Delta) })
	return d
}

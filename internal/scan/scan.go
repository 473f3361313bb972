// Package scan turns a heap dump file into a report. It is the one call of both
// programs: heapscan in the foreground, apm-sidecar in a child process.
package scan

import (
	"context"
	"errors"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/heap/dom"
	"github.com/apm-sidecar/apm-sidecar/internal/report"
)

// Options steer a scan. The zero value is a full scan without progress.
type Options struct {
	// Tool names the program in the report.
	Tool report.Tool
	// Progress is called from one goroutine at a time, at most some ten times a
	// second. done and total count bytes of work over all phases; phase is a
	// short name such as "reading objects". Nil means nobody watches.
	Progress func(phase string, done, total int64)
	// MaxMemoryBytes is what the whole process may take. It goes to the disk for more, or
	// gives up. 0 means what the machine or the container has.
	MaxMemoryBytes int64
	// Planned is told what a part of the scan will take before it begins. Nil means nobody
	// wants to know.
	Planned func(Plan)
	// Dump is the number of the dump in the file, from 0.
	Dump int
	// Edges are the rules by which objects hold each other.
	Edges heap.Edges
	// Depth says how far the dump is read. heap.Counted is enough for a histogram: there is
	// no reachability then, no retained sizes and no findings.
	Depth heap.Depth
	// AllClasses has all classes in the histogram, however many there are.
	AllClasses bool
}

// File reads the dump at path and analyses it. A damaged dump gives a report
// with warnings and Dump.Truncated set, not an error. Errors wrap
// hprof.ErrNotHprof for foreign input, heap.ErrNoDump where the file has no dump of
// that number and *fs.PathError for unreadable input; *MemoryError; a cancelled ctx
// returns its error.
func File(ctx context.Context, path string, o Options) (r *report.Report, err error) {
	ctx, b := newBudget(ctx, o)
	defer func() { err = b.end(err) }()
	d, err := open(ctx, path, o, finding.Notes(), b)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	if o.Depth != heap.Linked {
		return d.report, nil
	}
	if d.report.JVM, err = describeJVM(ctx, d.graph); err != nil {
		return nil, err
	}
	if err := finding.Plan(d.graph); err != nil {
		return nil, err
	}
	if err := d.dominate(ctx); err != nil {
		return nil, err
	}
	sums, err := d.survey(ctx)
	if err != nil {
		return nil, err
	}
	d.progress.say("looking for trouble", 2*d.file.Size+3*d.file.Size/4)
	if err := d.judge(ctx, o, sums); err != nil {
		return nil, err
	}
	d.progress.say("done", phases*d.file.Size)
	return d.report, nil
}

// judge adds the biggest objects and, of the strong graph, what is wrong: by the
// rules of others a Finalizer holds what it waits for, and all verdicts would be off.
func (d *dump) judge(ctx context.Context, o Options, sums *dom.Sums) error {
	r := d.report
	h, err := finding.NewHeap(ctx, d.graph, d.tree, d.file.Header.Created)
	if err != nil {
		return err
	}
	if err := d.addDominators(ctx, h); err != nil {
		return err
	}
	addDominatorTree(r, h, sums.Merged)
	if o.Edges != heap.EdgesStrong {
		return nil
	}
	if err := h.Examine(ctx, sums.Retained[0]); err != nil {
		return err
	}
	r.Finalizers, r.Limits.FinalizerOmitted = h.Census()
	r.Limits.FinalizerClassRows = len(r.Finalizers.Classes)
	objects, bytes := h.Kept()
	r.Heap.FinalizationObjects, r.Heap.FinalizationBytes = &objects, &bytes
	r.Cleaners, r.Limits.CleanersOmitted = h.Cleaners()
	r.Limits.CleanerClassRows = len(r.Cleaners.Classes)
	r.Schedulers, r.Limits.SchedulersOmitted = h.Schedulers()
	r.Limits.SchedulerRows = len(r.Schedulers)
	r.Findings, err = finding.Detect(ctx, h)
	return err
}

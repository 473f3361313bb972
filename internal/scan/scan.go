// Package scan turns a heap dump file into a report. It is the one call of both
// programs: heapscan in the foreground, apm-sidecar in a child process.
package scan

import (
	"context"
	"errors"
	"fmt"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/heap/dom"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
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
	// HistogramOnly skips the graph: no reachability, retained sizes or findings.
	HistogramOnly bool
}

// File reads the dump at path and analyses it. A damaged dump gives a report
// with warnings and Dump.Truncated set, not an error. Errors wrap
// hprof.ErrNotHprof for foreign input and *fs.PathError for unreadable input;
// a cancelled ctx returns its error.
func File(ctx context.Context, path string, o Options) (r *report.Report, err error) {
	p := &progress{to: o.Progress}
	f, err := hprof.Open(ctx, path, p.phase("inflating", 0, 1))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	p.total = f.Size * phases
	if f.Compression != "none" {
		p.before = f.DiskBytes
		p.total += p.before
	}
	graph, err := heap.Build(ctx, f, heap.Options{
		Watches:     finding.Watches(),
		ClassesOnly: o.HistogramOnly,
		Progress:    p.build(f.Size),
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	defer graph.Close()
	r = &report.Report{SchemaVersion: report.SchemaVersion, Tool: o.Tool, Warnings: []report.Warning{}}
	r.Dump = describeDump(path, f)
	addDamage(r, graph)
	addClasses(r, graph)
	if o.HistogramOnly {
		return r, nil
	}
	if r.JVM, err = describeJVM(ctx, graph); err != nil {
		return nil, err
	}
	p.say("finding dominators", 2*f.Size)
	tree, err := graph.Dominators(ctx)
	if err != nil {
		return nil, err
	}
	defer tree.Free()
	addReachability(r, tree)
	p.say("looking for trouble", 2*f.Size+f.Size/2)
	if err := addFindings(ctx, r, f, graph, tree); err != nil {
		return nil, err
	}
	p.say("done", phases*f.Size)
	return r, nil
}

// addFindings runs the analysis: dominators, finalizers, schedulers, all detectors.
func addFindings(ctx context.Context, r *report.Report, f *hprof.File, graph *heap.Graph, tree *dom.Tree) error {
	h, err := finding.NewHeap(ctx, graph, tree, f.Header.Created)
	if err != nil {
		return err
	}
	addDominators(r, h)
	r.Finalizers, r.Limits.FinalizerOmitted, err = h.Census(ctx)
	if err != nil {
		return err
	}
	r.Limits.FinalizerClassRows = len(r.Finalizers.Classes)
	r.Schedulers, r.Limits.SchedulersOmitted = h.Schedulers()
	r.Limits.SchedulerRows = len(r.Schedulers)
	r.Findings, err = finding.Detect(ctx, h)
	return err
}

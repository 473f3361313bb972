package scan

import (
	"context"
	"errors"
	"fmt"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/heap/dom"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/report"
)

// dump is an open dump with its graph and the report as far as it goes.
type dump struct {
	file     *hprof.File
	graph    *heap.Graph
	tree     *dom.Tree // nil until dominate
	report   *report.Report
	classes  []heap.ClassID // of the rows of the histogram
	progress *progress
}

// open reads the dump at path and notes of its objects what notes asks for. The report has its
// histogram and totals.
func open(ctx context.Context, path string, o Options, notes heap.Options, b *budget) (*dump, error) {
	d := &dump{progress: &progress{to: o.Progress}}
	f, err := hprof.Open(ctx, path, d.progress.phase("inflating", 0, 1))
	if err != nil {
		return nil, err
	}
	d.file = f
	d.progress.total = f.Size * phases
	if f.Compression != "none" {
		d.progress.before = f.DiskBytes
		d.progress.total += d.progress.before
	}
	notes.Dump, notes.Edges, notes.Depth = o.Dump, o.Edges, o.Depth
	notes.Memory, notes.Progress = &b.memory, d.progress.build(f.Size)
	d.graph, err = heap.Build(ctx, f, notes)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), d.close())
	}
	d.report = &report.Report{SchemaVersion: report.SchemaVersion, Tool: o.Tool, Warnings: []report.Warning{}}
	d.report.Dump = describeDump(path, f)
	addDamage(d.report, d.graph, o)
	rows := maxHistogram
	if o.AllClasses {
		rows = len(d.graph.Classes)
	}
	d.classes = addClasses(d.report, d.graph, rows)
	return d, nil
}

// dominate computes the dominator tree.
func (d *dump) dominate(ctx context.Context) (err error) {
	d.progress.say("finding dominators", 2*d.file.Size)
	if d.tree, err = d.graph.Dominators(ctx); err != nil {
		return err
	}
	addReachability(d.report, d.tree)
	return nil
}

// close gives everything back but the report.
func (d *dump) close() error {
	if d.tree != nil {
		d.tree.Free()
	}
	if d.graph != nil {
		d.graph.Close()
	}
	return d.file.Close()
}

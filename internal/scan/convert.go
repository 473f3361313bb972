package scan

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/heap/dom"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/report"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

const (
	maxHistogram  = 1000
	maxDominators = 50
	maxWarnings   = 20
)

func describeDump(path string, f *hprof.File) report.Dump {
	return report.Dump{
		Path:        path,
		Format:      f.Header.Version,
		IDSize:      f.Header.IDSize,
		Bytes:       f.DiskBytes,
		Compression: f.Compression,
		Created:     f.Header.Created.Format(time.RFC3339Nano),
	}
}

// addDamage warns of what could not be read.
func addDamage(r *report.Report, g *heap.Graph, o Options) {
	for i, d := range g.Damage {
		code := "damaged"
		if errors.Is(d, hprof.ErrTruncated) {
			code, r.Dump.Truncated = "truncated", true
		}
		if i < maxWarnings {
			r.Warnings = append(r.Warnings, report.Warning{Code: code, Message: d.Error(), Offset: &d.Offset})
		}
	}
	if n := len(g.Damage) - maxWarnings; n > 0 {
		r.Warnings = append(r.Warnings, report.Warning{Code: "more-damage", Message: unit.Plural(int64(n), "more damaged place", "more damaged places")})
	}
	if g.Repeated > 0 {
		r.Warnings = append(r.Warnings, report.Warning{Code: "repeated-objects", Message: repeated(g, o.Depth), Offset: &g.RepeatedAt})
	}
	if g.Outline.Dumps > 1 {
		r.Warnings = append(r.Warnings, report.Warning{Code: "several-dumps",
			Message: fmt.Sprintf("the file holds %d heap dumps; this is number %d", g.Outline.Dumps, o.Dump+1)})
	}
}

// repeated tells of objects that are described more than once.
func repeated(g *heap.Graph, depth heap.Depth) string {
	if depth == heap.Counted {
		return unit.Plural(g.Repeated, "class is described again", "classes are described again") +
			": of objects that are, too, a histogram counts each description (heapscan report counts the first)"
	}
	return unit.Plural(g.Repeated, "object is described again", "objects are described again") + ": what comes first in the file counts"
}

// addClasses fills the totals and the histogram of at most limit rows, and returns the
// class of each row.
func addClasses(r *report.Report, g *heap.Graph, limit int) []heap.ClassID {
	loaders := map[uint64]bool{}
	type row struct {
		report.ClassRow
		id heap.ClassID
	}
	rows := []row{}
	for i := range g.Classes {
		c := &g.Classes[i]
		if c.Object != 0 {
			r.Heap.Classes++
			loaders[c.Loader] = true
		}
		if c.Instances == 0 {
			continue
		}
		r.Heap.Objects += c.Instances
		r.Heap.ShallowBytes += c.ShallowBytes
		rows = append(rows, row{report.ClassRow{Class: c.Name, Loader: loaderName(c.Loader), Instances: c.Instances, ShallowBytes: c.ShallowBytes}, heap.ClassID(i)})
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(b.ShallowBytes, a.ShallowBytes), cmp.Compare(a.Class, b.Class), cmp.Compare(a.Loader, b.Loader), cmp.Compare(a.id, b.id))
	})
	r.Limits.HistogramRows = limit
	r.Limits.HistogramOmitted = int64(max(0, len(rows)-limit))
	r.Histogram = []report.ClassRow{}
	var classes []heap.ClassID
	for _, row := range rows[:min(len(rows), limit)] {
		r.Histogram = append(r.Histogram, row.ClassRow)
		classes = append(classes, row.id)
	}
	r.Heap.Loaders = int64(len(loaders))
	r.Heap.GCRoots = int64(g.Roots.Len())
	r.Heap.Layout = g.Layout.String()
	r.Heap.LayoutConfidence = finding.ConfidenceMedium
	if g.Layout.Sure {
		r.Heap.LayoutConfidence = finding.ConfidenceHigh
	}
	return classes
}

// addRetained adds to the histogram what the instances of each class retain, by ClassID.
func addRetained(r *report.Report, classes []heap.ClassID, retained []uint64) {
	for i, id := range classes {
		r.Histogram[i].RetainedBytes = new(int64(retained[id]))
	}
}

// loaderName renders the address of a class loader.
func loaderName(a uint64) string {
	if a == 0 {
		return "boot"
	}
	return address(a)
}

// addReachability fills the totals that follow from the dominator tree.
func addReachability(r *report.Report, tree *dom.Tree) {
	set := func(to **int64, v int64) { *to = &v }
	reachable, bytes := tree.Size(), int64(tree.Total())
	set(&r.Heap.ReachableObjects, reachable)
	set(&r.Heap.ReachableBytes, bytes)
	set(&r.Heap.UnreachableObjects, r.Heap.Objects-reachable)
	set(&r.Heap.UnreachableBytes, r.Heap.ShallowBytes-bytes)
}

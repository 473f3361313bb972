package scan

import (
	"context"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/report"
)

// maxRoots bounds the GC roots that an object is.
const maxRoots = 20

// referrers lists who refers to an object, limit at most by kind and one by one.
func (d *dump) referrers(ctx context.Context, object heap.ObjID, limit int) (*report.Referrers, error) {
	d.progress.say("looking for references to it", 2*d.file.Size+3*d.file.Size/4)
	found, err := d.graph.Referrers(ctx, object, limit)
	if err != nil {
		return nil, err
	}
	var objects []heap.ObjID
	for _, f := range found.First {
		objects = append(objects, f.Object)
	}
	names, err := d.names(ctx, objects)
	if err != nil {
		return nil, err
	}
	r := &report.Referrers{
		Objects:      found.Objects,
		References:   found.References,
		KindsOmitted: int64(max(0, len(found.Links)-limit)),
		FirstOmitted: found.References - int64(len(found.First)),
	}
	for _, l := range found.Links[:min(len(found.Links), limit)] {
		r.Kinds = append(r.Kinds, report.ReferrerKind{Class: d.graph.ClassName(l.Class), Reference: reference(l.Link), References: l.References})
	}
	for _, f := range found.First {
		r.First = append(r.First, report.Referrer{ObjectName: names.of(f.Object), Reference: linkReference(f.Link)})
	}
	return r, nil
}

// roots describes the GC roots that an object is, those of stack frames last.
func (d *dump) roots(ctx context.Context, object heap.ObjID) ([]report.PathRoot, error) {
	var all []heap.Root
	for r := range d.graph.Roots.All() {
		if r.Object == object {
			all = append(all, r)
		}
	}
	slices.SortStableFunc(all, func(a, b heap.Root) int { return locality(a) - locality(b) })
	all = all[:min(len(all), maxRoots)]
	threads := map[uint32]heap.ObjID{}
	var objects []heap.ObjID
	for _, t := range d.graph.Threads {
		if slices.ContainsFunc(all, func(r heap.Root) bool { return r.Thread == t.Serial }) {
			threads[t.Serial] = t.Object
			objects = append(objects, t.Object)
		}
	}
	infos, err := d.graph.ThreadInfos(ctx, objects)
	if err != nil {
		return nil, err
	}
	roots := []report.PathRoot{}
	for _, r := range all {
		p := report.PathRoot{Kind: r.Kind.RootName()}
		if r.Thread != 0 {
			p.Thread = infos[threads[r.Thread]].Name
		}
		if f, ok := d.graph.FrameOf(r); ok {
			p.Frame = f.String()
		}
		if !slices.Contains(roots, p) {
			roots = append(roots, p)
		}
	}
	return roots, nil
}

// locality orders roots: lasting ones before those that a call holds.
func locality(r heap.Root) int {
	if r.Local() {
		return 1
	}
	return 0
}

package scan

import (
	"cmp"
	"context"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/report"
)

// DominatorsOptions steer Dominators.
type DominatorsOptions struct {
	// Of is the address of the object whose children are wanted, nil for the objects
	// under the GC roots.
	Of *Address
	// Limit bounds the list.
	Limit int
}

// Dominators lists the biggest objects by what they retain: those directly under the GC
// roots, or those directly under one object. Errors: those of File; *NoObjectError.
func Dominators(ctx context.Context, path string, o Options, q DominatorsOptions) (*report.Dominators, error) {
	return ask(ctx, path, o, heap.Options{}, func(ctx context.Context, d *dump) (*report.Dominators, error) {
		var of heap.ObjID
		if q.Of != nil {
			var err error
			if of, err = d.object(ctx, *q.Of); err != nil {
				return nil, err
			}
		}
		if err := d.dominate(ctx); err != nil {
			return nil, err
		}
		return d.dominators(ctx, of, o.Edges, q.Limit)
	})
}

// dominators answers of the open dump; of is 0 for the objects under the roots.
func (d *dump) dominators(ctx context.Context, of heap.ObjID, edges heap.Edges, limit int) (*report.Dominators, error) {
	d.progress.say("looking for the biggest", 2*d.file.Size+d.file.Size/2)
	biggest, limits, err := d.biggestUnder(ctx, of, limit)
	if err != nil {
		return nil, err
	}
	by := heap.ObjID(d.tree.Dominator(uint32(of)))
	names, err := d.names(ctx, slices.Concat(biggest, []heap.ObjID{of, by}))
	if err != nil {
		return nil, err
	}
	a := &report.Dominators{Head: *d.report.About(), Edges: rulesName(edges), Heap: d.report.Heap, Limits: limits}
	for _, o := range biggest {
		a.Dominators = append(a.Dominators, d.dominatorRow(names.of(o), o))
	}
	if of != 0 {
		a.Of = new(d.dominatorRow(names.of(of), of))
	}
	if by != 0 {
		a.By = new(names.of(by))
	}
	return a, nil
}

// addDominators adds the biggest objects directly under the GC roots to the report.
// Errors: that of ctx.
func (d *dump) addDominators(ctx context.Context, h *finding.Heap) error {
	biggest, limits, err := d.biggestUnder(ctx, 0, maxDominators)
	if err != nil {
		return err
	}
	d.report.Limits.DominatorRows, d.report.Limits.DominatorsOmitted = limits.DominatorRows, limits.DominatorsOmitted
	d.report.Dominators = []report.DominatorRow{}
	for _, o := range biggest {
		n := report.ObjectName{Object: address(d.graph.Address(o)), Class: d.graph.Class(o).Name, Of: h.NameOf(o)}
		d.report.Dominators = append(d.report.Dominators, d.dominatorRow(n, o))
	}
	return nil
}

// biggestUnder returns the objects directly under one, or under the roots, that retain
// most, and what was left out. Errors: that of ctx.
func (d *dump) biggestUnder(ctx context.Context, of heap.ObjID, limit int) ([]heap.ObjID, report.DominatorLimits, error) {
	type row struct {
		object   heap.ObjID
		retained uint64
	}
	bigger := func(a, b row) int {
		return cmp.Or(cmp.Compare(b.retained, a.retained), cmp.Compare(a.object, b.object)) // ids are in the order of addresses
	}
	var rows []row
	var least row // what a row must be bigger than, once there are enough
	var count int64
	var all, kept uint64
	cut := func() {
		slices.SortFunc(rows, bigger)
		if len(rows) > limit {
			rows, least = rows[:limit], rows[limit]
		}
	}
	for v, retained := range d.tree.Children(uint32(of)) {
		r := row{heap.ObjID(v), retained}
		count++
		all += r.retained
		if count%checkEvery == 0 && ctx.Err() != nil {
			return nil, report.DominatorLimits{}, ctx.Err()
		}
		if least.object != 0 && bigger(least, r) < 0 {
			continue
		}
		if rows = append(rows, r); len(rows) >= 2*limit+1<<10 {
			cut()
		}
	}
	cut()
	objects := make([]heap.ObjID, 0, len(rows))
	for _, r := range rows {
		objects = append(objects, r.object)
		kept += r.retained
	}
	return objects, report.DominatorLimits{DominatorRows: limit, DominatorsOmitted: count - int64(len(rows)), OmittedBytes: int64(all - kept)}, nil
}

// dominatorRow describes an object with its sizes.
func (d *dump) dominatorRow(n report.ObjectName, o heap.ObjID) report.DominatorRow {
	return report.DominatorRow{
		Object: n.Object, Class: n.Class, Of: n.Of,
		ShallowBytes: d.graph.ShallowBytes(o), RetainedBytes: int64(d.tree.Retained(uint32(o))),
	}
}

package scan

import (
	"cmp"
	"context"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/report"
)

// maxNotCounted bounds the kinds of references to an object that do not hold it.
const maxNotCounted = 20

// PathOptions steer Path.
type PathOptions struct {
	Object Address
	// Limit bounds the steps, and the lists of who refers to an unreachable object.
	Limit int
}

// Path finds out what keeps an object alive: a way to it from a GC root, through the
// strongest references there are. Errors: those of File; *NoObjectError.
func Path(ctx context.Context, path string, o Options, q PathOptions) (*report.ObjectPath, error) {
	return ask(ctx, path, o, heap.Options{Watches: []heap.Watch{heap.ReferentWatch()}}, func(ctx context.Context, d *dump) (*report.ObjectPath, error) {
		object, err := d.object(ctx, q.Object)
		if err != nil {
			return nil, err
		}
		d.progress.say("looking for a path", 2*d.file.Size+d.file.Size/2)
		track, err := d.graph.StrongestTrack(ctx, object, d.graph.Tables[0])
		if err != nil {
			return nil, err
		}
		a := &report.ObjectPath{Head: *d.report.About(), Edges: rulesName(o.Edges), Reachability: track.Strength.String()}
		a.NotCounted = d.notCounted(object)
		if len(track.Objects) == 0 {
			return a, d.addGarbage(ctx, a, object, q.Limit)
		}
		return a, d.addSteps(ctx, a, track.Objects, q.Limit)
	})
}

// addSteps describes the way to an object.
func (d *dump) addSteps(ctx context.Context, a *report.ObjectPath, track []heap.ObjID, limit int) error {
	// Of a long way the first and the last steps are shown; each step is read with
	// the one behind it, as a reference leads there.
	head := min(len(track), (limit+1)/2)
	tail := max(head, len(track)-limit/2)
	a.Limits = report.PathLimits{StepRows: limit, StepsOmitted: int64(tail - head)}
	shown := slices.Concat(track[:head], track[tail:])
	links, err := d.links(ctx, track, head, tail)
	if err != nil {
		return err
	}
	names, err := d.names(ctx, shown)
	if err != nil {
		return err
	}
	for i, o := range shown {
		s := report.PathStep{ObjectName: names.of(o)}
		if i < len(links) {
			s.Reference = new(linkReference(links[i]))
		}
		if i == head {
			s.Skipped = a.Limits.StepsOmitted
		}
		a.Steps = append(a.Steps, s)
	}
	a.Object = names.of(track[len(track)-1])
	roots, err := d.roots(ctx, track[0])
	if err != nil {
		return err
	}
	if len(roots) > 0 {
		a.Root = &roots[0]
	}
	return nil
}

// links returns how each object of the stretches [0, head) and [tail, end) of a track
// refers to the next one of the track.
func (d *dump) links(ctx context.Context, track []heap.ObjID, head, tail int) ([]heap.Link, error) {
	if head == tail {
		return d.graph.Links(ctx, track)
	}
	first, err := d.graph.Links(ctx, track[:head+1])
	if err != nil {
		return nil, err
	}
	last, err := d.graph.Links(ctx, track[tail:])
	return slices.Concat(first, last), err
}

// notCounted counts the weak, final and phantom references to an object.
func (d *dump) notCounted(object heap.ObjID) []report.ReferrerKind {
	referents := d.graph.Tables[0]
	counts := map[heap.ClassID]int64{}
	for row, o := range referents.Objects {
		if referents.Ref(row, 0) == object {
			counts[d.graph.ClassOf(o)]++
		}
	}
	kinds := []report.ReferrerKind{}
	for c, n := range counts {
		if l := d.graph.ReferentLink(c); l.Strength > heap.Soft {
			kinds = append(kinds, report.ReferrerKind{Class: d.graph.ClassName(c), Reference: reference(l), References: n})
		}
	}
	slices.SortFunc(kinds, func(a, b report.ReferrerKind) int {
		return cmp.Or(cmp.Compare(b.References, a.References), cmp.Compare(a.Class, b.Class))
	})
	return kinds[:min(len(kinds), maxNotCounted)]
}

// addGarbage says who refers to an object that no root reaches.
func (d *dump) addGarbage(ctx context.Context, a *report.ObjectPath, object heap.ObjID, limit int) error {
	a.Limits.StepRows = limit
	names, err := d.names(ctx, []heap.ObjID{object})
	if err != nil {
		return err
	}
	a.Object = names.of(object)
	a.Referrers, err = d.referrers(ctx, object, limit)
	return err
}

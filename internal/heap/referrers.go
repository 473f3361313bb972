package heap

import (
	"cmp"
	"context"
	"slices"
	"unsafe"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// Referrers are the references to one object, those that are no edges included.
type Referrers struct {
	// Objects and References count who refers to it, and how often: an object may do
	// so with several fields or elements.
	Objects, References int64
	// Links counts the references by class and field, most first. Their Index is 0.
	Links []LinkCount
	// First are some of the references, by address of the object, then in the order of
	// its fields or elements.
	First []Referrer
}

// LinkCount is how many references are alike.
type LinkCount struct {
	Class ClassID
	Link
	References int64
}

// Referrer is an object with one of its references.
type Referrer struct {
	Object ObjID
	Class  ClassID
	Link
}

// linkGroup tells references apart: by class and place among its reference fields,
// -1 for elements.
type linkGroup struct {
	class ClassID
	field int
}

// referrerScan is one worker's part of a search for referrers.
type referrerScan struct {
	g       *Graph
	address uint64
	fields  [][]refField // by ClassID
	limit   int

	objects, references int64
	counts              map[linkGroup]int64
	first               []Referrer
}

// Referrers looks for references to an object. It reads the whole dump again, and needs
// no edges: the graph may be only Numbered. First has limit entries at most. Errors: that
// of ctx; no memory.
func (g *Graph) Referrers(ctx context.Context, target ObjID, limit int) (Referrers, error) {
	counts, all := g.refFieldCounts()
	if err := g.PlanNotes("looking for references", all*int64(unsafe.Sizeof(refField{}))); err != nil {
		return Referrers{}, err
	}
	strengths := g.strengths()
	fields := make([][]refField, len(g.Classes))
	for i := range g.Classes {
		if counts[i] > 0 {
			fields[i] = g.refFields(ClassID(i), strengths[i])
		}
	}
	workers := []*referrerScan{}
	err := g.walk(ctx, g.units, func() func(int, *hprof.Objects) {
		w := &referrerScan{g: g, address: g.Address(target), fields: fields, limit: limit, counts: map[linkGroup]int64{}}
		workers = append(workers, w)
		return func(_ int, o *hprof.Objects) { w.object(o) }
	})
	if err != nil {
		return Referrers{}, err
	}
	return g.sumUp(target, workers, limit), nil
}

// sumUp joins what the workers found, and adds the references of class objects.
func (g *Graph) sumUp(target ObjID, workers []*referrerScan, limit int) (r Referrers) {
	counts := map[LinkCount]int64{} // by the same with no References
	for _, w := range workers {
		r.Objects += w.objects
		r.References += w.references
		r.First = append(r.First, w.first...)
		for group, n := range w.counts {
			counts[LinkCount{Class: group.class, Link: w.link(group)}] += n
		}
	}
	for i := range g.Classes {
		c := &g.Classes[i]
		if c.Object == 0 {
			continue
		}
		links := g.classLinks(ClassID(i), g.Address(target))
		if len(links) > 0 {
			r.Objects++
		}
		for _, l := range links {
			r.References++
			r.First = append(r.First, Referrer{c.Object, g.classClass(), l})
			counts[LinkCount{Class: g.classClass(), Link: l}]++
		}
	}
	for key, n := range counts {
		key.References = n
		r.Links = append(r.Links, key)
	}
	slices.SortFunc(r.Links, func(a, b LinkCount) int {
		return cmp.Or(cmp.Compare(b.References, a.References), cmp.Compare(g.ClassName(a.Class), g.ClassName(b.Class)),
			cmp.Compare(a.Class, b.Class), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Declaring, b.Declaring), cmp.Compare(a.Field, b.Field))
	})
	r.First = lowest(r.First, limit)
	return r
}

// object looks at the current object of a walk.
func (w *referrerScan) object(o *hprof.Objects) {
	if o.Tag != hprof.SubInstance && o.Tag != hprof.SubObjectArray {
		return
	}
	class := w.g.loaded.get(o.ClassID)
	before := w.references
	switch {
	case o.Tag == hprof.SubObjectArray:
		w.g.elements(o, w.address, func(index int64) {
			w.found(o.ID, linkGroup{class, -1}, Link{Kind: LinkElement, Index: index})
		})
	case class != NoClass && len(w.fields[class]) > 0:
		body := o.Body(maxInstance)
		for i := range w.fields[class] {
			if f := &w.fields[class][i]; w.g.referenceAt(body, f.offset) == w.address {
				w.found(o.ID, linkGroup{class, i}, f.link)
			}
		}
	}
	if w.references > before {
		w.objects++
	}
}

// found counts a reference.
func (w *referrerScan) found(address uint64, group linkGroup, l Link) {
	w.references++
	w.counts[group]++
	w.first = append(w.first, Referrer{w.g.index.id(address), group.class, l})
	if len(w.first) >= 2*w.limit+checkEvery {
		w.first = lowest(w.first, w.limit)
	}
}

// link describes a group.
func (w *referrerScan) link(group linkGroup) Link {
	if group.field < 0 {
		return Link{Kind: LinkElement}
	}
	return w.fields[group.class][group.field].link
}

// lowest sorts references by their objects' addresses and keeps the first ones.
func lowest(all []Referrer, limit int) []Referrer {
	slices.SortStableFunc(all, func(a, b Referrer) int { return cmp.Or(cmp.Compare(a.Object, b.Object), cmp.Compare(a.Index, b.Index)) })
	return all[:min(len(all), limit)]
}

package finding

import (
	"cmp"
	"context"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

// state is what happened to a Finalizer, by its own fields.
type state uint8

const (
	registered state = iota
	pending
	enqueued
	inProcessing
	done
)

// finalizerStates tells the states of Finalizers apart.
//
// Source: java.lang.ref.{Finalizer,Reference,ReferenceQueue} of JDK 6 to 25. The
// queue of a reference is its own queue until it is enqueued (then the sentinel
// ENQUEUED) and taken off (then the sentinel NULL, called NULL_QUEUE by JDK 25).
// Reference.next is null while active and refers to the reference itself, or to
// the next one in JDK 6's pending list, from its discovery on.
type finalizerStates struct {
	table           *heap.Table
	own, enqueuedAt heap.ObjID
}

func newFinalizerStates(g *heap.Graph) finalizerStates {
	object := func(class, field string) heap.ObjID {
		v, _ := g.Static(class, field)
		return g.Object(v)
	}
	return finalizerStates{
		table:      g.Tables[tableFinalizer],
		own:        object(finalizerClass, "queue"),
		enqueuedAt: object(queueClass, "ENQUEUED"),
	}
}

// of returns the state of the Finalizer in a row of the table, and its referent.
func (s finalizerStates) of(row int) (state, heap.ObjID) {
	queue, next := s.table.Ref(row, finalizerQueue), s.table.Ref(row, finalizerNext)
	referent := s.table.Ref(row, finalizerReferent)
	switch {
	case s.table.IsNull(row, finalizerReferent):
		return done, 0
	case queue == s.enqueuedAt && queue != 0:
		return enqueued, referent
	case queue == s.own && next == 0:
		return registered, referent
	case queue == s.own:
		return pending, referent
	}
	return inProcessing, referent
}

// maxClasses bounds the classes of a census.
const maxClasses = 50

// Finalizers without a referent, and those whose referent a damaged dump does not
// have, count under these.
const (
	noReferent      = "(none)"
	missingReferent = "(not in the dump)"
)

// census is what there is of Finalizers.
type census struct {
	Finalizers
	classes []*referents
	omitted int64
}

// Census classifies all Finalizers of the heap. omitted is how many classes the
// bound cut off; those still count in the totals.
func (h *Heap) Census() (f *Finalizers, omitted int64) { return &h.census.Finalizers, h.census.omitted }

// takeCensus counts the Finalizers, and says who holds their referents. Errors: that of ctx; no
// memory.
func (h *Heap) takeCensus(ctx context.Context) (census, error) {
	all := census{Finalizers: Finalizers{Classes: []FinalizerClass{}}}
	f := &all.Finalizers
	if enabled, ok := h.Static(finalizerClass, "ENABLED"); ok {
		f.Disabled = enabled == 0
	}
	if row := h.Tables[tableQueue].Row(h.registry.states.own); row >= 0 && h.Tables[tableQueue].Found[queueLength] {
		n := h.Tables[tableQueue].Long(row, queueLength)
		f.QueueLength = &n
	}
	classes := map[string]*referents{}
	add := func(name string, counted *fates) *referents {
		c := classes[name]
		if c == nil {
			c = &referents{FinalizerClass: FinalizerClass{Class: name}}
			classes[name] = c
		}
		n := counted.of(anyFate)
		f.Total += n
		c.Total += n
		counted.addTo(&f.States)
		counted.addTo(&c.States)
		return c
	}
	for id := range h.registry.classes {
		if counted := &h.registry.classes[id]; counted.of(anyFate) > 0 {
			add(h.Classes[id].Name, &counted.fates).ShallowBytes += counted.shallowBytes
		}
	}
	h.addAbsent(f, add)
	sorted := make([]*referents, 0, len(classes))
	for _, c := range classes {
		sorted = append(sorted, c)
	}
	slices.SortFunc(sorted, func(a, b *referents) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.Class, b.Class))
	})
	if n := len(sorted) - maxClasses; n > 0 {
		sorted, all.omitted = sorted[:maxClasses], int64(n)
	}
	if err := h.addPaths(ctx, sorted); err != nil {
		return census{}, err
	}
	all.classes = sorted
	for _, c := range sorted {
		f.Classes = append(f.Classes, c.FinalizerClass)
	}
	f.Notes = h.notes(f)
	return all, nil
}

// addAbsent adds the Finalizers without a referent in the dump.
func (h *Heap) addAbsent(f *Finalizers, add func(class string, counted *fates) *referents) {
	ran, missing := fates{done: h.registry.absent[done]}, h.registry.absent
	missing[done] = [2]int64{}
	f.RegisteredUnknown = missing[registered][0] // held or dead
	missing[registered] = [2]int64{}
	if ran.of(anyFate) > 0 {
		add(noReferent, &ran)
	}
	if f.RegisteredUnknown > 0 || missing.of(anyFate) > 0 {
		c := add(missingReferent, &missing)
		c.Total += f.RegisteredUnknown
		f.Total += f.RegisteredUnknown
	}
}

// referents are the referents of one class.
type referents struct {
	FinalizerClass
	held  int64   // how many objects are held, each counted once
	holds *merger // of the ways to them
}

// add counts n Finalizers in state s whose referents are reachable or not.
func (c *States) add(s state, reachable bool, n int64) {
	switch s {
	case registered:
		if reachable {
			c.RegisteredHeld += n
		} else {
			c.RegisteredDead += n
		}
	case pending:
		c.Pending += n
	case enqueued:
		c.Enqueued += n
	case inProcessing:
		c.InProcessing += n
	case done:
		c.Done += n
	}
}

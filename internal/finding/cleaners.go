package finding

import (
	"cmp"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

// The classes of cleaners. Since JDK 9 a java.lang.ref.Cleaner has a CleanerImpl with a
// thread and a queue; the older kind, which the JDK itself used for direct buffers
// until JDK 25, is run by the Reference Handler.
const (
	cleanerImplClass  = "jdk.internal.ref.CleanerImpl"
	cleanableRefClass = cleanerImplClass + "$PhantomCleanableRef"
	cleanableClass    = "jdk.internal.ref.PhantomCleanable"
	phantomClass      = "java.lang.ref.PhantomReference"
)

// oldCleaners are the names of the older kind: up to JDK 8, and since.
func oldCleaners() []string { return []string{"sun.misc.Cleaner", "jdk.internal.ref.Cleaner"} }

// The columns of tablePhantom; those of the older cleaners are there for each name.
const (
	phantomQueue = iota
	phantomNext
	phantomReferent
	phantomDiscovered
	phantomAction
	cleanableNext // up to JDK 23
	cleanableNode // from JDK 24 on
	phantomOld    // thunk and next for each of oldCleaners
)

// phantomWatch asks for the fields of all phantom references.
func phantomWatch() heap.Watch {
	w := heap.Watch{Class: phantomClass, Fields: []heap.FieldName{
		phantomQueue:      {Class: referenceClass, Field: "queue"},
		phantomNext:       {Class: referenceClass, Field: "next"},
		phantomReferent:   {Class: referenceClass, Field: "referent"},
		phantomDiscovered: {Class: referenceClass, Field: "discovered"},
		phantomAction:     {Class: cleanableRefClass, Field: "action"},
		cleanableNext:     {Class: cleanableClass, Field: "next"},
		cleanableNode:     {Class: cleanableClass, Field: "node"},
	}}
	for _, class := range oldCleaners() {
		w.Fields = append(w.Fields, heap.FieldName{Class: class, Field: "thunk"}, heap.FieldName{Class: class, Field: "next"})
	}
	return w
}

// phantoms tells the states of phantom references apart, those of cleaners among
// them.
//
// Source: java.lang.ref.{Reference,PhantomReference,Cleaner}, jdk.internal.ref.* of
// JDK 9 to 25, sun.misc.Cleaner of JDK 6 to 8.
type phantoms struct {
	h                    *Heap
	table                *heap.Table
	enqueuedAt, takenOff heap.ObjID          // the sentinels
	running              map[heap.ObjID]bool // those whose action a thread is at
}

func (h *Heap) phantoms() phantoms {
	p := phantoms{h: h, table: h.Tables[tablePhantom], running: map[heap.ObjID]bool{}}
	sentinel := func(name string) heap.ObjID {
		v, _ := h.Static(queueClass, name)
		return h.Object(v)
	}
	p.enqueuedAt = sentinel("ENQUEUED")
	p.takenOff = cmp.Or(sentinel("NULL"), sentinel("NULL_QUEUE"))
	for i := range h.errands {
		e := &h.errands[i]
		if e.service != cleaning && e.service != handling {
			continue
		}
		for frame := e.entry; frame <= e.base; frame++ {
			if o := e.local(frame, func(o heap.ObjID) bool { return p.table.Row(o) >= 0 }); o != 0 {
				p.running[o] = true
			}
		}
	}
	return p
}

// of returns the state of the reference in a row.
//
// From JDK 12 on only Finalizers tell by their next that they are pending; of the
// others the collector clears the referent and links them by discovered.
func (p phantoms) of(row int) state {
	self, queue := p.table.Objects[row], p.table.Ref(row, phantomQueue)
	cleared := p.table.IsNull(row, phantomReferent)
	listed, known := p.listed(row)
	switch {
	case p.running[self]:
		return inProcessing
	case known && !listed:
		return done
	case queue == p.enqueuedAt && queue != 0:
		return enqueued
	case queue == p.takenOff && cleared:
		return done
	case !p.table.IsNull(row, phantomNext), !p.table.IsNull(row, phantomDiscovered), cleared && listed:
		return pending
	case cleared:
		return done // by hand
	}
	return registered
}

// listed says whether a cleaner is in the list of those to run yet; known is false for
// references that are no cleaners.
func (p phantoms) listed(row int) (listed, known bool) {
	if !p.table.IsNull(row, cleanableNode) {
		return true, true
	}
	for _, column := range []int{cleanableNext, phantomOld + 1, phantomOld + 3} {
		if next := p.table.Ref(row, column); next != 0 {
			// The older kind ends its list with a null: then it is not its own neighbour.
			return next != p.table.Objects[row], true
		}
	}
	class := p.table.Objects[row]
	old := slices.Contains(oldCleaners(), p.h.Class(class).Name)
	return old, old || p.table.Found[cleanableNode] && p.h.IsSubclass(p.h.ClassOf(class), cleanableClass)
}

// action returns the object that a cleaner runs, 0 for other references.
func (p phantoms) action(row int) heap.ObjID {
	a := p.table.Ref(row, phantomAction)
	for i := range oldCleaners() {
		a = cmp.Or(a, p.table.Ref(row, phantomOld+2*i))
	}
	return a
}

// class names what a reference stands for: the class of its action, or its own.
func (p phantoms) class(row int) string {
	return stableClass(p.h.Class(cmp.Or(p.action(row), p.table.Objects[row])).Name)
}

// Cleaners is the census of all phantom references, cleaners among them.
type Cleaners struct {
	Total  int64  `json:"total"`
	States States `json:"states"`
	// Classes are the classes of the cleaning actions, or of the references where they
	// have none, biggest total first.
	Classes []CleanerClass `json:"classes"`
}

// CleanerClass is the part of the census that concerns one class.
type CleanerClass struct {
	Class  string `json:"class"`
	Total  int64  `json:"total"`
	States States `json:"states"`
	// SelfReferencing is how many actions refer to the very object whose end they wait
	// for.
	SelfReferencing int64 `json:"self_referencing"`
}

// Cleaners classifies all phantom references of the heap. omitted is how many classes
// the bound cut off; those still count in the totals.
func (h *Heap) Cleaners() (c *Cleaners, omitted int64) {
	c = &Cleaners{Classes: []CleanerClass{}}
	p := h.phantoms()
	classes := map[string]*CleanerClass{}
	for row := range p.table.Len() {
		name := p.class(row)
		k := classes[name]
		if k == nil {
			k = &CleanerClass{Class: name}
			classes[name] = k
		}
		s, held := p.of(row), h.reachable(p.table.Ref(row, phantomReferent))
		c.Total++
		k.Total++
		c.States.add(s, held, 1)
		k.States.add(s, held, 1)
		if s == registered && held && p.captures(row) {
			k.SelfReferencing++
		}
	}
	for _, k := range classes {
		c.Classes = append(c.Classes, *k)
	}
	slices.SortFunc(c.Classes, func(a, b CleanerClass) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.Class, b.Class))
	})
	if n := len(c.Classes) - maxClasses; n > 0 {
		c.Classes, omitted = c.Classes[:maxClasses], int64(n)
	}
	return c, omitted
}

// captureDepth bounds the objects that are looked at behind one action.
const captureDepth = 64

// captures says whether the action of a row refers to the row's referent, directly or
// by a few objects. What a class holds in its static fields is no doing of the action.
func (p phantoms) captures(row int) bool {
	return p.h.refersClosely(p.action(row), p.table.Ref(row, phantomReferent))
}

// refersClosely says whether an object refers to another one, directly or by a few objects
// that are no classes.
func (h *Heap) refersClosely(from, to heap.ObjID) bool {
	if from == 0 || to == 0 {
		return false
	}
	seen := []heap.ObjID{from}
	for i := 0; i < len(seen); i++ {
		for target := range h.References(seen[i]) {
			switch {
			case target == to:
				return true
			case len(seen) == captureDepth:
				return false
			case h.ClassAt(h.Address(target)) == heap.NoClass && !slices.Contains(seen, target):
				seen = append(seen, target)
			}
		}
	}
	return false
}

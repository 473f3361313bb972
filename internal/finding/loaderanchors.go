package finding

import (
	"context"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

const (
	// fewLoaders is how many loaders of the same code are worth a look at what holds them.
	fewLoaders = 3
	// maxAnchorFamilies bounds the families of loaders that are weighed for it.
	maxAnchorFamilies = 20
	// maxAnchorRounds bounds the ways that are followed to one loader.
	maxAnchorRounds = 8
	// hooksClass has the shutdown hooks: threads that do not run yet.
	hooksClass = "java.lang.ApplicationShutdownHooks"
)

// lookForForgotten looks for the loaders of a family that their host has forgotten, where none says
// that it is stopped and all of them retain enough for a walk through the heap. Errors: that of
// ctx; no memory.
func (h *Heap) lookForForgotten(ctx context.Context, f *family, p pressure) error {
	if len(f.stopped) > 0 || len(f.all) < fewLoaders {
		return nil
	}
	var code []heap.ObjID
	for _, l := range f.all {
		code = append(append(code, l.object), l.mirrors...)
	}
	bytes, err := h.retainedTogether(slices.Values(code))
	if err != nil || bytes < suspectBytes || bytes*100 < p.liveBytes*worthShare {
		return err
	}
	f.forgotten, err = h.forgotten(ctx, f)
	return err
}

// forgotten returns the loaders of a family that nothing of their host holds: only what code that
// they loaded has left behind does. A host that still wants them holds them itself. Errors: that
// of ctx; no memory.
func (h *Heap) forgotten(ctx context.Context, f *family) ([]*loader, error) {
	a := anchors{h: h, family: map[uint64]bool{}, barred: map[heap.ObjID]bool{}}
	left := make([]heap.ObjID, 0, len(f.all))
	for _, l := range f.all {
		left = append(left, l.object)
		a.family[h.Address(l.object)] = true
	}
	wanted := map[heap.ObjID]bool{} // by their host
	for range maxAnchorRounds {
		barred := make([]heap.ObjID, 0, len(a.barred))
		for o := range a.barred {
			barred = append(barred, o)
		}
		tracks, err := h.TracksAround(ctx, barred, left)
		if err != nil {
			return nil, err
		}
		held := left[:0:0]
		for _, l := range left {
			way := slices.Collect(tracks.Back(l))
			slices.Reverse(way)
			switch anchor := a.on(way); {
			case len(way) == 0:
			case anchor == 0:
				wanted[l] = true
			default:
				a.barred[anchor] = true
				held = append(held, l)
			}
		}
		tracks.Free()
		if left = held; len(left) == 0 {
			break
		}
	}
	return slices.DeleteFunc(slices.Clone(f.all), func(l *loader) bool {
		return wanted[l.object] || slices.Contains(left, l.object)
	}), nil
}

// anchors are the objects by which code keeps its own loader: its threads and timers, the values
// that it left in ThreadLocals, its JDBC drivers, shutdown hooks and MBeans.
type anchors struct {
	h      *Heap
	family map[uint64]bool     // addresses of the loaders
	barred map[heap.ObjID]bool // those met so far
}

// on returns the anchor on a way from a GC root to a loader, 0 if there is none: then somebody
// else holds the loader.
//
// Sources: java.sql.DriverManager, java.lang.ApplicationShutdownHooks,
// com.sun.jmx.mbeanserver.Repository; the fields of java.lang.Thread.
func (a *anchors) on(way []heap.ObjID) heap.ObjID {
	if len(way) == 0 {
		return 0
	}
	if t := a.threadOfLocal(way[0]); t != 0 {
		if a.barred[t] {
			return way[0]
		}
		return 0
	}
	var thread heap.ObjID
	for _, o := range way {
		name := a.h.Class(o).Name
		switch name {
		case threadLocalEntry, "java.sql.DriverInfo", "com.sun.jmx.mbeanserver.NamedObject":
			return o
		}
		switch {
		case a.h.NameOf(o) == hooksClass:
			return o
		case a.h.IsSubclass(a.h.ClassOf(o), "java.lang.Thread"):
			thread = o
		}
		if a.own(o) {
			return thread
		}
		if !platform(name) {
			thread = 0 // somebody else's
		}
	}
	return 0
}

// own says whether an object is one of the loaders, or of a class that they loaded, or such a
// class itself.
func (a *anchors) own(o heap.ObjID) bool {
	if a.family[a.h.Address(o)] || a.family[a.h.Classes[a.h.ClassOf(o)].Loader] {
		return true
	}
	c := a.h.ClassAt(a.h.Address(o))
	return c != heap.NoClass && a.family[a.h.Classes[c].Loader]
}

// threadOfLocal returns the thread whose stack alone holds a root, 0 where something else does.
func (a *anchors) threadOfLocal(o heap.ObjID) heap.ObjID {
	serial := uint32(0)
	for r := range a.h.Roots.All() {
		switch {
		case r.Object != o:
		case !r.Local():
			return 0
		default:
			serial = r.Thread
		}
	}
	for _, t := range a.h.Threads {
		if t.Serial == serial {
			return t.Object
		}
	}
	return 0
}

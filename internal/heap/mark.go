package heap

import (
	"context"
	"iter"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// Set is a set of objects, one bit each.
type Set struct{ bits []uint64 }

// NewSet returns an empty set for the objects of g.
func (g *Graph) NewSet() *Set { return &Set{make([]uint64, g.Objects()/64+1)} }

// Has says whether o is in the set.
func (s *Set) Has(o ObjID) bool { return s.bits[o/64]&(1<<(o%64)) != 0 }

// Add puts o into the set and says whether it was new.
func (s *Set) Add(o ObjID) bool {
	bit := uint64(1) << (o % 64)
	if s.bits[o/64]&bit != 0 {
		return false
	}
	s.bits[o/64] |= bit
	return true
}

// List is memory for many objects, to be freed.
type List = offheap.Array[ObjID]

// NewList returns a list with room for n objects. Errors: no memory.
func (g *Graph) NewList(n int64) (List, error) {
	return offheap.MakeBrief[ObjID](g.memory, int(n))
}

// RootObjects returns the objects that are GC roots, each once, in the order of
// the roots.
func (g *Graph) RootObjects() []ObjID {
	seen := g.NewSet()
	var roots []ObjID
	for _, r := range g.Roots {
		if seen.Add(r.Object) {
			roots = append(roots, r.Object)
		}
	}
	return roots
}

// ReachableWithout returns what the GC roots reach without passing an object of
// barred. It costs a walk over all that is reachable. Errors: that of ctx.
func (g *Graph) ReachableWithout(ctx context.Context, barred *Set) (*Set, error) {
	seen := g.NewSet()
	var stack []ObjID
	for _, r := range g.RootObjects() {
		if !barred.Has(r) && seen.Add(r) {
			stack = append(stack, r)
		}
	}
	for n := 1; len(stack) > 0; n++ {
		if n%checkEvery == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		o := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for target := range g.References(o) {
			if !barred.Has(target) && seen.Add(target) {
				stack = append(stack, target)
			}
		}
	}
	return seen, nil
}

// Tracks holds a shortest way from a GC root to each of some objects.
type Tracks struct {
	g    *Graph
	from offheap.Array[ObjID] // by ObjID: the object before it, itself for a root, 0 if not met
}

// Free gives the memory back.
func (t *Tracks) Free() { t.from.Free() }

// ShortestTracks walks the graph breadth first until it has met all targets, from
// lasting roots first: a local of a stack frame is shown as the holder only of what
// nothing else holds. Memory: 4 bytes an object, and 8 for each object of the
// widest layer while it runs. Errors: that of ctx; no memory.
func (g *Graph) ShortestTracks(ctx context.Context, targets ...[]ObjID) (*Tracks, error) {
	return g.TracksAround(ctx, nil, targets...)
}

// TracksAround is ShortestTracks without the ways through the objects of barred.
func (g *Graph) TracksAround(ctx context.Context, barred []ObjID, targets ...[]ObjID) (*Tracks, error) {
	t, err := g.NewTracks()
	if err != nil {
		return nil, err
	}
	if err := t.Find(ctx, barred, targets...); err != nil {
		t.Free()
		return nil, err
	}
	return t, nil
}

// NewTracks returns room for tracks, which Find fills. As with every plan for memory, nothing
// else may be at work meanwhile. Errors: no memory.
func (g *Graph) NewTracks() (*Tracks, error) {
	if err := g.planTracks(); err != nil {
		return nil, err
	}
	from, err := offheap.MakeBrief[ObjID](g.memory, g.Objects()+1)
	return &Tracks{g, from}, err
}

// Find finds the ways, once, see TracksAround. Errors: that of ctx; no memory.
func (t *Tracks) Find(ctx context.Context, barred []ObjID, targets ...[]ObjID) error {
	met, wanted, left := t.g.NewSet(), t.g.NewSet(), 0
	for _, o := range barred {
		t.from.Items[o] = o
		met.Add(o)
	}
	for _, some := range targets {
		for _, o := range some {
			if wanted.Add(o) {
				left++
			}
		}
	}
	w := wave{g: t.g, t: t, met: met, wanted: wanted, left: left}
	defer w.layer.Free()
	defer w.next.Free()
	for _, local := range []bool{false, true} {
		if err := w.spread(ctx, local); err != nil {
			return err
		}
	}
	return nil
}

// wave is a walk in breadth: next are the objects at its front.
type wave struct {
	g           *Graph
	t           *Tracks
	met, wanted *Set
	left        int // how many of wanted are not met
	layer, next offheap.List[ObjID]
}

// meet notes an object and the one before it. Errors: no memory.
func (w *wave) meet(o, before ObjID) error {
	w.t.from.Items[o] = before
	if w.wanted.Has(o) {
		w.left--
	}
	return w.next.Append(w.g.memory, o)
}

// spread walks from the roots that are locals of stack frames, or from the others,
// until all wanted objects are met.
func (w *wave) spread(ctx context.Context, local bool) error {
	edges := w.g.edges
	w.next.Clear()
	for _, r := range w.g.Roots {
		if r.Local() == local && w.met.Add(r.Object) {
			if err := w.meet(r.Object, r.Object); err != nil {
				return err
			}
		}
	}
	for w.next.Len() > 0 && w.left > 0 {
		w.layer, w.next = w.next, w.layer
		w.next.Clear()
		for i := range w.layer.Len() {
			if i%checkEvery == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			o := w.layer.At(i)
			run := edges.From(uint32(o))
			for v, ok := edges.Next(&run); ok; v, ok = edges.Next(&run) {
				if w.met.Add(ObjID(v)) {
					if err := w.meet(ObjID(v), o); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// Local says whether the root is a local of a stack frame.
func (r Root) Local() bool {
	return r.Kind == hprof.SubRootJavaFrame || r.Kind == hprof.SubRootJNILocal || r.Kind == hprof.SubRootNativeStack
}

// Before returns the object before o on its way, o itself if that is a root, 0 if it was not
// met.
func (t *Tracks) Before(o ObjID) ObjID { return t.from.Items[o] }

// Back yields o, the object before it, and so on to a root; nothing for an
// object that was not met.
func (t *Tracks) Back(o ObjID) iter.Seq[ObjID] {
	return func(yield func(ObjID) bool) {
		for from := t.from.Items; o != 0 && from[o] != 0; o = from[o] {
			if !yield(o) || from[o] == o {
				return
			}
		}
	}
}

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
	from offheap.Array[ObjID] // by ObjID: the object before it, itself for a root, 0 if not met
}

// Free gives the memory back.
func (t *Tracks) Free() { t.from.Free() }

// ShortestTracks walks the graph breadth first until it has met all targets, from
// lasting roots first: a local of a stack frame is shown as the holder only of what
// nothing else holds. Memory: 4 bytes an object, and 8 for each object of the
// widest layer while it runs. Errors: that of ctx; no memory.
func (g *Graph) ShortestTracks(ctx context.Context, targets []ObjID) (*Tracks, error) {
	from, err := offheap.Make[ObjID](g.memory, g.Objects()+1)
	if err != nil {
		return nil, err
	}
	t := &Tracks{from}
	wanted, left := g.NewSet(), 0
	for _, o := range targets {
		if wanted.Add(o) {
			left++
		}
	}
	var layer, next []ObjID
	for _, local := range []bool{false, true} {
		layer = layer[:0]
		meet := func(o, before ObjID) {
			t.from.Items[o] = before
			layer = append(layer, o)
			if wanted.Has(o) {
				left--
			}
		}
		for _, r := range g.Roots {
			if r.Local() == local && t.from.Items[r.Object] == 0 {
				meet(r.Object, r.Object)
			}
		}
		for len(layer) > 0 && left > 0 {
			layer, next = next[:0], layer
			for i, o := range next {
				if i%checkEvery == 0 && ctx.Err() != nil {
					t.Free()
					return nil, ctx.Err()
				}
				run := g.edges.From(uint32(o))
				for v, ok := g.edges.Next(&run); ok; v, ok = g.edges.Next(&run) {
					if t.from.Items[v] == 0 {
						meet(ObjID(v), o)
					}
				}
			}
		}
	}
	return t, nil
}

// Local says whether the root is a local of a stack frame.
func (r Root) Local() bool {
	return r.Kind == hprof.SubRootJavaFrame || r.Kind == hprof.SubRootJNILocal || r.Kind == hprof.SubRootNativeStack
}

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

package heap

import (
	"context"
	"iter"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
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

// Tracks holds a shortest way from a GC root to every reachable object.
type Tracks struct {
	from []ObjID // by ObjID: the object before it, itself for a root, 0 if unreachable
}

// ShortestTracks walks the graph breadth first, from lasting roots first: a local of
// a stack frame is shown as the holder only of what nothing else holds. Memory: 8
// bytes an object while it runs, 4 after it. Errors: that of ctx.
func (g *Graph) ShortestTracks(ctx context.Context) (*Tracks, error) {
	t := &Tracks{from: make([]ObjID, g.Objects()+1)}
	var queue []ObjID
	for _, local := range []bool{false, true} {
		queue = queue[:0]
		for _, r := range g.Roots {
			if r.local() == local && t.from[r.Object] == 0 {
				t.from[r.Object] = r.Object
				queue = append(queue, r.Object)
			}
		}
		for i := 0; i < len(queue); i++ {
			if i%checkEvery == 0 && ctx.Err() != nil {
				return nil, ctx.Err()
			}
			for target := range g.References(queue[i]) {
				if t.from[target] == 0 {
					t.from[target] = queue[i]
					queue = append(queue, target)
				}
			}
		}
	}
	return t, nil
}

// local says whether the root is a local of a stack frame.
func (r Root) local() bool {
	return r.Kind == hprof.SubRootJavaFrame || r.Kind == hprof.SubRootJNILocal || r.Kind == hprof.SubRootNativeStack
}

// Back yields o, the object before it, and so on to a root; nothing for an
// unreachable object.
func (t *Tracks) Back(o ObjID) iter.Seq[ObjID] {
	return func(yield func(ObjID) bool) {
		for o != 0 && t.from[o] != 0 {
			if !yield(o) || t.from[o] == o {
				return
			}
			o = t.from[o]
		}
	}
}

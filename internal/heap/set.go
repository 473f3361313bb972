package heap

import (
	"context"
	"math/bits"
	"slices"
	"sync/atomic"
)

// Set is a set of objects, one bit each.
type Set struct{ bits []uint64 }

// NewSet returns an empty set for the objects of g.
func (g *Graph) NewSet() *Set { return &Set{make([]uint64, g.Objects()/64+1)} }

// SetOf returns the set of some objects of g.
func (g *Graph) SetOf(objects ...[]ObjID) *Set {
	s := g.NewSet()
	for _, some := range objects {
		for _, o := range some {
			s.Add(o)
		}
	}
	return s
}

// sorted returns the objects in the order of their addresses, each once: by a set where they are so
// many that looking through it takes less time than sorting them.
func (g *Graph) sorted(objects []ObjID) []ObjID {
	if len(objects) > g.Objects()/64 {
		return slices.AppendSeq(make([]ObjID, 0, len(objects)), g.SetOf(objects).All)
	}
	return slices.Compact(slices.Sorted(slices.Values(objects)))
}

// Len returns how many objects are in the set.
func (s *Set) Len() (n int) {
	for _, word := range s.bits {
		n += bits.OnesCount64(word)
	}
	return n
}

// without returns how many objects are in s and not in other.
func (s *Set) without(other *Set) (n int) {
	for i, word := range s.bits {
		n += bits.OnesCount64(word &^ other.bits[i])
	}
	return n
}

// All yields the objects in the order of their addresses.
func (s *Set) All(yield func(ObjID) bool) {
	for i, word := range s.bits {
		for ; word != 0; word &= word - 1 {
			if !yield(ObjID(64*i + bits.TrailingZeros64(word))) {
				return
			}
		}
	}
}

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

// AddAmong is Add where others add to the set at the same time, and nobody asks it.
func (s *Set) AddAmong(o ObjID) { atomic.OrUint64(&s.bits[o/64], 1<<(o%64)) }

// RootObjects returns the objects that are GC roots, each once, in the order of
// the roots.
func (g *Graph) RootObjects() []ObjID {
	seen := g.NewSet()
	var roots []ObjID
	for r := range g.Roots.All() {
		if seen.Add(r.Object) {
			roots = append(roots, r.Object)
		}
	}
	return roots
}

// ReachableWithout returns what the GC roots reach without passing an object of
// barred. It costs a walk over all that is reachable. Errors: that of ctx.
func (g *Graph) ReachableWithout(ctx context.Context, barred *Set) (*Set, error) {
	return g.reachableFrom(ctx, g.RootObjects(), barred)
}

// ReachableByOthers returns what the GC roots reach but for those of mine, which may well be among it,
// without passing an object of barred. It costs a walk over all that is reachable. Errors: that of ctx.
func (g *Graph) ReachableByOthers(ctx context.Context, mine func(Root) bool, barred *Set) (*Set, error) {
	var roots []ObjID
	for r := range g.Roots.All() {
		if !mine(r) {
			roots = append(roots, r.Object)
		}
	}
	return g.reachableFrom(ctx, roots, barred)
}

// reachableFrom returns what the objects reach without passing one of barred. Errors: that of ctx.
func (g *Graph) reachableFrom(ctx context.Context, objects []ObjID, barred *Set) (*Set, error) {
	seen := g.NewSet()
	var stack []ObjID
	for _, r := range objects {
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

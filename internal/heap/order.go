package heap

import (
	"iter"
	"slices"
	"sort"
)

// Stretch is a run of objects whose ObjIDs, First to Last, are in the order of their
// addresses.
type Stretch struct{ First, Last ObjID }

// ByAddress yields all objects in the order of their addresses, at most limit at once.
func (g *Graph) ByAddress(limit int) iter.Seq[Stretch] {
	return func(yield func(Stretch) bool) {
		made := make([]ObjID, len(g.invented))
		for i := range made {
			made[i] = ObjID(g.index.count) + 1 + ObjID(i)
		}
		slices.SortFunc(made, func(a, b ObjID) int {
			if g.Address(a) < g.Address(b) {
				return -1
			}
			return 1
		})
		next := ObjID(1)
		before := func(end ObjID) bool {
			for next < end {
				last := min(end-1, next+ObjID(limit)-1)
				if !yield(Stretch{next, last}) {
					return false
				}
				next = last + 1
			}
			return true
		}
		for _, o := range made {
			// The first object of the dump behind it.
			behind := sort.Search(int(g.index.count), func(i int) bool { return g.index.address(ObjID(i+1)) > g.Address(o) })
			if !before(ObjID(behind+1)) || !yield(Stretch{o, o}) {
				return
			}
		}
		before(ObjID(g.index.count) + 1)
	}
}

package heap

import (
	"fmt"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// checkHierarchies cuts circles of superclasses, which only damaged dumps have, and notes those
// and the first class with more superclasses than are looked at as damage.
func (b *builder) checkHierarchies(dumps map[uint64]*classDump) {
	depths := make([]int32, len(b.Classes)) // how many superclasses, with itself; 0 is unknown, -1 on the way
	tooDeep := false
	var way []ClassID
	for i := range b.Classes {
		way = way[:0]
		c := ClassID(i)
		for ; c != NoClass && depths[c] == 0; c = b.Classes[c].Super {
			depths[c] = -1
			way = append(way, c)
		}
		depth := int32(0)
		switch {
		case c == NoClass:
		case depths[c] > 0:
			depth = depths[c]
		default:
			last := &b.Classes[way[len(way)-1]]
			b.damagedClass(dumps[last.Address], fmt.Errorf("class %s is a superclass of its own", last.Name))
			last.Super, last.superAddress = NoClass, 0
		}
		for len(way) > 0 {
			depth++
			c, way = way[len(way)-1], way[:len(way)-1]
			depths[c] = depth
			if depth > maxHierarchy && !tooDeep {
				tooDeep = true
				b.damagedClass(dumps[b.Classes[c].Address], fmt.Errorf("class %s has more than %d superclasses: fields of the others are left out", b.Classes[c].Name, maxHierarchy-1))
			}
		}
	}
}

// damagedClass notes what is wrong with a class dump.
func (b *builder) damagedClass(d *classDump, fault error) {
	b.Damage = append(b.Damage, &hprof.Error{Offset: d.offset, What: "class dump", Err: fault})
}

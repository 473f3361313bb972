package heap

import (
	"fmt"
	"iter"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// hierarchy yields the class and its superclasses.
func (g *Graph) hierarchy(c ClassID) iter.Seq[*Class] {
	return func(yield func(*Class) bool) {
		for range maxHierarchy {
			if c == NoClass || !yield(&g.Classes[c]) {
				return
			}
			c = g.Classes[c].Super
		}
	}
}

// DeclaredField is a field of an instance with the class that declares it.
type DeclaredField struct {
	Class *Class
	Field Field
	// BodyOffset is where its value lies in an instance's body.
	BodyOffset uint32
}

// fields yields the fields of an instance of c in the order of its body, as far as the dump
// tells where they are.
func (g *Graph) fields(c ClassID) iter.Seq[DeclaredField] {
	return func(yield func(DeclaredField) bool) {
		var base uint32
		for k := range g.hierarchy(c) {
			for _, f := range k.Fields {
				if !yield(DeclaredField{k, f, base + f.Offset}) {
					return
				}
			}
			if k.cut {
				return
			}
			base += uint32(k.ownBytes(g.file.Header.IDSize))
		}
	}
}

// checkHierarchies cuts circles of superclasses, which only damaged dumps have, and notes those
// and the first class with more superclasses than are looked at as damage.
func (b *builder) checkHierarchies(sources []classSource) {
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
			b.damagedClass(sources[way[len(way)-1]].dump, fmt.Errorf("class %s is a superclass of its own", last.Name))
			last.Super, last.superAddress = NoClass, 0
		}
		for len(way) > 0 {
			depth++
			c, way = way[len(way)-1], way[:len(way)-1]
			depths[c] = depth
			if depth > maxHierarchy && !tooDeep {
				tooDeep = true
				b.damagedClass(sources[c].dump, fmt.Errorf("class %s has more than %d superclasses: fields of the others are left out", b.Classes[c].Name, maxHierarchy-1))
			}
		}
	}
}

// damagedClass notes what is wrong with a class dump.
func (b *builder) damagedClass(d *classDump, fault error) {
	b.Damage = append(b.Damage, &hprof.Error{Offset: d.offset, What: "class dump", Err: fault})
}

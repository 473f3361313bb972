package heap

import (
	"context"
	"fmt"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// Edges says by whose rules a dump becomes a graph: which references hold an
// object, what the GC roots are, how big an object is.
type Edges int

const (
	// EdgesStrong are the JVM's rules: the referents of Final-, Weak- and
	// PhantomReferences are no edges, sizes are those that the JVM's layout gives.
	EdgesStrong Edges = iota
	// EdgesMAT are Eclipse Memory Analyzer's, to compare numbers with it.
	EdgesMAT
)

// rules are what the two kinds of graphs differ in. They are asked once for a dump
// or a class, never for an object.
type rules interface {
	// layout says how objects are laid out.
	layout(ctx context.Context) (Layout, error)
	// nameless names a class that the dump does not name, and may not describe either.
	nameless(address uint64, described bool) string
	// invent adds the objects that the graph has and the dump has not. The classes
	// are known by then, not their instances and sizes.
	invent(t *tally)
	// root makes one of b.Roots, if it is any, of what the dump lists. It is asked in file order.
	root(r root)
	// moreRoots adds the GC roots that the dump does not list.
	moreRoots(ctx context.Context) error
	// holds says whether a reference field of instances of c is an edge.
	holds(c ClassID, f DeclaredField) bool
	// arraysHoldClass says whether a primitive array keeps its class alive.
	arraysHoldClass() bool
	// mirrorBytes returns the shallow size of the class object of c.
	mirrorBytes(c *Class) int64
	// mirrorRefs returns the addresses that the class object of c refers to.
	mirrorRefs(c *Class) []uint64
}

// newRules returns the rules that the options ask for.
func newRules(b *builder) rules {
	if b.options.Edges == EdgesMAT {
		return &matRules{builder: b}
	}
	return strongRules{b}
}

// namelessClass names a class of which only the address is known.
func namelessClass(address uint64) string { return fmt.Sprintf("(unknown class %#x)", address) }

// ids replaces addresses other than 0 by the objects there, invented ones included, 0 if
// there is none.
func (b *builder) ids(addresses []uint64) {
	if len(b.invented) < 2 { // the boot loader at most, to which no address leads
		b.index.ids(addresses)
		return
	}
	for i, address := range addresses {
		addresses[i] = uint64(b.at(address))
	}
}

// makeUp adds an object at an address where the dump has none.
func (b *builder) makeUp(address uint64) ObjID {
	if o, ok := b.inventedAt[address]; ok {
		return o
	}
	b.invented = append(b.invented, address)
	b.inventedAt[address] = ObjID(b.Objects())
	return ObjID(b.Objects())
}

// superAddress returns the address of the superclass of c, 0 for none.
func (g *Graph) superAddress(c *Class) uint64 {
	if c.Super == NoClass {
		return 0
	}
	return g.Classes[c.Super].Address
}

// appendStatics appends what the static reference fields of c refer to.
func (c *Class) appendStatics(refs []uint64) []uint64 {
	for _, s := range c.Statics {
		if s.Type == hprof.TypeObject && s.Value != 0 {
			refs = append(refs, s.Value)
		}
	}
	return refs
}

// Package heap turns a dump into a frozen object graph: dense object ids,
// classes, shallow sizes, references and GC roots.
package heap

import (
	"context"
	"iter"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap/dom"
	"github.com/apm-sidecar/apm-sidecar/internal/heap/edges"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// Graph is the object graph of one dump. It is frozen: once Build returned it,
// nothing changes it but the walk of Tracks, and any number of goroutines may read it.
//
// Which references hold an object, and how big it is, depends on the rules (Edges).
type Graph struct {
	// Classes are indexed by ClassID.
	Classes []Class
	// Roots are the GC roots in file order; an object may have several.
	Roots Roots
	// Threads are the threads of the dump in file order.
	Threads []Thread
	// Layout says how sizes were derived.
	Layout Layout
	// Outline holds names and stacks.
	Outline *hprof.Outline
	// Damage lists what could not be read, in file order.
	Damage []*hprof.Error
	// Repeated is how many times an object is described that was described before. The first
	// time counts, and of a class object its class dump. RepeatedAt is the offset of the first
	// description that does not count. Graphs that are Counted know of class dumps alone.
	Repeated, RepeatedAt int64
	// Tables hold the watched fields, in the order of the watches.
	Tables []*Table
	// Copies are byte[] and char[] with the same content. Fills says by ClassID how full
	// object arrays are, and Sparse lists big ones that are nearly empty, in the order of
	// their ObjIDs. Empty unless Options.Contents asks for them.
	Copies Copies
	Fills  []Fill
	Sparse []SparseArray

	flags      *flags
	frames     *frameNames
	memory     *offheap.Memory
	file       *hprof.File
	index      *index
	invented   []uint64         // addresses of the objects after those of the index
	inventedAt map[uint64]ObjID // the same the other way round
	byName     nameTable
	loaded     *classTable // by address
	kinds      *kinds
	edges      *edges.Graph
	units      []unit
	pieces     []piece         // in the order of the dump
	places     *offheap.Narrow // the number of the piece that has an object, by ObjID; nil where not noted
	tracks     *Tracks         // see Graph.Tracks, nil until somebody asks
	stackRoots Roots           // what stacks hold, by thread and frame, then in file order, also where it is no GC root
}

// Thread is a thread that was alive.
type Thread struct {
	Object ObjID
	Serial uint32
	stack  uint32                    // the outline's
	held   struct{ from, to uint32 } // in Graph.stackRoots
}

// Objects returns the number of objects; valid ObjIDs are 1 to Objects().
func (g *Graph) Objects() int { return int(g.index.count) + len(g.invented) }

// Class returns the class of an object.
func (g *Graph) Class(o ObjID) *Class { return &g.Classes[g.kinds.of(o).class] }

// ClassOf returns the ClassID of an object.
func (g *Graph) ClassOf(o ObjID) ClassID { return g.kinds.of(o).class }

// ClassesOf returns the classes of objects, NoClass for those that the dump does not
// tell. A graph that is only Numbered reads the objects again. Errors: that of ctx.
func (g *Graph) ClassesOf(ctx context.Context, objects []ObjID) (map[ObjID]ClassID, error) {
	classes := make(map[ObjID]ClassID, len(objects))
	var unread []ObjID
	for _, o := range objects {
		switch {
		case g.ClassAt(g.Address(o)) != NoClass:
			classes[o] = g.classClass()
		case g.kinds != nil:
			classes[o] = g.ClassOf(o)
		default:
			classes[o] = NoClass
			unread = append(unread, o)
		}
	}
	err := g.Read(ctx, unread, func(c Content) { classes[c.Object] = c.Class })
	return classes, err
}

// ClassName returns the name of a class, also of NoClass.
func (g *Graph) ClassName(c ClassID) string {
	if c == NoClass {
		return unknownName
	}
	return g.Classes[c].Name
}

// ShallowBytes returns the size of the object itself.
func (g *Graph) ShallowBytes(o ObjID) int64 { return int64(g.kinds.of(o).size8) * 8 }

// References yields the objects that o refers to, in the order of its fields or
// elements; nulls, references to itself and immediate repetitions are left out.
func (g *Graph) References(o ObjID) iter.Seq[ObjID] {
	return func(yield func(ObjID) bool) {
		run := g.edges.From(uint32(o))
		for v, ok := g.edges.Next(&run); ok; v, ok = g.edges.Next(&run) {
			if !yield(ObjID(v)) {
				return
			}
		}
	}
}

// Dominators computes the dominator tree of the graph; weights are bytes. It can be done
// once. Errors: that of ctx; no memory.
func (g *Graph) Dominators(ctx context.Context) (*dom.Tree, error) {
	objects := g.RootObjects()
	roots := make([]uint32, len(objects))
	for i, o := range objects {
		roots[i] = uint32(o)
	}
	return dom.Build(ctx, dom.Graph{
		Memory: g.memory,
		Nodes:  uint32(g.Objects()),
		Edges:  g.edges,
		Roots:  roots,
		Weight: func(v uint32) uint64 { return uint64(g.ShallowBytes(ObjID(v))) },
		Unit:   8, // as in kinds
	})
}

// Survey asks for sums over the whole tree.
type Survey struct {
	// Groupings are at most 63 ways to group the classes, besides that by class: the
	// group of each class, by ClassID. Groups are numbered from 0.
	Groupings [][]uint32
	// Merge asks for the merged tree. Objects that retain at least BigBytes, if they are
	// not peeled, get an entry of their own there.
	Merge    bool
	BigBytes uint64
}

// Survey walks over the tree once. The first of Sums.Retained is by ClassID, the others
// are those of the groupings; all are in bytes. Errors: that of ctx.
func (g *Graph) Survey(ctx context.Context, tree *dom.Tree, s Survey) (*dom.Sums, error) {
	byClass := make([]uint32, len(g.Classes))
	for i := range byClass {
		byClass[i] = uint32(i)
	}
	return tree.Survey(ctx, dom.Survey{
		Class: func(v uint32) (class uint32, weight uint64) {
			k := g.kinds.of(ObjID(v))
			return uint32(k.class), uint64(k.size8) * 8
		},
		Fetch:     func(v uint32) { g.kinds.low.Prefetch(uint64(v)) },
		Groupings: append([][]uint32{byClass}, s.Groupings...),
		Merge:     s.Merge,
		Big:       s.BigBytes,
	})
}

// Close gives the graph's memory back; nothing of it may be used afterwards.
func (g *Graph) Close() {
	g.Outline.Free()
	g.Roots.free()
	g.stackRoots.free()
	if g.index != nil {
		g.index.free()
	}
	if g.places != nil {
		g.places.Free()
	}
	if g.kinds != nil {
		g.kinds.free()
	}
	if g.edges != nil {
		g.edges.Free()
	}
	for _, t := range g.Tables {
		t.free()
	}
	if g.flags != nil {
		g.flags.free()
	}
	if g.tracks != nil {
		g.tracks.Free()
	}
}

// Address returns the address of an object in the dump.
func (g *Graph) Address(o ObjID) uint64 {
	if i := uint64(o) - 1 - g.index.count; i < uint64(len(g.invented)) {
		return g.invented[i]
	}
	return g.index.address(o)
}

// Object returns the object at an address, 0 if there is none: the boot loader that Eclipse
// MAT sees at 0x0 has none.
func (g *Graph) Object(address uint64) ObjID {
	if address == 0 {
		return 0
	}
	return g.at(address)
}

// at returns the object at an address, the boot loader included, 0 if there is none.
func (g *Graph) at(address uint64) ObjID {
	if o, ok := g.inventedAt[address]; ok {
		return o
	}
	return g.index.id(address)
}

// ClassesNamed returns the classes of that name, one for each loader.
func (g *Graph) ClassesNamed(name string) []ClassID { return slices.Collect(g.byName.all(name)) }

// ClassAt returns the class whose class object lies at the address, NoClass if
// there is none.
func (g *Graph) ClassAt(address uint64) ClassID { return g.loaded.get(address) }

// IsSubclass says whether c is one of the classes named name, or below one.
func (g *Graph) IsSubclass(c ClassID, name string) bool {
	// Hierarchies of hostile dumps may be circular.
	for range maxHierarchy {
		if c == NoClass {
			return false
		}
		if g.Classes[c].Name == name {
			return true
		}
		c = g.Classes[c].Super
	}
	return false
}

// Static returns the value of a static field of the class of that name, which is
// an address for a reference. With several such classes the first one that has
// the field counts.
func (g *Graph) Static(class, field string) (value uint64, ok bool) {
	for c := range g.byName.all(class) {
		for _, s := range g.Classes[c].Statics {
			if s.Name == field {
				return s.Value, true
			}
		}
	}
	return 0, false
}

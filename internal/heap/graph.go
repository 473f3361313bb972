// Package heap turns a dump into a frozen object graph: dense object ids,
// classes, shallow sizes, references and GC roots.
package heap

import (
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// Graph is the object graph of one dump. It is frozen: once Build returned it,
// nothing changes it and any number of goroutines may read it.
//
// References are those of the strong graph: the referents of Final-, Weak- and
// PhantomReferences are no edges, those of SoftReferences are.
type Graph struct {
	// Classes are indexed by ClassID.
	Classes []Class
	// Roots are the GC roots in file order; an object may have several.
	Roots []Root
	// Threads are the threads of the dump in file order.
	Threads []Thread
	// Layout says how sizes were derived.
	Layout Layout
	// Outline holds names and stacks.
	Outline *hprof.Outline
	// Damage lists what could not be read, in file order.
	Damage []*hprof.Error
	// Tables hold the watched fields, in the order of the watches.
	Tables []*Table

	file    *hprof.File
	index   *index
	byName  map[string][]ClassID
	loaded  *classTable // by address
	classOf []ClassID   // by ObjID
	size8   []uint32    // shallow size in units of 8 bytes, by ObjID
	edges   edges
	units   []unit
}

// Root is a GC root.
type Root struct {
	Object ObjID
	Kind   hprof.SubTag
	// Thread is the serial number of the thread it belongs to, 0 for none.
	Thread uint32
	// Frame is the index of the frame in the thread's stack, -1 for none.
	Frame int32
}

// Thread is a thread that was alive.
type Thread struct {
	Object ObjID
	Serial uint32
	// Trace is the serial number of its stack trace.
	Trace uint32
}

// Objects returns the number of objects; valid ObjIDs are 1 to Objects().
func (g *Graph) Objects() int { return int(g.index.count) }

// Class returns the class of an object.
func (g *Graph) Class(o ObjID) *Class { return &g.Classes[g.classOf[o]] }

// ClassOf returns the ClassID of an object, NoClass if the dump does not tell.
func (g *Graph) ClassOf(o ObjID) ClassID { return g.classOf[o] }

// ShallowBytes returns the size of the object itself.
func (g *Graph) ShallowBytes(o ObjID) int64 { return int64(g.size8[o]) * 8 }

// Sizes returns the shallow sizes in units of 8 bytes, by ObjID; len is
// Objects()+1. The slice must not be changed.
func (g *Graph) Sizes() []uint32 { return g.size8 }

// References returns the objects that o refers to, in the order of its fields or
// elements, nulls left out, repetitions not. The slice must not be changed.
func (g *Graph) References(o ObjID) []ObjID { return g.edges.of(o) }

// Adjacency returns the references in the form package dom takes: the successors
// of i are edges[offset[i]+1:][:edges[offset[i]]], with none where offset[i] is 0.
func (g *Graph) Adjacency() (offset []uint32, edges []ObjID) { return g.edges.offset, g.edges.blob }

// Address returns the address of an object in the dump.
func (g *Graph) Address(o ObjID) uint64 { return g.index.address(o) }

// Object returns the object at an address, 0 if there is none.
func (g *Graph) Object(address uint64) ObjID { return g.index.id(address) }

// ClassesNamed returns the classes of that name, one for each loader.
func (g *Graph) ClassesNamed(name string) []ClassID { return g.byName[name] }

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
	for _, c := range g.byName[class] {
		for _, s := range g.Classes[c].Statics {
			if s.Name == field {
				return s.Value, true
			}
		}
	}
	return 0, false
}

// edges are all references: those of object i are blob[offset[i]+1:][:blob[offset[i]]];
// offset 0 means none.
type edges struct {
	offset []uint32 // len = objects+1
	blob   []ObjID
}

func (e *edges) of(o ObjID) []ObjID {
	at := e.offset[o]
	if at == 0 {
		return nil
	}
	n := uint32(e.blob[at])
	return e.blob[at+1 : at+1+n : at+1+n]
}

package heap

import (
	"context"
	"fmt"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// matRules make the graph that Eclipse Memory Analyzer 1.17 makes with its defaults,
// so that numbers can be compared one by one. Its choices, not ours:
//
//   - All references are edges, those of weak, soft, phantom and final references too.
//     Each object refers to its class.
//   - The boot loader is an object, at address 0: a java.lang.ClassLoader. A class whose
//     loader is not in the dump is its. The class object refers to it, to its own class,
//     its superclass and the values of its static fields.
//   - A class object is as big as its static fields.
//   - Locals and whatever else a thread's stack holds are references of the thread, not
//     GC roots, if the thread comes first in the file.
//
// Source: HprofParserHandlerImpl, Pass1Parser and ClassImpl of org.eclipse.mat.hprof
// and org.eclipse.mat.parser.
type matRules struct {
	*builder
	listsClasses bool              // the dump names classes as GC roots
	threads      map[uint32]uint64 // the threads listed so far: addresses by serial number
}

func (*matRules) nameless(address uint64, described bool) string {
	if described {
		return fmt.Sprintf("unknown-name@%#x", address)
	}
	return namelessClass(address) // MAT numbers these
}

// invent adds the boot loader, and classes that others need and the dump lacks.
func (b *matRules) invent(t *tally) {
	b.inventedAt = map[uint64]ObjID{}
	b.threads, b.locals = map[uint32]uint64{}, map[ObjID][]ObjID{}
	b.boot = b.makeUp(0)
	// Where a class has no address it gets the lowest free one.
	free := uint64(0)
	place := func(c ClassID) {
		k := &b.Classes[c]
		if k.Object != 0 {
			return
		}
		if k.Address == 0 {
			for free += uint64(b.Layout.Align); b.at(free) != 0; {
				free += uint64(b.Layout.Align)
			}
			k.Address = free
		}
		k.Object, k.hasDump = b.makeUp(k.Address), true
		if object := b.byName.first("java.lang.Object"); k.Super == NoClass && object != c {
			k.Super = object
		}
	}
	for _, name := range []string{"java.lang.Class", "java.lang.ClassLoader"} {
		place(b.classNamed(name))
	}
	for elem, n := range t.primitives {
		if n.objects > 0 {
			place(b.primitives[elem])
		}
	}
	for _, c := range b.missingSupers() {
		place(c)
	}
	for i := range b.Classes {
		if c := &b.Classes[i]; c.Object == 0 && c.Address != 0 && t.has(c.Address) {
			place(ClassID(i))
		}
	}
	b.loaded = newClassTable(len(b.Classes))
	for i := range b.Classes {
		if a := b.Classes[i].Address; a != 0 {
			b.loaded.put(a, ClassID(i))
		}
	}
	t.instance(b.Classes[b.classNamed("java.lang.ClassLoader")].Address)
}

// missingSupers returns the superclasses that the dump does not describe, as dumps of
// JDK 5 leave some out. Their fields take what an instance of the subclass has left.
func (b *matRules) missingSupers() (missing []ClassID) {
	added, room := map[uint64]ClassID{}, int64(maxFiller)
	for i, n := 0, len(b.Classes); i < n; i++ {
		address := b.Classes[i].superAddress
		if address == 0 {
			continue
		}
		if b.Classes[i].Super == NoClass {
			if _, ok := added[address]; !ok {
				added[address] = ClassID(len(b.Classes))
				b.Classes = append(b.Classes, Class{Name: namelessClass(address), Address: address, Super: NoClass})
			}
			b.Classes[i].Super = added[address]
		}
		c := &b.Classes[i]
		if super := &b.Classes[c.Super]; super.Object == 0 && super.Fields == nil {
			bytes := max(0, min(int64(c.declared)-c.ownBytes(b.idSize), room))
			super.Fields = filler(bytes)
			room -= bytes
			missing = append(missing, c.Super)
		}
	}
	return missing
}

// filler returns fields, none of them a reference, of so many bytes in all.
func filler(bytes int64) []Field {
	fields := []Field{}
	for at := int64(0); at < bytes; {
		t := hprof.TypeByte
		switch {
		case bytes-at >= 4:
			t = hprof.TypeInt
		case bytes-at >= 2:
			t = hprof.TypeShort
		}
		fields = append(fields, Field{Type: t, Offset: uint32(at)})
		at += int64(t.Width(0))
	}
	return fields
}

// maxFiller bounds the fields of all made-up superclasses, in bytes: the class file format allows
// no bigger object than 65,535 fields of 8 bytes a class, and dumps lack few classes.
const maxFiller = 1 << 19

// root turns what belongs to a thread's stack into a reference of the thread, if the
// thread was listed before.
func (b *matRules) root(r root) {
	object := b.at(r.address)
	switch r.kind {
	case hprof.SubRootStickyClass:
		b.listsClasses = true
	case hprof.SubRootThread:
		b.threads[r.thread] = r.address
	case hprof.SubRootJNILocal, hprof.SubRootJavaFrame, hprof.SubRootNativeStack, hprof.SubRootThreadBlock:
		if thread := b.threads[r.thread]; thread != 0 {
			if object != 0 {
				holder := b.at(thread)
				b.locals[holder] = append(b.locals[holder], object)
			}
			return
		}
	}
	if object != 0 {
		b.Roots.add(Root{Object: object, Kind: r.kind, Thread: r.thread, Frame: r.frame})
	}
}

// moreRoots makes roots of the boot loader's classes, other than arrays, where the
// dump lists no class as a root.
func (b *matRules) moreRoots(context.Context) error {
	if b.listsClasses {
		return nil
	}
	listed := map[ObjID]bool{}
	for r := range b.Roots.All() {
		listed[r.Object] = true
	}
	for i := range b.Classes {
		c := &b.Classes[i]
		if c.Object != 0 && b.loader(c) == 0 && c.array == 0 && !listed[c.Object] {
			b.Roots.add(Root{Object: c.Object, Kind: hprof.SubRootStickyClass, Frame: -1})
		}
	}
	return nil
}

// loader returns the address of the loader of c, 0 for one that is not in the dump.
func (b *matRules) loader(c *Class) uint64 {
	if b.at(c.Loader) == 0 {
		return 0
	}
	return c.Loader
}

func (*matRules) holds(ClassID, DeclaredField) bool { return true }

func (*matRules) arraysHoldClass() bool { return true }

// mirrorBytes is the sum of the static fields.
func (b *matRules) mirrorBytes(c *Class) int64 {
	var sum int64
	for _, s := range c.Statics {
		sum += b.Layout.width(s.Type)
	}
	return alignUp(sum, int64(b.Layout.Align))
}

// mirrorRefs are the class of the class object, the superclass, the loader, which is
// 0x0 for the boot loader, and the static fields.
func (b *matRules) mirrorRefs(c *Class) []uint64 {
	refs := []uint64{b.Classes[b.classClass()].Address, b.loader(c)}
	if super := b.superAddress(c); super != 0 {
		refs = append(refs, super)
	}
	return c.appendStatics(refs)
}

// bootLoader writes the references of the invented boot loader: its class.
func (l *linker) bootLoader() error {
	b := l.b
	if b.boot == 0 {
		return nil
	}
	id := b.byName.first("java.lang.ClassLoader")
	c := &b.Classes[id]
	l.kinds.set(b.boot, id, c.instance)
	return l.edges.Run(uint32(b.boot), uint32(c.Object), nil)
}

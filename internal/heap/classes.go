package heap

import (
	"cmp"
	"context"
	"iter"
	"math/bits"
	"slices"
	"strings"
	"unsafe"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// resolveClasses makes the class table from class dumps, LOAD_CLASS records and
// the classes that objects name. Errors: that of ctx; no memory.
func (b *builder) resolveClasses(ctx context.Context, all *indexer) error {
	if err := b.planTable(all); err != nil {
		return err
	}
	sources := b.classSources(all)
	b.loaded = newClassTable(len(sources))
	b.Classes = make([]Class, len(sources), len(sources)+madeUp)
	for i := range sources {
		b.loaded.put(sources[i].address, ClassID(i))
	}
	texts := newTexts(b.Outline)
	named := all.classes
	if b.options.Depth == Counted {
		named = nil
	}
	texts.read(nameIDs(&b.Outline.Classes, named))
	for i := range sources {
		if i%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		s, c := &sources[i], &b.Classes[i]
		c.Super, c.Address = NoClass, s.address
		if s.loaded > 0 {
			c.Name = texts.class(b.Outline.Classes.At(int(s.loaded) - 1).NameID)
		}
		if c.Name == "" {
			c.Name = b.rules.nameless(s.address, s.dump != nil)
		}
	}
	err := onAllCores(ctx, len(sources), func(i int) {
		if d := sources[i].dump; d != nil {
			b.describe(&b.Classes[i], &d.ClassDump)
			if named != nil {
				b.Classes[i].nameFields(&d.ClassDump, &texts)
			}
		}
	})
	if err != nil {
		return err
	}
	b.byName = newNameTable(b.Classes, len(texts.known))
	b.checkHierarchies(sources)
	b.addPrimitiveArrays()
	if all.tally.has(zeroClass) {
		b.unknownClass()
	}
	b.rules.invent(all.tally)
	return b.count(ctx, all.tally)
}

// madeUp is how many classes there may be beside those of the dump: those of primitive arrays, the
// unknown one, and those that EdgesMAT needs.
const madeUp = 16

// linkedBytes is what the second pass and who asks about the graph later note of each class: 170 were
// measured, with ten million of them.
const linkedBytes = 200

// planTable tells what the classes will take, on Go's heap, as far as their number tells. Errors:
// no memory.
func (b *builder) planTable(all *indexer) error {
	n := int64(b.Outline.Classes.Len() + len(all.classes) + all.tally.used)
	const each = int64(unsafe.Sizeof(Class{}) + unsafe.Sizeof(classSource{}) + unsafe.Sizeof(ClassID(0)))
	const slot = int64(unsafe.Sizeof(numbered{}) + unsafe.Sizeof(uint64(0)) + unsafe.Sizeof(ClassID(0))) // of numbers and classTable
	slots := int64(2) << bits.Len64(uint64(n))
	need := n*each + slots*slot
	if b.options.Depth == Linked {
		need += n * linkedBytes
	}
	return b.memory.Plan(offheap.Need{Phase: "resolving classes", Fixed: need})
}

// classSource is what the dump tells of a class.
type classSource struct {
	address uint64
	loaded  uint32     // 1 + the index of its last LOAD_CLASS record, 0 where there is none
	dump    *classDump // its first one, nil where there is none
}

// classSources returns the classes that the dump tells of or that objects name, in the order of
// their addresses.
func (b *builder) classSources(all *indexer) []classSource {
	var known numbers
	sources := make([]classSource, 0, b.Outline.Classes.Len())
	source := func(address uint64) *classSource {
		n, fresh := known.of(address)
		if fresh {
			sources = append(sources, classSource{address: address})
		}
		return &sources[n]
	}
	for _, d := range all.classes {
		if s := source(d.address); s.dump == nil || d.offset < s.dump.offset {
			s.dump = d
		}
	}
	for i := range b.Outline.Classes.Len() {
		id := b.Outline.Classes.At(i).ID
		if _, ok := known.get(id); ok || id != 0 {
			source(id).loaded = uint32(i) + 1
		}
	}
	for _, t := range all.tally.slots {
		if t.class != 0 && t.class != zeroClass {
			source(t.class)
		}
	}
	slices.SortFunc(sources, func(x, y classSource) int { return cmp.Compare(x.address, y.address) })
	return sources
}

// nameIDs yields the ids of the texts that classes and their fields are called by.
func nameIDs(loaded *hprof.LoadedClasses, dumps []*classDump) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		for l := range loaded.All() {
			if !yield(l.NameID) {
				return
			}
		}
		for i := range dumps {
			for _, f := range dumps[i].Fields {
				if !yield(f.NameID) {
					return
				}
			}
			for _, s := range dumps[i].Statics {
				if !yield(s.NameID) {
					return
				}
			}
		}
	}
}

// describe fills c from its class dump, but for the names of its fields.
func (b *builder) describe(c *Class, d *hprof.ClassDump) {
	c.hasDump = true
	c.Object, c.Loader, c.others = b.index.id(c.Address), d.Loader, d.Others
	c.Super, c.superAddress, c.declared = b.loaded.get(d.Super), d.Super, d.InstanceSize
	c.cut = d.Fault != nil
	var offset uint32
	c.Fields, c.Statics = make([]Field, 0, len(d.Fields)), make([]Static, 0, len(d.Statics))
	for _, f := range d.Fields {
		c.Fields = append(c.Fields, Field{Type: f.Type, Offset: offset})
		offset += uint32(f.Type.Width(b.idSize))
	}
	for _, s := range d.Statics {
		c.Statics = append(c.Statics, Static{Type: s.Type, Value: s.Value})
	}
}

// nameFields names the fields of c.
func (c *Class) nameFields(d *hprof.ClassDump, texts *texts) {
	for i, f := range d.Fields {
		c.Fields[i].Name = texts.of(f.NameID)
	}
	for i, s := range d.Statics {
		c.Statics[i].Name = texts.of(s.NameID)
	}
}

// addPrimitiveArrays makes up the classes of primitive arrays that the dump does
// not describe and marks all of them.
func (b *builder) addPrimitiveArrays() {
	for _, t := range []hprof.Type{hprof.TypeBoolean, hprof.TypeChar, hprof.TypeFloat, hprof.TypeDouble,
		hprof.TypeByte, hprof.TypeShort, hprof.TypeInt, hprof.TypeLong} {
		name := t.JavaName() + "[]"
		b.primitives[t] = b.classNamed(name)
		b.Classes[b.primitives[t]].array = t
	}
}

// count derives sizes by class and sums up the instances. Errors: that of ctx.
func (b *builder) count(ctx context.Context, t *tally) error {
	b.Layout.levels = b.byName.first("java.lang.Record") == NoClass
	own := make([]fieldSizes, len(b.Classes)) // a class may have thousands of fields and of subclasses
	for i := range b.Classes {
		own[i] = sizesOf(b.Classes[i].Fields)
	}
	err := onAllCores(ctx, len(b.Classes), func(i int) {
		var hierarchy []*fieldSizes
		for c := ClassID(i); c != NoClass && len(hierarchy) < maxHierarchy; c = b.Classes[c].Super {
			hierarchy = append(hierarchy, &own[c])
		}
		slices.Reverse(hierarchy)
		b.Classes[i].instance = b.Layout.instanceSize(hierarchy)
	})
	if err != nil {
		return err
	}
	for i := range b.Classes {
		c := &b.Classes[i]
		if strings.HasSuffix(c.Name, "[]") && c.array == 0 {
			c.array = hprof.TypeObject
		}
		var n count
		if c.array != 0 && c.array != hprof.TypeObject {
			n = t.primitives[c.array]
		} else if c.Address != 0 || c.Name == unknownName {
			n = t.of(c.Address)
			b.arrayRefs += uint64(n.refs)
		}
		c.Instances, c.ShallowBytes = n.objects, n.bytes
		// Of hostile and damaged dumps classes may be called arrays and have instances, or the
		// other way round.
		switch {
		case c.array == 0 && n.bytes == 0:
			c.ShallowBytes = n.objects * c.instance
		case c.array == 0, c.array != hprof.TypeObject && t.has(c.Address), n.bytes < n.objects*b.Layout.arraySize(0, 1):
			b.unsure = true
		}
	}
	for i := range b.Classes {
		if b.Classes[i].hasDump {
			mirror := b.mirrorClass() // which may be another class
			c := &b.Classes[i]
			c.MirrorBytes = b.rules.mirrorBytes(c)
			b.Classes[mirror].Instances++
			b.Classes[mirror].ShallowBytes += c.MirrorBytes
		}
	}
	return nil
}

// classClass returns java.lang.Class.
func (g *Graph) classClass() ClassID { return g.byName.first("java.lang.Class") }

// mirrorClass returns the class of class objects: java.lang.Class, if the dump names it.
func (b *builder) mirrorClass() ClassID {
	if c := b.classClass(); c != NoClass {
		return c
	}
	return b.unknownClass()
}

// unknownName is the name of classes that the dump does not tell.
const unknownName = "(unknown class)"

// unknownClass returns the class of objects whose class the dump does not tell.
func (b *builder) unknownClass() ClassID { return b.classNamed(unknownName) }

// classNamed returns the first class of that name, made up if need be.
func (b *builder) classNamed(name string) ClassID {
	c := b.byName.first(name)
	if c == NoClass {
		c = ClassID(len(b.Classes))
		b.Classes = append(b.Classes, Class{Name: name, Super: NoClass})
		b.byName.add(name, c)
	}
	return c
}

package heap

import (
	"slices"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// resolveClasses makes the class table from class dumps, LOAD_CLASS records and
// the classes that objects name.
func (b *builder) resolveClasses(all *indexer) {
	names := make(map[uint64]hprof.LoadedClass, len(b.Outline.Classes))
	for _, l := range b.Outline.Classes {
		names[l.ID] = l
	}
	dumps := make(map[uint64]*classDump, len(all.classes))
	for i := range all.classes {
		if d := &all.classes[i]; dumps[d.address] == nil || d.offset < dumps[d.address].offset {
			dumps[d.address] = d
		}
	}
	addresses := make([]uint64, 0, len(dumps))
	for a := range dumps {
		addresses = append(addresses, a)
	}
	for a := range names {
		if dumps[a] == nil && a != 0 {
			addresses = append(addresses, a)
		}
	}
	for _, s := range all.tally.slots {
		k := s.class
		if _, named := names[k]; k != 0 && k != zeroClass && dumps[k] == nil && !named {
			addresses = append(addresses, k)
		}
	}
	slices.Sort(addresses)

	b.loaded = newClassTable(len(addresses))
	b.Classes = make([]Class, len(addresses), len(addresses)+8)
	b.byName = make(map[string][]ClassID, len(addresses))
	for i, a := range addresses {
		b.loaded.put(a, ClassID(i))
	}
	texts := newTexts(b.Outline)
	texts.read(nameIDs(b.Outline.Classes, dumps))
	for i, a := range addresses {
		c := &b.Classes[i]
		c.Super, c.Address = NoClass, a
		if l, ok := names[a]; ok {
			c.Name = texts.class(l.NameID)
		}
		if c.Name == "" {
			c.Name = b.rules.nameless(a, dumps[a] != nil)
		}
		if d := dumps[a]; d != nil {
			b.describe(c, &d.ClassDump, &texts)
		}
		b.byName[c.Name] = append(b.byName[c.Name], ClassID(i))
	}
	b.checkHierarchies(dumps)
	b.addPrimitiveArrays()
	if all.tally.has(zeroClass) {
		b.unknownClass()
	}
	b.rules.invent(all.tally)
	b.count(all.tally)
}

// nameIDs are the ids of the texts that classes and their fields are called by.
func nameIDs(loaded []hprof.LoadedClass, dumps map[uint64]*classDump) []uint64 {
	var ids []uint64
	for _, l := range loaded {
		ids = append(ids, l.NameID)
	}
	for _, d := range dumps {
		for _, f := range d.Fields {
			ids = append(ids, f.NameID)
		}
		for _, s := range d.Statics {
			ids = append(ids, s.NameID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// describe fills c from its class dump.
func (b *builder) describe(c *Class, d *hprof.ClassDump, texts *texts) {
	c.hasDump = true
	c.Object, c.Loader, c.others = b.index.id(c.Address), d.Loader, d.Others
	c.Super, c.superAddress, c.declared = b.loaded.get(d.Super), d.Super, d.InstanceSize
	c.cut = d.Fault != nil
	var offset uint32
	c.Fields, c.Statics = make([]Field, 0, len(d.Fields)), make([]Static, 0, len(d.Statics))
	for _, f := range d.Fields {
		c.Fields = append(c.Fields, Field{texts.of(f.NameID), f.Type, offset})
		offset += uint32(f.Type.Width(b.idSize))
	}
	for _, s := range d.Statics {
		c.Statics = append(c.Statics, Static{texts.of(s.NameID), s.Type, s.Value})
	}
}

// addPrimitiveArrays makes up the classes of primitive arrays that the dump does
// not describe and marks all of them.
func (b *builder) addPrimitiveArrays() {
	for _, t := range []hprof.Type{hprof.TypeBoolean, hprof.TypeChar, hprof.TypeFloat, hprof.TypeDouble,
		hprof.TypeByte, hprof.TypeShort, hprof.TypeInt, hprof.TypeLong} {
		name := t.JavaName() + "[]"
		if len(b.byName[name]) == 0 {
			b.byName[name] = []ClassID{ClassID(len(b.Classes))}
			b.Classes = append(b.Classes, Class{Name: name, Super: NoClass})
		}
		b.primitives[t] = b.byName[name][0]
		b.Classes[b.primitives[t]].array = t
	}
}

// count derives sizes by class and sums up the instances.
func (b *builder) count(t *tally) {
	b.Layout.levels = len(b.byName["java.lang.Record"]) == 0
	for i := range b.Classes {
		c := &b.Classes[i]
		var hierarchy [][]Field
		for f := range b.hierarchy(ClassID(i)) {
			hierarchy = append(hierarchy, f.Fields)
		}
		slices.Reverse(hierarchy)
		c.instance = b.Layout.instanceSize(hierarchy)
		if strings.HasSuffix(c.Name, "[]") && c.array == 0 {
			c.array = hprof.TypeObject
		}
		var n count
		if c.array != 0 && c.array != hprof.TypeObject {
			n = t.primitives[c.array]
		} else if c.Address != 0 || c.Name == unknownName {
			n = *t.slot(c.Address)
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
}

// classClass returns java.lang.Class.
func (g *Graph) classClass() ClassID {
	if ids := g.byName["java.lang.Class"]; len(ids) > 0 {
		return ids[0]
	}
	return NoClass
}

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
func (b *builder) unknownClass() ClassID {
	if len(b.byName[unknownName]) == 0 {
		b.byName[unknownName] = []ClassID{ClassID(len(b.Classes))}
		b.Classes = append(b.Classes, Class{Name: unknownName, Super: NoClass})
	}
	return b.byName[unknownName][0]
}

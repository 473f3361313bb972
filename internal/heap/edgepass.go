package heap

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

const (
	// chunkWords is how much of the edge blob a worker takes at once.
	chunkWords = 1 << 14
	// maxInstance bounds the body of an instance that is looked into. The biggest
	// that the class file format allows is 65,535 fields of 8 bytes a class.
	maxInstance = 16 << 20
)

// edgePass resolves the references of every object.
func (b *builder) edgePass(ctx context.Context) error {
	b.rootBootClasses()
	bound := b.planClasses()
	n := b.index.count
	words := bound + bound/3 + uint64(len(b.units)+1)*chunkWords
	if words > 1<<32-1 {
		return fmt.Errorf("about %d references: this version can hold 4,294,967,295", bound)
	}
	b.classOf, b.size8 = make([]ClassID, n+1), make([]uint32, n+1)
	b.classOf[0] = b.unknownClass()
	b.edges = edges{offset: make([]uint32, n+1), blob: make([]ObjID, words)}
	var next atomic.Uint64
	next.Store(1) // offset 0 means no references
	b.done.Store(0)

	var workers []*linker
	err := each(ctx, len(b.units), func() func(context.Context, int) error {
		w := &linker{b: b, o: hprof.NewObjects(b.file, b.idSize), next: &next, tables: make([]rows, len(b.options.Watches))}
		workers = append(workers, w)
		return func(ctx context.Context, i int) error { return w.unit(ctx, b.units[i]) }
	})
	if err != nil {
		return err
	}
	last := &linker{b: b, next: &next}
	for i := range b.Classes {
		last.class(ClassID(i))
	}
	for i, w := range b.options.Watches {
		var parts []rows
		for _, l := range workers {
			parts = append(parts, l.tables[i])
		}
		b.Tables = append(b.Tables, newTable(len(w.Fields), parts, b.found(i)))
	}
	return nil
}

// rootBootClasses makes the classes of the boot loader roots where the dump lists
// no such roots, as dumps of old JVMs do.
func (b *builder) rootBootClasses() {
	if slices.ContainsFunc(b.Roots, func(r Root) bool { return r.Kind == hprof.SubRootStickyClass }) {
		return
	}
	for i := range b.Classes {
		if c := &b.Classes[i]; c.Object != 0 && c.Loader == 0 && c.array == 0 {
			b.Roots = append(b.Roots, Root{Object: c.Object, Kind: hprof.SubRootStickyClass, Frame: -1})
		}
	}
}

// planClasses prepares what the second pass needs of each class and returns an
// upper bound for the length of the edge blob.
func (b *builder) planClasses() (bound uint64) {
	sticky := map[ObjID]bool{}
	for _, r := range b.Roots {
		if r.Kind == hprof.SubRootStickyClass {
			sticky[r.Object] = true
		}
	}
	for i := range b.Classes {
		c, id := &b.Classes[i], ClassID(i)
		// An edge to an object that is a root itself changes nothing: not reachability,
		// not dominators. Leaving those out spares most instances one edge.
		if !sticky[c.Object] {
			c.classEdge = c.Object
		}
		c.refs = c.refs[:0]
		c.bodyBytes = 0
		weak := b.weak(id)
		for f := range b.fields(id) {
			c.bodyBytes = max(c.bodyBytes, f.BodyOffset+uint32(f.Field.Type.Width(b.idSize)))
			if f.Field.Type == hprof.TypeObject && (!weak || f.Field.Name != "referent" || f.Class.Name != "java.lang.ref.Reference") {
				c.refs = append(c.refs, f.BodyOffset)
			}
		}
		c.tables = b.plan(id)
		bound += uint64(c.Instances)*uint64(len(c.refs)+2) + uint64(len(c.Statics)+5)
	}
	return bound + b.arrayRefs
}

// weak says whether the referent of an instance of c is no edge.
func (b *builder) weak(c ClassID) bool {
	return b.IsSubclass(c, "java.lang.ref.Reference") && !b.IsSubclass(c, "java.lang.ref.SoftReference")
}

// unknownClass returns the class of objects whose class the dump does not tell.
func (b *builder) unknownClass() ClassID {
	const name = "(unknown class)"
	if len(b.byName[name]) == 0 {
		b.byName[name] = []ClassID{ClassID(len(b.Classes))}
		b.Classes = append(b.Classes, Class{Name: name, Super: NoClass})
	}
	return b.byName[name][0]
}

// found says which columns of a watch some class has.
func (b *builder) found(watch int) []bool {
	found := make([]bool, len(b.options.Watches[watch].Fields))
	for i := range b.Classes {
		for _, p := range b.Classes[i].tables {
			if p.table != watch {
				continue
			}
			for j, offset := range p.offsets {
				found[j] = found[j] || offset >= 0
			}
		}
	}
	return found
}

// linker is one worker of the second pass.
type linker struct {
	b      *builder
	o      *hprof.Objects
	tables []rows

	// next is the first word of the blob that no worker has taken; [at, end) is
	// what this one has taken and not used.
	next    *atomic.Uint64
	at, end uint32

	lastAddress uint64
	lastClass   ClassID
}

// take makes room for n words in the blob and returns where it begins. What is
// not used of it is given back by moving l.at.
func (l *linker) take(n uint32) uint32 {
	if l.end-l.at < n {
		if n > chunkWords/4 {
			return uint32(l.next.Add(uint64(n)) - uint64(n))
		}
		l.end = uint32(l.next.Add(chunkWords))
		l.at = l.end - chunkWords
	}
	return l.at
}

// classAt returns the class at an address.
func (l *linker) classAt(address uint64) ClassID {
	if address != l.lastAddress || address == 0 {
		l.lastAddress, l.lastClass = address, l.b.loaded.get(address)
		if l.lastClass == NoClass {
			l.lastClass = l.b.classOf[0]
		}
	}
	return l.lastClass
}

// unit resolves the references of the objects in u.
func (l *linker) unit(ctx context.Context, u unit) error {
	o, b := l.o, l.b
	o.Reset(u.start, u.end)
	for n := 1; o.Next(); n++ {
		if n%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		switch o.Tag {
		case hprof.SubInstance:
			l.instance()
		case hprof.SubObjectArray:
			l.array()
		case hprof.SubPrimArray, hprof.SubPrimArrayNoData:
			id := b.index.id(o.ID)
			b.classOf[id] = b.primitives[o.Elem&15]
			b.size8[id] = uint32(b.Layout.arraySize(int64(o.Count), o.Elem.Width(0)) / 8)
		}
	}
	b.progress("resolving references", u.end-u.start)
	return nil
}

// instance resolves the current instance.
func (l *linker) instance() {
	o, b := l.o, l.b
	id, class := b.index.id(o.ID), l.classAt(o.ClassID)
	c := &b.Classes[class]
	b.classOf[id], b.size8[id] = class, uint32(c.instance/8)
	if len(c.refs) == 0 && c.classEdge == 0 && len(c.tables) == 0 {
		return
	}
	body := o.Body(maxInstance)
	start := l.take(uint32(len(c.refs)) + 2)
	blob := b.edges.blob
	at := start + 1
	if c.classEdge != 0 {
		blob[at] = c.classEdge
		at++
	}
	for _, offset := range c.refs {
		if target := l.target(body, offset); target != 0 {
			blob[at] = target
			at++
		}
	}
	l.finish(id, start, at)
	for i := range c.tables {
		p := &c.tables[i]
		l.tables[p.table].add(id, body, p, b.idSize, b.index)
	}
}

// target resolves the reference at an offset of a body.
func (l *linker) target(body []byte, offset uint32) ObjID {
	if l.b.idSize == 8 {
		if uint64(offset)+8 > uint64(len(body)) {
			return 0
		}
		if a := binary.BigEndian.Uint64(body[offset:]); a != 0 {
			return l.b.index.id(a)
		}
		return 0
	}
	if uint64(offset)+4 > uint64(len(body)) {
		return 0
	}
	if a := binary.BigEndian.Uint32(body[offset:]); a != 0 {
		return l.b.index.id(uint64(a))
	}
	return 0
}

// finish notes that the references of id lie in [start+1, at) of the blob.
func (l *linker) finish(id ObjID, start, at uint32) {
	if at == start+1 {
		return // none: the room is used by the next object
	}
	b := l.b
	b.edges.blob[start] = ObjID(at - start - 1)
	b.edges.offset[id] = start
	if start == l.at {
		l.at = at
	}
}

// array resolves the current object array.
func (l *linker) array() {
	o, b := l.o, l.b
	id, class := b.index.id(o.ID), l.classAt(o.ClassID)
	c := &b.Classes[class]
	b.classOf[id] = class
	b.size8[id] = uint32(b.Layout.arraySize(int64(o.Count), b.Layout.RefBytes) / 8)
	start := l.take(o.Count + 2)
	at := start + 1
	if c.classEdge != 0 {
		b.edges.blob[at] = c.classEdge
		at++
	}
	for {
		chunk := o.Chunk()
		if len(chunk) == 0 {
			break
		}
		for i := uint32(0); i < uint32(len(chunk)); i += uint32(b.idSize) {
			if target := l.target(chunk, i); target != 0 {
				b.edges.blob[at] = target
				at++
			}
		}
	}
	l.finish(id, start, at)
}

// class writes the references of a class object: superclass, loader, signers,
// protection domain and static fields.
func (l *linker) class(c ClassID) {
	b := l.b
	k := &b.Classes[c]
	if k.Object == 0 {
		return
	}
	if m := b.classClass(); m != NoClass {
		b.classOf[k.Object] = m
	} else {
		b.classOf[k.Object] = b.classOf[0]
	}
	b.size8[k.Object] = uint32(b.mirrorBytes(k) / 8)
	start := l.take(uint32(len(k.Statics)) + 5)
	at := start + 1
	add := func(o ObjID) {
		if o != 0 {
			b.edges.blob[at] = o
			at++
		}
	}
	if k.Super != NoClass {
		add(b.Classes[k.Super].Object)
	}
	for _, a := range []uint64{k.Loader, k.others[0], k.others[1]} {
		if a != 0 {
			add(b.index.id(a))
		}
	}
	for _, s := range k.Statics {
		if s.Type == hprof.TypeObject && s.Value != 0 {
			add(b.index.id(s.Value))
		}
	}
	l.finish(k.Object, start, at)
}

package heap

import (
	"context"
	"encoding/binary"
	"maps"
	"runtime"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap/edges"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// maxInstance bounds the body of an instance that is looked into. The biggest
// that the class file format allows is 65,535 fields of 8 bytes a class.
const maxInstance = 16 << 20

// edgePass resolves the references of every object.
func (b *builder) edgePass(ctx context.Context) error {
	if err := b.rootPermanentClasses(ctx); err != nil {
		return err
	}
	bound := b.planClasses()
	workers, err := b.runLinkers(ctx, bound)
	if err != nil {
		return err
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

// runLinkers resolves the references of all objects.
func (b *builder) runLinkers(ctx context.Context, bound uint64) (workers []*linker, err error) {
	if b.kinds, err = newKinds(b.index.count, b.unknownClass()); err != nil {
		return nil, err
	}
	edge, err := edges.NewBuilder(int(b.index.count)+1, bound, runtime.GOMAXPROCS(0)+1)
	if err != nil {
		return nil, err
	}
	b.edges = edge.Freeze()
	b.done.Store(0)
	start := func() *linker {
		return &linker{b: b, o: hprof.NewObjects(b.file, b.idSize), edges: edge.NewWriter(), kinds: newKindWriter(b.kinds), tables: make([]rows, len(b.options.Watches))}
	}
	err = each(ctx, len(b.units), func() func(context.Context, int) error {
		w := start()
		workers = append(workers, w)
		return func(ctx context.Context, i int) error { return w.unit(ctx, b.units[i]) }
	})
	if err != nil {
		return nil, err
	}
	last := start()
	workers = append(workers, last)
	for i := range b.Classes {
		if err := last.class(ClassID(i)); err != nil {
			return nil, err
		}
	}
	for _, w := range workers {
		w.edges.Close()
	}
	return workers, nil
}

// rootPermanentClasses makes roots of the classes that the JVM never unloads: those
// of the loaders for the platform and the application, and those of the boot loader
// where the dump lists none, as dumps of old JVMs do.
//
// Source: ClassLoaderData::is_permanent_class_loader_data (classLoaderData.cpp).
func (b *builder) rootPermanentClasses(ctx context.Context) error {
	loaders := map[ObjID]bool{}
	for i := range b.Classes {
		loaders[b.index.id(b.Classes[i].Loader)] = true
	}
	delete(loaders, 0)
	permanent := map[uint64]bool{}
	err := b.Read(ctx, slices.Collect(maps.Keys(loaders)), func(c Content) {
		if c.Class != NoClass && builtinLoader(b.Classes[c.Class].Name) {
			permanent[b.Address(c.Object)] = true
		}
	})
	if err != nil {
		return err
	}
	permanent[0] = !slices.ContainsFunc(b.Roots, func(r Root) bool { return r.Kind == hprof.SubRootStickyClass })
	for i := range b.Classes {
		if c := &b.Classes[i]; c.Object != 0 && permanent[c.Loader] && (c.array == 0 || c.Loader != 0) {
			b.Roots = append(b.Roots, Root{Object: c.Object, Kind: hprof.SubRootStickyClass, Frame: -1})
		}
	}
	return nil
}

// builtinLoader says whether loaders of this class live as long as the JVM: the
// names of JDK 9 and later, then those of JDK 8 and before.
func builtinLoader(class string) bool {
	switch class {
	case "jdk.internal.loader.ClassLoaders$AppClassLoader", "jdk.internal.loader.ClassLoaders$PlatformClassLoader",
		"sun.misc.Launcher$AppClassLoader", "sun.misc.Launcher$ExtClassLoader":
		return true
	}
	return false
}

// planClasses prepares what the second pass needs of each class and returns an
// upper bound for the number of references.
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
	edges  *edges.Writer
	kinds  *kindWriter
	tables []rows

	lastAddress uint64
	lastClass   ClassID
}

// classAt returns the class at an address.
func (l *linker) classAt(address uint64) ClassID {
	if address != l.lastAddress || address == 0 {
		l.lastAddress, l.lastClass = address, l.b.loaded.get(address)
		if l.lastClass == NoClass {
			l.lastClass = l.b.unknownClass()
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
		var err error
		switch o.Tag {
		case hprof.SubInstance:
			err = l.instance()
		case hprof.SubObjectArray:
			err = l.array()
		case hprof.SubPrimArray, hprof.SubPrimArrayNoData:
			id := b.index.id(o.ID)
			l.kinds.set(id, b.primitives[o.Elem&15], b.Layout.arraySize(int64(o.Count), o.Elem.Width(0)))
			err = l.edges.Empty(uint32(id))
		}
		if err != nil {
			return err
		}
	}
	b.progress("resolving references", u.end-u.start)
	return nil
}

// instance resolves the current instance.
func (l *linker) instance() error {
	o, b := l.o, l.b
	id, class := b.index.id(o.ID), l.classAt(o.ClassID)
	c := &b.Classes[class]
	l.kinds.set(id, class, c.instance)
	if len(c.refs) == 0 && c.classEdge == 0 && len(c.tables) == 0 {
		return l.edges.Empty(uint32(id))
	}
	body := o.Body(maxInstance)
	if err := l.edges.Begin(uint32(id), len(c.refs)+1); err != nil {
		return err
	}
	if c.classEdge != 0 {
		l.edges.Add(uint32(c.classEdge))
	}
	for _, offset := range c.refs {
		l.add(body, offset)
	}
	l.edges.End()
	for i := range c.tables {
		p := &c.tables[i]
		l.tables[p.table].add(id, body, p, b.idSize, b.index)
	}
	return nil
}

// add appends the reference at an offset of a body.
func (l *linker) add(body []byte, offset uint32) {
	var a uint64
	switch {
	case uint64(offset)+uint64(l.b.idSize) > uint64(len(body)):
		return
	case l.b.idSize == 8:
		a = binary.BigEndian.Uint64(body[offset:])
	default:
		a = uint64(binary.BigEndian.Uint32(body[offset:]))
	}
	if a == 0 {
		return
	}
	if target := l.b.index.id(a); target != 0 {
		l.edges.Add(uint32(target))
	}
}

// array resolves the current object array.
func (l *linker) array() error {
	o, b := l.o, l.b
	id, class := b.index.id(o.ID), l.classAt(o.ClassID)
	c := &b.Classes[class]
	l.kinds.set(id, class, b.Layout.arraySize(int64(o.Count), b.Layout.RefBytes))
	if err := l.edges.Begin(uint32(id), int(o.Count)+1); err != nil {
		return err
	}
	if c.classEdge != 0 {
		l.edges.Add(uint32(c.classEdge))
	}
	for chunk := o.Chunk(); len(chunk) > 0; chunk = o.Chunk() {
		for i := uint32(0); i < uint32(len(chunk)); i += uint32(b.idSize) {
			l.add(chunk, i)
		}
	}
	l.edges.End()
	return nil
}

// class writes the references of a class object: superclass, loader, signers,
// protection domain and static fields.
func (l *linker) class(c ClassID) error {
	b := l.b
	k := &b.Classes[c]
	if k.Object == 0 {
		return nil
	}
	mirror := b.classClass()
	if mirror == NoClass {
		mirror = b.unknownClass()
	}
	l.kinds.set(k.Object, mirror, b.mirrorBytes(k))
	if err := l.edges.Begin(uint32(k.Object), len(k.Statics)+4); err != nil {
		return err
	}
	if k.Super != NoClass && b.Classes[k.Super].Object != 0 {
		l.edges.Add(uint32(b.Classes[k.Super].Object))
	}
	add := func(address uint64) {
		if target := b.index.id(address); address != 0 && target != 0 {
			l.edges.Add(uint32(target))
		}
	}
	add(k.Loader)
	add(k.others[0])
	add(k.others[1])
	for _, s := range k.Statics {
		if s.Type == hprof.TypeObject {
			add(s.Value)
		}
	}
	l.edges.End()
	return nil
}

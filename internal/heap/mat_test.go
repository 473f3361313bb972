package heap_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// buildMAT builds the graph that Eclipse MAT would.
func buildMAT(t *testing.T, d *hproftest.Dump) *heap.Graph {
	t.Helper()
	return build(t, d, hproftest.Shape{}, heap.Options{Edges: heap.EdgesMAT})
}

// bootLoader returns the object that MAT invents at address 0.
func bootLoader(t *testing.T, g *heap.Graph) heap.ObjID {
	t.Helper()
	for s := range g.ByAddress(1) {
		require.Zero(t, g.Address(s.First), "it comes first")
		return s.First
	}
	require.Fail(t, "no objects")
	return 0
}

func isRoot(g *heap.Graph, o heap.ObjID) bool { return slices.Contains(g.RootObjects(), o) }

// TestMATReferences: all referents are edges, and each object refers to its class.
func TestMATReferences(t *testing.T) {
	j := hproftest.NewJDK(8, 8)
	loader := j.New(j.Class("com.acme.Loader", j.Object))
	node := j.Class("com.acme.Node", j.Object, hproftest.Ref("next")).LoadedBy(loader)
	nodes := j.Class("[Lcom.acme.Node;", j.Object).LoadedBy(loader)
	a := j.New(node)
	list := j.Array(nodes, a)
	weak, final := j.Weak(a), j.Finalizer(a, hproftest.Registered)
	bytes := j.Bytes(make([]byte, 3))
	d := j.Finish()
	g := buildMAT(t, d)
	at := func(o *hproftest.Object) heap.ObjID { return g.Object(o.ID) }
	assert.Equal(t, []heap.ObjID{g.Object(node.ID)}, refs(g, at(a)))
	assert.Equal(t, []heap.ObjID{g.Object(nodes.ID), at(a)}, refs(g, at(list)))
	assert.Contains(t, refs(g, at(weak)), at(a))
	assert.Contains(t, refs(g, at(final)), at(a))
	class := refs(g, g.Object(node.ID))
	assert.Contains(t, class, at(loader))
	assert.Contains(t, class, g.Object(j.Object.ID), "the superclass")
	assert.Contains(t, class, g.Object(classObject(g, "java.lang.Class")), "its own class")
	assert.False(t, isRoot(g, g.Object(node.ID)))
	assert.Empty(t, refs(g, at(bytes)), "an edge to a root says nothing, so it is left out")

	strong := build(t, d, hproftest.Shape{}, heap.Options{})
	assert.NotContains(t, refs(strong, strong.Object(weak.ID)), strong.Object(a.ID))
}

// classObject returns the address of a class.
func classObject(g *heap.Graph, name string) uint64 {
	return g.Classes[g.ClassesNamed(name)[0]].Address
}

// TestMATPrimitiveArrays: a primitive array refers to its class, which is no root of
// itself where the dump lists system classes.
func TestMATPrimitiveArrays(t *testing.T) {
	d := hproftest.New(8)
	object := d.Class("java.lang.Object", nil)
	class := d.Class("[B", object)
	bytes := d.Bytes([]byte{1})
	d.Root(hprof.SubRootStickyClass, &hproftest.Object{ID: object.ID})
	g := buildMAT(t, d)
	assert.Equal(t, []heap.ObjID{g.Object(class.ID)}, refs(g, g.Object(bytes.ID)))
	strong := build(t, d, hproftest.Shape{}, heap.Options{})
	assert.Empty(t, refs(strong, strong.Object(bytes.ID)))
}

// TestMATBootLoader: 0x0 is a java.lang.ClassLoader, the loader of all classes whose
// loader is not in the dump.
func TestMATBootLoader(t *testing.T) {
	j := hproftest.NewJDK(8, 8)
	loaders := j.Class("java.lang.ClassLoader", j.Object, hproftest.Ref("parent"), hproftest.Int("n"))
	gone := *j.New(j.Object)
	gone.ID = 0x1230
	orphan := j.Class("com.acme.Orphan", j.Object).LoadedBy(&gone)
	g := buildMAT(t, j.Finish())
	boot := bootLoader(t, g)
	assert.Equal(t, "java.lang.ClassLoader", g.Class(boot).Name)
	assert.Equal(t, int64(32), g.ShallowBytes(boot), "16 of header, a reference, 4 bytes, padded")
	assert.Equal(t, []heap.ObjID{g.Object(loaders.ID)}, refs(g, boot))
	assert.Contains(t, refs(g, g.Object(orphan.ID)), boot)
	assert.Contains(t, refs(g, g.Object(j.Object.ID)), boot)
	assert.Equal(t, int64(1), g.Classes[g.ClassesNamed("java.lang.ClassLoader")[0]].Instances)
	assert.Zero(t, g.Object(0), "null is no object")

	strong := build(t, j.Dump, hproftest.Shape{}, heap.Options{})
	assert.Equal(t, g.Objects()-1, strong.Objects())
}

// TestMATInventsClasses: what the dump lacks and others need lies at the lowest free
// addresses, or at that by which objects name it.
func TestMATInventsClasses(t *testing.T) {
	d := hproftest.New(8)
	object := d.Class("java.lang.Object", nil)
	d.Bytes([]byte{1})
	stray := d.New(d.Class("com.acme.Other", object))
	g := buildMAT(t, d)
	var made []uint64
	for s := range g.ByAddress(100) {
		if g.Address(s.First) < object.ID {
			made = append(made, g.Address(s.First))
		}
	}
	assert.Equal(t, []uint64{0, 8, 16, 24}, made)
	assert.Equal(t, uint64(8), classObject(g, "java.lang.Class"))
	assert.Equal(t, uint64(16), classObject(g, "java.lang.ClassLoader"))
	assert.Equal(t, uint64(24), classObject(g, "byte[]"))
	assert.Equal(t, "java.lang.Class", g.Class(g.Object(object.ID)).Name)
	assert.NotZero(t, g.Object(stray.ID))
}

// TestMATSystemClasses: where no class is listed as a root, those of the boot loader
// are roots, arrays excepted.
func TestMATSystemClasses(t *testing.T) {
	d := hproftest.New(8)
	object := d.Class("java.lang.Object", nil)
	loader := d.New(d.Class("java.lang.ClassLoader", object))
	array := d.Class("[Ljava.lang.Object;", object)
	own := d.Class("com.acme.Own", object).LoadedBy(loader)
	g := buildMAT(t, d)
	assert.True(t, isRoot(g, g.Object(object.ID)))
	assert.False(t, isRoot(g, g.Object(array.ID)))
	assert.False(t, isRoot(g, g.Object(own.ID)))

	d.Root(hprof.SubRootStickyClass, &hproftest.Object{ID: own.ID})
	g = buildMAT(t, d)
	assert.False(t, isRoot(g, g.Object(object.ID)))
	assert.True(t, isRoot(g, g.Object(own.ID)))
}

// TestMATSystemClassesGone: a class that is listed as a root counts where the dump does
// not hold it, too.
func TestMATSystemClassesGone(t *testing.T) {
	d := hproftest.New(8)
	object := d.Class("java.lang.Object", nil)
	d.Root(hprof.SubRootStickyClass, &hproftest.Object{ID: 0x1230})
	g := buildMAT(t, d)
	assert.False(t, isRoot(g, g.Object(object.ID)))
}

// TestMATNamelessClass: MAT has a name of its own for a class that the dump describes
// and does not name.
func TestMATNamelessClass(t *testing.T) {
	d := hproftest.New(8)
	class := d.Class("", d.Class("java.lang.Object", nil))
	o := d.New(class)
	assert.Equal(t, fmt.Sprintf("unknown-name@%#x", class.ID), className(buildMAT(t, d), o))
	assert.Equal(t, fmt.Sprintf("(unknown class %#x)", class.ID), className(build(t, d, hproftest.Shape{}, heap.Options{}), o))
}

func className(g *heap.Graph, o *hproftest.Object) string { return g.Class(g.Object(o.ID)).Name }

// TestMATLocals: a local is a reference of its thread; one without a thread is a root.
func TestMATLocals(t *testing.T) {
	j := hproftest.NewJDK(8, 8)
	local, stray := j.New(j.Object), j.New(j.Object)
	thread := j.NewThread(j.Thread, "main", hproftest.Frame{Class: j.Thread, Method: "run", Locals: []*hproftest.Object{local}})
	j.Root(hprof.SubRootJavaFrame, stray)
	g := buildMAT(t, j.Finish())
	assert.True(t, isRoot(g, g.Object(thread.ID)))
	assert.False(t, isRoot(g, g.Object(local.ID)))
	assert.Contains(t, refs(g, g.Object(thread.ID)), g.Object(local.ID))
	assert.True(t, isRoot(g, g.Object(stray.ID)))
	tree, err := g.Dominators(context.Background())
	require.NoError(t, err)
	defer tree.Free()
	assert.True(t, tree.Reachable(uint32(g.Object(local.ID))))

	strong := build(t, j.Dump, hproftest.Shape{}, heap.Options{})
	assert.True(t, isRoot(strong, strong.Object(local.ID)))
	assert.NotContains(t, refs(strong, strong.Object(thread.ID)), strong.Object(local.ID))
}

// TestMATSizes checks headers, fields, arrays and class objects for each width of
// references, and the alignment.
func TestMATSizes(t *testing.T) {
	type sizes struct{ base, sub, array, bytes, class int64 }
	f := func(name string, idSize int, gap, align uint64, want sizes) {
		t.Run(name, func(t *testing.T) {
			d := hproftest.New(idSize)
			object := d.Class("java.lang.Object", nil)
			base := d.Class("com.acme.Base", object, hproftest.Ref("r"), hproftest.Byte("b"))
			sub := d.Class("com.acme.Sub", base, hproftest.Long("l"), hproftest.Bool("z"))
			sub.Static("one", nil).Static("two", true)
			arrays := d.Class("[Ljava.lang.Object;", object)
			b, s := d.New(base), d.New(sub)
			first, second := d.Array(arrays, nil, nil, nil), d.Array(arrays)
			bytes := d.Bytes(make([]byte, 5))
			at := uint64(0x10000)
			for _, c := range []*hproftest.Class{object, base, sub, arrays} {
				c.ID = at
				at += 4 * align
			}
			for _, o := range []*hproftest.Object{b, s, bytes, first} {
				o.ID = at
				at += 5 * align
			}
			second.ID = first.ID + gap
			g := buildMAT(t, d)
			size := func(id uint64) int64 { return g.ShallowBytes(g.Object(id)) }
			assert.Equal(t, want, sizes{size(b.ID), size(s.ID), size(first.ID), size(bytes.ID), size(sub.ID)})
		})
	}
	// Base: header, reference and byte, padded to a reference. Sub: 9 more, padded.
	f("32 bit", 4, 32, 8, sizes{base: 16, sub: 32, array: 24, bytes: 24, class: 8})
	f("64 bit", 8, 40, 8, sizes{base: 32, sub: 48, array: 48, bytes: 32, class: 16})
	f("64 bit, an array inside the one before it", 8, 32, 8, sizes{base: 24, sub: 32, array: 32, bytes: 24, class: 8})
	f("aligned to 24", 8, 48, 24, sizes{base: 48, sub: 48, array: 48, bytes: 48, class: 24})
	f("aligned to 16", 8, 48, 16, sizes{base: 32, sub: 48, array: 48, bytes: 32, class: 16})
}

// TestMATNullRoots: a root of address 0 is the boot loader.
func TestMATNullRoots(t *testing.T) {
	d := hproftest.New(8)
	d.Class("java.lang.Object", nil)
	d.Root(hprof.SubRootJNIGlobal, &hproftest.Object{})
	g := buildMAT(t, d)
	assert.True(t, isRoot(g, bootLoader(t, g)))
	assert.NotContains(t, build(t, d, hproftest.Shape{}, heap.Options{}).RootObjects(), heap.ObjID(0))
}

// TestMATMissingSuper: a superclass that the dump lacks is made up at its address; its
// fields are what an instance of the subclass has left.
func TestMATMissingSuper(t *testing.T) {
	d := hproftest.New(4)
	object := d.Class("java.lang.Object", nil)
	// Sub declares the fields of the class that will be missing as well.
	gone := d.Class("com.acme.Gone", object, hproftest.Long("a"), hproftest.Int("b"), hproftest.Byte("c"))
	sub := d.Class("com.acme.Sub", gone, hproftest.Ref("r"))
	a := d.New(sub)
	d.Bytes(nil) // for an alignment of 8
	d.Bytes(make([]byte, 5))
	d.Bytes(nil)
	d.Forget(gone)
	g := buildMAT(t, d)
	super := g.ClassAt(gone.ID)
	require.NotEqual(t, heap.NoClass, super)
	assert.NotZero(t, g.Object(a.ID))
	assert.Equal(t, int64(32), g.ShallowBytes(g.Object(a.ID)), "header 8, 13 padded to 16, reference 4, aligned")
	assert.Equal(t, "java.lang.Object", g.Classes[g.Classes[super].Super].Name)
	assert.Contains(t, refs(g, g.Object(sub.ID)), g.Classes[super].Object)
	assert.Equal(t, "java.lang.Class", g.Class(g.Classes[super].Object).Name)
}

// TestMATMissingSupersTakeLittle: what instances are said to have left is bounded for all superclasses that
// a hostile dump lacks, not for each.
func TestMATMissingSupersTakeLittle(t *testing.T) {
	d := hproftest.New(8)
	object := d.Class("java.lang.Object", nil)
	var subs []*hproftest.Class
	for i := range 100 {
		gone := d.Class(fmt.Sprintf("Gone%d", i), object)
		subs = append(subs, d.Class(fmt.Sprintf("Sub%d", i), gone))
		d.Forget(gone)
	}
	data := d.Encode(hproftest.Shape{})
	for _, c := range subs {
		const declared = 1 + 8 + 4 + 6*8 // tag, id, trace, ids: where the size of an instance is
		at := bytes.Index(data, binary.BigEndian.AppendUint64([]byte{byte(hprof.SubClassDump)}, c.ID))
		require.Positive(t, at)
		binary.BigEndian.PutUint32(data[at+declared:], 1<<31)
	}
	path := filepath.Join(t.TempDir(), "hostile.hprof")
	require.NoError(t, os.WriteFile(path, data, 0o600))
	f, err := hprof.Open(t.Context(), path, nil)
	require.NoError(t, err)
	defer f.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	g, err := heap.Build(t.Context(), f, heap.Options{Edges: heap.EdgesMAT})
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	defer g.Close()
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20), "for each they would be a gigabyte")
}

// TestMATUndescribedClass is a difference that is left: instances of a class that the
// dump does not describe count as a header, where MAT takes the length of their fields.
func TestMATUndescribedClass(t *testing.T) {
	d := hproftest.New(4)
	object := d.Class("java.lang.Object", nil)
	gone := d.Class("com.acme.Gone", object, hproftest.Long("a"), hproftest.Long("b"))
	a := d.New(gone)
	d.Bytes(nil) // for an alignment of 8
	d.Bytes(make([]byte, 5))
	d.Bytes(nil)
	d.Forget(gone)
	g := buildMAT(t, d)
	id := g.Object(a.ID)
	assert.Equal(t, fmt.Sprintf("(unknown class %#x)", gone.ID), g.Class(id).Name)
	assert.Equal(t, int64(8), g.ShallowBytes(id))
	assert.Equal(t, gone.ID, g.Address(g.Class(id).Object), "the class is an object all the same")
	strong := build(t, d, hproftest.Shape{}, heap.Options{})
	assert.Zero(t, strong.Class(strong.Object(a.ID)).Object)
}

// TestMATReferencesToMadeUp: fields and elements hold a class that is made up as they do
// any other object.
func TestMATReferencesToMadeUp(t *testing.T) {
	for _, idSize := range []int{4, 8} {
		j := hproftest.NewJDK(8, idSize)
		gone := j.Class("com.acme.Gone", j.Object)
		j.New(gone) // names it
		mirror := &hproftest.Object{ID: gone.ID}
		field := j.New(j.Class("com.acme.Holder", j.Object, hproftest.Ref("type"))).Set("type", mirror)
		objects := j.Class("[Ljava.lang.Object;", j.Object)
		short := j.Array(objects, field, mirror)
		long := j.Array(objects, append(make([]*hproftest.Object, 50_000), mirror)...)
		d := j.Finish()
		d.Forget(gone)
		g := buildMAT(t, d)
		made := g.Classes[g.ClassAt(gone.ID)].Object
		require.NotZero(t, made)
		assert.Contains(t, refs(g, g.Object(field.ID)), made)
		assert.Contains(t, refs(g, g.Object(short.ID)), made)
		assert.Contains(t, refs(g, g.Object(short.ID)), g.Object(field.ID))
		assert.Contains(t, refs(g, g.Object(long.ID)), made)
		assert.NotContains(t, refs(g, g.Object(field.ID)), bootLoader(t, g), "null is not the boot loader")
	}
}

// TestMATMadeUpByAddress: what is made up is found by its address, and how it is held is told.
func TestMATMadeUpByAddress(t *testing.T) {
	j := hproftest.NewJDK(8, 8)
	gone := j.Class("com.acme.Gone", j.Object)
	sub := j.Class("com.acme.Sub", gone)
	one := j.New(gone)
	d := j.Finish()
	d.Forget(gone)
	g := buildMAT(t, d)
	made := g.Object(gone.ID)
	require.NotZero(t, made)
	assert.Equal(t, g.Classes[g.ClassAt(gone.ID)].Object, made)
	assert.Zero(t, g.Object(0), "null is no object")

	f := func(from, to heap.ObjID, want heap.LinkKind) {
		t.Helper()
		links, err := g.Links(t.Context(), []heap.ObjID{from, to})
		require.NoError(t, err)
		assert.Equal(t, []heap.Link{{Kind: want}}, links)
	}
	classClass := g.Object(classObject(g, "java.lang.Class"))
	f(g.Object(sub.ID), made, heap.LinkSuperclass)
	f(g.Object(one.ID), made, heap.LinkClass)
	f(made, classClass, heap.LinkClass)
	f(made, bootLoader(t, g), heap.LinkLoader)
	f(bootLoader(t, g), g.Object(classObject(g, "java.lang.ClassLoader")), heap.LinkClass)
	f(made, g.Object(j.Object.ID), heap.LinkSuperclass)
}

// TestByAddress goes through objects of the dump and made-up ones, before, between and behind them, at most so many at once.
func TestByAddress(t *testing.T) {
	j := hproftest.NewJDK(8, 8)
	gone := j.Class("com.acme.Gone", j.Object)
	for range 10 {
		j.New(gone)
	}
	last := j.Class("com.acme.Last", j.Object)
	j.New(last)
	d := j.Finish()
	d.Forget(gone)
	d.Forget(last)
	g := buildMAT(t, d)
	for _, limit := range []int{1, 4, 1 << 20} {
		var addresses []uint64
		for s := range g.ByAddress(limit) {
			assert.LessOrEqual(t, int(s.Last-s.First), limit-1)
			for o := s.First; o <= s.Last; o++ {
				addresses = append(addresses, g.Address(o))
			}
		}
		assert.Len(t, addresses, g.Objects())
		assert.IsIncreasing(t, addresses)
	}
}

// TestMATWatchedThread: a thread that holds locals has its row too.
func TestMATWatchedThread(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	worker := j.Class("com.acme.Worker", j.ClassNamed("java.lang.Thread"), hproftest.Int("jobs"))
	local := j.New(j.Object)
	thread := j.NewThread(worker, "worker", hproftest.Frame{Class: worker, Method: "run", Locals: []*hproftest.Object{local}}).Set("jobs", int32(7))
	w := heap.Watch{Class: "com.acme.Worker", Fields: []heap.FieldName{{Class: "com.acme.Worker", Field: "jobs"}}}
	g := build(t, j.Finish(), hproftest.Shape{}, heap.Options{Edges: heap.EdgesMAT, Watches: []heap.Watch{w}})
	assert.Contains(t, refs(g, g.Object(thread.ID)), g.Object(local.ID))
	require.Equal(t, []heap.ObjID{g.Object(thread.ID)}, g.Tables[0].Objects)
	assert.EqualValues(t, 7, g.Tables[0].Int(0, 0))
}

package heap_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

func build(t testing.TB, d *hproftest.Dump, s hproftest.Shape, o heap.Options) *heap.Graph {
	t.Helper()
	f, err := hprof.Open(context.Background(), d.WriteFile(t, s), nil)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, f.Close()) })
	g, err := heap.Build(context.Background(), f, o)
	require.NoError(t, err)
	t.Cleanup(g.Close)
	return g
}

// refs lists what an object refers to.
func refs(g *heap.Graph, o heap.ObjID) []heap.ObjID { return slices.Collect(g.References(o)) }

// TestReferences checks edges, classes and sizes of a small heap by hand.
func TestReferences(t *testing.T) {
	for _, idSize := range []int{4, 8} {
		j := hproftest.NewJDK(17, idSize)
		node := j.Class("com.acme.Node", j.Object, hproftest.Ref("next"), hproftest.Long("value"))
		sub := j.Class("com.acme.Sub", node, hproftest.Ref("next"), hproftest.Bool("flag"))
		a, b, c := j.New(node), j.New(sub), j.New(node)
		a.Set("next", b)
		b.Set("com.acme.Sub.next", c).Set("com.acme.Node.next", a)
		node.Static("first", a)
		weak, soft := j.Weak(c), j.Soft(c)
		list := j.Array(j.Objects, a, nil, a, weak, soft)
		g := build(t, j.Finish(), hproftest.Shape{}, heap.Options{})

		at := func(o *hproftest.Object) heap.ObjID {
			id := g.Object(o.ID)
			require.NotZero(t, id)
			require.Equal(t, o.ID, g.Address(id))
			return id
		}
		assert.Equal(t, []heap.ObjID{at(b)}, refs(g, at(a)))
		assert.Equal(t, []heap.ObjID{at(c), at(a)}, refs(g, at(b)), "own fields first, then the superclass's")
		assert.Empty(t, refs(g, at(weak)), "a weak referent is no edge")
		assert.Equal(t, []heap.ObjID{at(c)}, refs(g, at(soft)), "a soft referent is one")
		assert.Equal(t, []heap.ObjID{at(a), at(weak), at(soft)}, refs(g, at(list)))
		assert.Contains(t, refs(g, g.Object(node.ID)), at(a), "a static field")
		assert.Equal(t, "com.acme.Sub", g.Class(at(b)).Name)
		assert.Equal(t, "java.lang.Object[]", g.Class(at(list)).Name)
		assert.True(t, g.IsSubclass(g.ClassOf(at(b)), "com.acme.Node"))
		assert.Zero(t, g.Object(a.ID+4), "no object begins inside another")
	}
}

// TestTables checks watched fields, among them two of the same name.
func TestTables(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	node := j.Class("com.acme.Node", j.Object, hproftest.Ref("next"), hproftest.Int("value"))
	sub := j.Class("com.acme.Sub", node, hproftest.Ref("next"))
	a := j.New(node).Set("value", int32(-5))
	b := j.New(sub).Set("com.acme.Sub.next", a).Set("value", int32(7))
	b.Set("com.acme.Node.next", b)
	w := heap.Watch{Class: "com.acme.Node", Fields: []heap.FieldName{
		{Class: "com.acme.Node", Field: "next"}, {Class: "com.acme.Sub", Field: "next"},
		{Class: "com.acme.Node", Field: "value"}, {Class: "com.acme.Node", Field: "missing"}}}
	g := build(t, j.Finish(), hproftest.Shape{Shuffle: 3, SegmentBytes: 50}, heap.Options{Watches: []heap.Watch{w}})
	table := g.Tables[0]
	require.Equal(t, 2, table.Len())
	assert.Equal(t, []bool{true, true, true, false}, table.Found)
	ra, rb := table.Row(g.Object(a.ID)), table.Row(g.Object(b.ID))
	assert.True(t, table.IsNull(ra, 0))
	assert.Equal(t, int64(-5), table.Int(ra, 2))
	assert.Equal(t, g.Object(b.ID), table.Ref(rb, 0))
	assert.Equal(t, g.Object(a.ID), table.Ref(rb, 1))
	assert.Equal(t, int64(7), table.Int(rb, 2))
	assert.Equal(t, -1, table.Row(1<<20))
}

// TestFlags asks for a field that some classes have, as a boolean or an int, and for a second one
// where they do not.
func TestFlags(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	stream := j.Class("com.acme.Stream", j.Object, hproftest.Ref("in"), hproftest.Bool("closed"))
	statement := j.Class("com.acme.Statement", stream, hproftest.Int("isClosed"))
	other := j.Class("com.acme.Other", j.Object, hproftest.Ref("closed"), hproftest.Long("isClosed"))
	bare := j.Class("com.acme.Bare", j.Object, hproftest.Long("length"), hproftest.Bool("closed"))
	for name, c := range map[string]struct {
		object  *hproftest.Object
		set, ok bool
	}{
		"a boolean, true":  {j.New(stream).Set("closed", true), true, true},
		"a boolean, false": {j.New(stream), false, true},
		"no reference":     {j.New(bare).Set("closed", true), true, true},
		"an int":           {j.New(statement).Set("isClosed", int32(1<<16)), true, true},
		"an int, 0, before a boolean of its superclass": {j.New(statement).Set("closed", true), false, true},
		"fields of other types":                         {j.New(other).Set("closed", j.New(stream)).Set("isClosed", int64(1)), false, false},
		"an array":                                      {j.Bytes(make([]byte, 3)), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			g := build(t, j.Finish(), hproftest.Shape{Shuffle: 3, SegmentBytes: 50}, heap.Options{Flags: []string{"isClosed", "closed"}})
			set, ok := g.Flag(g.Object(c.object.ID))
			assert.Equal(t, c.set, set)
			assert.Equal(t, c.ok, ok)
		})
	}
	g := build(t, j.Finish(), hproftest.Shape{}, heap.Options{})
	_, ok := g.Flag(1)
	assert.False(t, ok, "nobody asked")
}

// TestLongTables: of many rows, columns have few values, as many as that, one more, or many; one begins with
// references to what is not in the dump, and has no more of them. The rows come in no order, and in that of the objects.
func TestLongTables(t *testing.T) {
	for _, shape := range []hproftest.Shape{{Shuffle: 5, SegmentBytes: 1 << 16}, {}} {
		testLongTables(t, shape)
	}
}

func testLongTables(t *testing.T, shape hproftest.Shape) {
	t.Helper()
	const rows, gone = 70_000, 100
	j := hproftest.NewJDK(17, 8)
	node := j.Class("com.acme.Node", j.Object, hproftest.Ref("queue"), hproftest.Int("few"), hproftest.Int("more"), hproftest.Long("due"), hproftest.Int("own"), hproftest.Ref("early"))
	queues := []*hproftest.Object{j.New(j.Object), j.New(j.Object), nil}
	absent := j.New(j.Object)
	absent.Forget()
	var nodes []*hproftest.Object
	for i := range rows {
		o := j.New(node).Set("few", int32(-i%16)).Set("more", int32(i%17)).Set("due", int64(i%3)<<33-1).Set("own", int32(i))
		if q := queues[i%3]; q != nil {
			o.Set("queue", q)
		}
		if i < gone {
			o.Set("early", absent)
		}
		nodes = append(nodes, o)
	}
	var fields []heap.FieldName
	for _, name := range []string{"queue", "few", "more", "due", "own", "early"} {
		fields = append(fields, heap.FieldName{Class: "com.acme.Node", Field: name, Long: name == "due"})
	}
	g := build(t, j.Finish(), shape, heap.Options{Watches: []heap.Watch{{Class: "com.acme.Node", Fields: fields}}})
	table := g.Tables[0]
	require.Equal(t, rows, table.Len())
	for i, o := range nodes {
		row := table.Row(g.Object(o.ID))
		require.Equal(t, queues[i%3] == nil, table.IsNull(row, 0))
		if q := queues[i%3]; q != nil {
			require.Equal(t, g.Object(q.ID), table.Ref(row, 0))
		}
		require.Equal(t, i >= gone, table.IsNull(row, 5))
		require.Zero(t, table.Ref(row, 5))
		require.Equal(t, []int64{int64(-i % 16), int64(i % 17), int64(i%3)<<33 - 1, int64(i)},
			[]int64{table.Int(row, 1), table.Int(row, 2), table.Long(row, 3), table.Int(row, 4)})
	}
}

func TestStrings(t *testing.T) {
	for _, version := range []int{8, 17} {
		j := hproftest.NewJDK(version, 8)
		s := j.String("Timer-0")
		g := build(t, j.Finish(), hproftest.Shape{}, heap.Options{})
		id := g.Object(s.ID)
		text, err := g.Strings(context.Background(), []heap.ObjID{id, 1})
		require.NoError(t, err)
		assert.Equal(t, map[heap.ObjID]string{id: "Timer-0"}, text)
	}
}

// describe renders a graph by addresses, which no shape of the dump changes.
func describe(g *heap.Graph) string {
	text := ""
	for o := heap.ObjID(1); int(o) <= g.Objects(); o++ {
		text += fmt.Sprintf("%#x %s %d", g.Address(o), g.Class(o).Name, g.ShallowBytes(o))
		for _, r := range refs(g, o) {
			text += fmt.Sprintf(" %#x", g.Address(r))
		}
		text += "\n"
	}
	for i := range g.Classes {
		c := &g.Classes[i]
		text += fmt.Sprintln(c.Name, c.Instances, c.ShallowBytes)
	}
	return text
}

// TestShapeDoesNotMatter writes one random heap in many ways.
func TestShapeDoesNotMatter(t *testing.T) {
	j := hproftest.NewJDK(21, 8)
	r := rand.New(rand.NewPCG(1, 2))
	node := j.Class("com.acme.Node", j.Object, hproftest.Ref("a"), hproftest.Ref("b"), hproftest.Int("n"))
	objects := []*hproftest.Object{j.New(node)}
	pick := func() *hproftest.Object { return objects[r.IntN(len(objects))] }
	for range 3000 {
		switch r.IntN(4) {
		case 0:
			objects = append(objects, j.Array(j.Objects, pick(), nil, pick()))
		case 1:
			j.Bytes(make([]byte, r.IntN(100)))
		default:
			objects = append(objects, j.New(node).Set("a", pick()).Set("b", pick()))
		}
	}
	d := j.Finish()
	want := describe(build(t, d, hproftest.Shape{}, heap.Options{}))
	for _, s := range []hproftest.Shape{{SegmentBytes: 500}, {SegmentBytes: 5000, Shuffle: 1}, {Shuffle: 2}, {Gzip: true}} {
		require.Equal(t, want, describe(build(t, d, s, heap.Options{})), "%+v", s)
	}
}

// TestIDsThatAreNoAddresses is what the hprof agent writes: serial numbers.
func TestIDsThatAreNoAddresses(t *testing.T) {
	d := hproftest.New(4)
	object := d.Class("java.lang.Object", nil)
	list := d.Class("[Ljava.lang.Object;", object)
	a, b := d.New(object), d.New(object)
	a.ID, b.ID = 1001, 1002
	array := d.Array(list, a, b)
	d.StickyClasses()
	g := build(t, d, hproftest.Shape{}, heap.Options{})
	assert.Equal(t, []heap.ObjID{1, 2}, refs(g, g.Object(array.ID)))
	assert.Equal(t, uint64(1002), g.Address(2))
}

// TestCut builds what is left of a dump cut at many places, before its heap begins, too.
func TestCut(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	node := j.Class("com.acme.Node", j.Object, hproftest.Ref("next"))
	last := j.New(node)
	for range 200 {
		last = j.New(node).Set("next", last)
	}
	data := j.Finish().Encode(hproftest.Shape{SegmentBytes: 1000})
	const header = len("JAVA PROFILE 1.0.2") + 1 + 4 + 8
	for n := header; n < len(data); n += 1 + n/header {
		path := hproftest.WriteBytes(t, data[:n])
		f, err := hprof.Open(context.Background(), path, nil)
		require.NoError(t, err)
		g, err := heap.Build(context.Background(), f, heap.Options{})
		require.NoError(t, err, "cut at %d", n)
		assert.NotEmpty(t, g.Damage, "cut at %d", n)
		g.Close()
		assert.NoError(t, f.Close())
	}
}

func TestReachableWithout(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	node := j.Class("com.acme.Node", j.Object, hproftest.Ref("next"))
	c := j.New(node)
	b := j.New(node).Set("next", c)
	a := j.New(node).Set("next", b)
	j.Root(hprof.SubRootJNIGlobal, a)
	g := build(t, j.Finish(), hproftest.Shape{}, heap.Options{})
	barred := g.NewSet()
	barred.Add(g.Object(b.ID))
	seen, err := g.ReachableWithout(context.Background(), barred)
	require.NoError(t, err)
	assert.True(t, seen.Has(g.Object(a.ID)))
	assert.False(t, seen.Has(g.Object(b.ID)))
	assert.False(t, seen.Has(g.Object(c.ID)))
	tracks, err := g.TracksAround(context.Background(), nil, []heap.ObjID{g.Object(c.ID)})
	require.NoError(t, err)
	defer tracks.Free()
	var back []heap.ObjID
	for o := range tracks.Back(g.Object(c.ID)) {
		back = append(back, o)
	}
	assert.Equal(t, []heap.ObjID{g.Object(c.ID), g.Object(b.ID), g.Object(a.ID)}, back)
}

func TestReachableByOthers(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	node := j.Class("com.acme.Node", j.Object, hproftest.Ref("next"))
	b := j.New(node)
	a, c := j.New(node).Set("next", b), j.New(node)
	e := j.New(node)
	d := j.New(node).Set("next", e)
	j.Root(hprof.SubRootJNILocal, a)
	j.Root(hprof.SubRootJNIGlobal, d)
	j.Root(hprof.SubRootJNIGlobal, b)
	j.Root(hprof.SubRootJNILocal, c)
	j.Root(hprof.SubRootJNIGlobal, c)
	g := build(t, j.Finish(), hproftest.Shape{}, heap.Options{})
	seen, err := g.ReachableByOthers(context.Background(), heap.Root.Local, g.SetOf([]heap.ObjID{g.Object(d.ID)}))
	require.NoError(t, err)
	assert.False(t, seen.Has(g.Object(a.ID)))
	assert.True(t, seen.Has(g.Object(b.ID)), "held by its own root, too")
	assert.True(t, seen.Has(g.Object(c.ID)), "one of its roots is another's")
	assert.False(t, seen.Has(g.Object(e.ID)), "the way to it is barred")
}

// TestAlignmentOfFewObjects: where few objects tell, their distances have more in common
// than the alignment, which is a power of two.
func TestAlignmentOfFewObjects(t *testing.T) {
	d := hproftest.New(8)
	object := d.Class("java.lang.Object", nil)
	first, second := d.Bytes(make([]byte, 13)), d.Bytes(nil)
	object.ID, first.ID, second.ID = 0x10000, 0x10000+48, 0x10000+120
	g := build(t, d, hproftest.Shape{}, heap.Options{})
	assert.Equal(t, int64(32), g.ShallowBytes(g.Object(first.ID)))
}

// TestManyRoots: a leak of JNI references lists millions of roots, which take what Roots does.
func TestManyRoots(t *testing.T) {
	const roots = 400_000
	j := hproftest.NewJDK(17, 8)
	o := j.New(j.Object)
	d := j.Finish()
	for range roots {
		d.Root(hprof.SubRootJNIGlobal, o)
	}
	f, err := hprof.Open(t.Context(), d.WriteFile(t, hproftest.Shape{SegmentBytes: 1 << 20}), nil)
	require.NoError(t, err)
	defer f.Close()
	for _, depth := range []heap.Depth{heap.Linked, heap.Counted} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		g, err := heap.Build(t.Context(), f, heap.Options{Depth: depth})
		require.NoError(t, err)
		runtime.ReadMemStats(&after)
		assert.GreaterOrEqual(t, g.Roots.Len(), roots)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(24*roots+16<<20), "bytes of roots, and of all else")
		g.Close()
	}
}

// TestReadInShortSegments finds each object by itself, also one in a segment at whose middle the piece
// of the dump ends that is read for it.
func TestReadInShortSegments(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	node := j.Class("com.acme.Node", j.Object, hproftest.Ref("next"), hproftest.Int("value"))
	var nodes []*hproftest.Object
	for i := range 5000 {
		nodes = append(nodes, j.New(node).Set("value", int32(i)))
	}
	g := build(t, j.Finish(), hproftest.Shape{SegmentBytes: 500}, heap.Options{Depth: heap.Numbered})
	for i, o := range nodes {
		found := false
		require.NoError(t, g.Read(t.Context(), []heap.ObjID{g.Object(o.ID)}, func(c heap.Content) {
			value, _, _ := g.Field(c, heap.FieldName{Class: "com.acme.Node", Field: "value"})
			found = int(value) == i
		}))
		require.True(t, found, i)
	}
}

// TestReadLongArrays gives as much of them as is promised, however much was read before them.
func TestReadLongArrays(t *testing.T) {
	const most = 1 << 20
	j := hproftest.NewJDK(17, 8)
	want := map[*hproftest.Object]int{}
	for _, size := range []int{most - 1, most, most + 1, 3 * most} {
		bytes := make([]byte, size)
		for i := range bytes {
			bytes[i] = byte(i * 7)
		}
		want[j.Bytes(bytes)] = min(size, most)
	}
	g := build(t, j.Finish(), hproftest.Shape{}, heap.Options{Depth: heap.Numbered})
	for o, n := range want {
		require.NoError(t, g.Read(t.Context(), []heap.ObjID{g.Object(o.ID)}, func(c heap.Content) {
			require.Len(t, c.Data, n)
			assert.Equal(t, byte((n-1)*7&0xff), c.Data[n-1])
		}))
	}
}

// TestMirrorBytes: a class object is an instance of java.lang.Class with the static fields behind it.
func TestMirrorBytes(t *testing.T) {
	for _, idSize := range []int{4, 8} {
		j := hproftest.NewJDK(17, idSize)
		plain := j.Class("com.acme.Plain", j.Object)
		static := j.Class("com.acme.Static", j.Object).Static("a", int64(1)).Static("b", int64(2))
		instance := j.New(j.ClassNamed("java.lang.Class"))
		refs := j.Class("com.acme.Refs", j.Object).Static("a", instance).Static("b", instance)
		g := build(t, j.Finish(), hproftest.Shape{}, heap.Options{})
		bytes := g.ShallowBytes(g.Object(instance.ID))
		assert.Equal(t, bytes, g.ShallowBytes(g.Object(plain.ID)))
		assert.Equal(t, bytes+16, g.ShallowBytes(g.Object(static.ID)))
		require.Equal(t, 4, g.Layout.RefBytes)
		assert.Equal(t, bytes+2*4, g.ShallowBytes(g.Object(refs.ID)))
	}
}

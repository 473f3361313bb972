package heap_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// TestRepeatedObjects: objects that are described again, as another class's, are what they
// were described as first, and count once.
func TestRepeatedObjects(t *testing.T) {
	const nodes = 100
	world := func(again bool) (*hproftest.Dump, []*hproftest.Object) {
		j := hproftest.NewJDK(17, 8)
		node := j.Class("com.acme.Node", j.Object, hproftest.Ref("next"), hproftest.Ref("other"))
		twin := j.Class("com.acme.Twin", j.Object, hproftest.Ref("next"), hproftest.Ref("other"))
		var all []*hproftest.Object
		for i := range nodes {
			o := j.New(node)
			if i > 0 {
				o.Set("other", all[i/2])
				all[i-1].Set("next", o)
			}
			all = append(all, o)
		}
		all = append(all, j.Array(j.Objects, all[7], all[50]), j.Bytes([]byte("text")))
		node.Static("first", all[0]).Static("list", all[nodes]).Static("text", all[nodes+1])
		for i := 0; again && i < nodes; i += 3 {
			j.New(node).Set("next", all[(i*7)%nodes]).ID = all[i].ID
			j.New(twin).ID = all[i].ID
			j.New(twin).Set("other", all[i]).ID = all[i/2].ID
			j.Array(j.Objects, all[3], all[4]).ID = all[nodes].ID
		}
		if again {
			j.New(j.ClassNamed("java.lang.Class")).ID = node.ID
		}
		return j.Finish(), all
	}
	clean, want := world(false)
	again, got := world(true)
	for name, edges := range map[string]heap.Edges{"strong": heap.EdgesStrong, "mat": heap.EdgesMAT} {
		a := build(t, clean, hproftest.Shape{}, heap.Options{Edges: edges})
		b := build(t, again, hproftest.Shape{SegmentBytes: 500}, heap.Options{Edges: edges})
		assert.Zero(t, a.Repeated)
		assert.EqualValues(t, 4*34+1, b.Repeated)
		require.Equal(t, a.Objects(), b.Objects(), name)
		for o := range a.Objects() {
			id := heap.ObjID(o + 1)
			assert.Equal(t, a.Address(id), b.Address(id))
			assert.Equal(t, refs(a, id), refs(b, id), "%s: %#x", name, a.Address(id))
			assert.Equal(t, a.Class(id).Name, b.Class(id).Name)
			assert.Equal(t, a.ShallowBytes(id), b.ShallowBytes(id))
		}
		for i := range a.Classes {
			assert.Equal(t, a.Classes[i].Instances, b.Classes[i].Instances, a.Classes[i].Name)
			assert.Equal(t, a.Classes[i].ShallowBytes, b.Classes[i].ShallowBytes, a.Classes[i].Name)
		}
		for i, o := range got {
			times := 0
			require.NoError(t, b.Read(t.Context(), []heap.ObjID{b.Object(o.ID)}, func(c heap.Content) {
				times++
				assert.Equal(t, b.Class(c.Object).Name, b.ClassName(c.Class))
			}))
			assert.Equal(t, 1, times)
			assert.Equal(t, want[i].ID, o.ID)
		}
	}
}

// firstRepeated looks for the first description in a dump that does not count.
func firstRepeated(t *testing.T, path string) int64 {
	t.Helper()
	f, err := hprof.Open(t.Context(), path, nil)
	require.NoError(t, err)
	defer f.Close()
	outline, err := f.Outline(t.Context(), nil)
	require.NoError(t, err)
	known := map[uint64]bool{}
	for _, classes := range []bool{true, false} {
		o := hprof.NewObjects(f, f.Header.IDSize)
		for _, e := range outline.Extents {
			for o.Reset(e.Start, e.End); o.Next(); {
				switch o.Tag {
				case hprof.SubClassDump, hprof.SubInstance, hprof.SubObjectArray, hprof.SubPrimArray:
					if classes == (o.Tag == hprof.SubClassDump) {
						if known[o.ID] {
							return o.Offset
						}
						known[o.ID] = true
					}
				}
			}
		}
	}
	return 0
}

// TestWhereObjectsAreRepeated: the first description that does not count is told, be it of an
// instance, of an array, of a class by another class dump or by an instance.
func TestWhereObjectsAreRepeated(t *testing.T) {
	again := map[string]func(j *hproftest.JDK, node *hproftest.Class, first, list *hproftest.Object){
		"instance": func(j *hproftest.JDK, node *hproftest.Class, first, _ *hproftest.Object) { j.New(node).ID = first.ID },
		"array":    func(j *hproftest.JDK, _ *hproftest.Class, _, list *hproftest.Object) { j.Array(j.Objects).ID = list.ID },
		"class": func(j *hproftest.JDK, node *hproftest.Class, _, _ *hproftest.Object) {
			j.Class("com.acme.Again", j.Object).ID = node.ID
		},
		"class instance": func(j *hproftest.JDK, node *hproftest.Class, _, _ *hproftest.Object) {
			j.New(j.ClassNamed("java.lang.Class")).ID = node.ID
		},
	}
	for name, describe := range again {
		for _, depth := range []heap.Depth{heap.Linked, heap.Numbered, heap.Counted} {
			j := hproftest.NewJDK(17, 8)
			node := j.Class("com.acme.Node", j.Object, hproftest.Ref("next"))
			first := j.New(node)
			list := j.Array(j.Objects, first)
			node.Static("list", list)
			describe(j, node, first, list)
			d := j.Finish()
			g := build(t, d, hproftest.Shape{SegmentBytes: 300}, heap.Options{Depth: depth})
			if depth == heap.Counted && name != "class" {
				assert.Zero(t, g.Repeated, "classes alone have numbers")
				continue
			}
			assert.EqualValues(t, 1, g.Repeated, name)
			assert.Equal(t, firstRepeated(t, d.WriteFile(t, hproftest.Shape{SegmentBytes: 300})), g.RepeatedAt, "%s, depth %d", name, depth)
			assert.Positive(t, g.RepeatedAt)
		}
	}
}

// TestInstancesOfArrayClasses: what classes are called does not change how their instances count.
func TestInstancesOfArrayClasses(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	all := []*hproftest.Object{j.Bytes([]byte("bytes"))}
	for _, name := range []string{"[Lcom.acme.Node;", "[B", "[[I", "com.acme.Node[]", "com.acme.Node"} {
		c := j.Class(name, j.Object, hproftest.Ref("a"), hproftest.Ref("b"))
		all = append(all, j.New(c), j.New(c))
	}
	j.Class("com.acme.Main", j.Object).Static("all", j.Array(j.Objects, all...))
	g := build(t, j.Finish(), hproftest.Shape{}, heap.Options{})
	var objects, sum, bytes int64
	for i := range g.Classes {
		objects += g.Classes[i].Instances
		bytes += g.Classes[i].ShallowBytes
	}
	for o := range g.Objects() {
		sum += g.ShallowBytes(heap.ObjID(o + 1))
	}
	assert.EqualValues(t, g.Objects(), objects)
	assert.Equal(t, sum, bytes)
}

// TestNamelessClassClass: where nothing names java.lang.Class, as where its name is damaged, class
// objects are of an unknown class, and count.
func TestNamelessClassClass(t *testing.T) {
	d := hproftest.New(8)
	object := d.Class("java.lang.Object", nil)
	d.Class("com.acme.Main", object).Static("one", d.New(object))
	for name, depth := range map[string]heap.Depth{"linked": heap.Linked, "counted": heap.Counted} {
		g := build(t, d, hproftest.Shape{}, heap.Options{Depth: depth})
		require.Len(t, g.ClassesNamed("(unknown class)"), 1, name)
		unknown := g.Classes[g.ClassesNamed("(unknown class)")[0]]
		assert.EqualValues(t, 2, unknown.Instances, name)
		assert.Equal(t, g.Classes[g.ClassAt(object.ID)].MirrorBytes+g.Classes[g.ClassesNamed("com.acme.Main")[0]].MirrorBytes, unknown.ShallowBytes, name)
		assert.NotZero(t, unknown.ShallowBytes, name)
	}
}

// TestClassZero: objects of the class 0, as only damaged dumps have, and arrays of a class that
// is not described, count as what they take.
func TestClassZero(t *testing.T) {
	for _, idSize := range []int{4, 8} {
		j := hproftest.NewJDK(17, idSize)
		null := j.Class("com.acme.Null", j.Object)
		gone := j.Class("[Lcom.acme.Gone;", j.Object)
		objects := []*hproftest.Object{j.New(null), j.Array(null, nil, nil, nil), j.Array(gone, nil, nil), j.New(gone)}
		null.ID = 0
		j.Class("com.acme.Main", j.Object).Static("all", j.Array(j.Objects, objects...))
		d := j.Finish()
		d.Forget(null)
		d.Forget(gone)
		g := build(t, d, hproftest.Shape{}, heap.Options{})
		var sum, counted int64
		for o := range g.Objects() {
			sum += g.ShallowBytes(heap.ObjID(o + 1))
		}
		for i := range g.Classes {
			counted += g.Classes[i].ShallowBytes
			assert.NotContains(t, g.Classes[i].Name, "0xffffffff")
		}
		assert.Equal(t, sum, counted)
		unknown := g.Class(g.Object(objects[0].ID))
		assert.Equal(t, "(unknown class)", unknown.Name)
		assert.EqualValues(t, 2, unknown.Instances)
		assert.NotZero(t, g.ShallowBytes(g.Object(objects[0].ID)))
	}
}

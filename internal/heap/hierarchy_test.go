package heap_test

import (
	"bytes"
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

// classDumpOf is how a class dump of ids of 8 bytes begins: tag, id, trace, superclass.
func classDumpOf(c, super *hproftest.Class) []byte {
	b := binary.BigEndian.AppendUint64([]byte{byte(hprof.SubClassDump)}, c.ID)
	return binary.BigEndian.AppendUint64(append(b, 0, 0, 0, 0), super.ID)
}

// TestSuperclassesInACircle are told, and cut: each class counts its own fields once.
func TestSuperclassesInACircle(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	a := j.Class("com.acme.A", j.Object, hproftest.Ref("a"))
	b := j.Class("com.acme.B", a, hproftest.Ref("b"))
	c := j.Class("com.acme.C", j.Object, hproftest.Ref("c"))
	one := j.New(b)
	one.Set("a", one)
	j.Class("com.acme.Main", j.Object).Static("one", one)
	data := j.Finish().Encode(hproftest.Shape{})
	for class, super := range map[*hproftest.Class]*hproftest.Class{a: b, c: c} {
		require.Equal(t, 1, bytes.Count(data, classDumpOf(class, j.Object)))
		data = bytes.Replace(data, classDumpOf(class, j.Object), classDumpOf(class, super), 1)
	}
	path := filepath.Join(t.TempDir(), "circle.hprof")
	require.NoError(t, os.WriteFile(path, data, 0o600))
	f, err := hprof.Open(t.Context(), path, nil)
	require.NoError(t, err)
	defer f.Close()
	for _, edges := range []heap.Edges{heap.EdgesStrong, heap.EdgesMAT} {
		g, err := heap.Build(t.Context(), f, heap.Options{Edges: edges})
		require.NoError(t, err)
		require.Len(t, g.Damage, 2)
		for i, name := range []string{"com.acme.B", "com.acme.C"} {
			assert.ErrorContains(t, g.Damage[i], fmt.Sprintf("class %s is a superclass of its own", name))
			assert.Equal(t, byte(hprof.SubClassDump), data[g.Damage[i].Offset])
		}
		assert.LessOrEqual(t, g.ShallowBytes(g.Object(one.ID)), int64(32))
		assert.False(t, g.IsSubclass(g.ClassAt(b.ID), "com.acme.A"), "the circle is cut where it is closed")
		assert.True(t, g.IsSubclass(g.ClassAt(a.ID), "com.acme.B"))
		g.Close()
	}
}

// TestAFieldOfUnknownType is told, and takes from instances of its class and of those below what
// lies behind it, and nothing else from the dump.
func TestAFieldOfUnknownType(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	const unknown = hprof.Type(3)
	top := j.Class("com.acme.Top", j.Object, hproftest.Ref("top"))
	odd := j.Class("com.acme.Odd", top, hproftest.Ref("before"), hproftest.Field{Name: "odd", Type: unknown}, hproftest.Ref("behind")).Static("kept", j.Bytes(nil))
	below := j.Class("com.acme.Below", odd, hproftest.Ref("own"))
	var held []*hproftest.Object
	for range 4 {
		held = append(held, j.New(j.Object))
	}
	set := func(o *hproftest.Object) *hproftest.Object {
		return o.Set("top", held[0]).Set("before", held[1]).Set("odd", int64(held[0].ID)).Set("behind", held[2])
	}
	o, p := set(j.New(odd)), set(j.New(below)).Set("own", held[3])
	j.Class("com.acme.Main", j.Object).Static("both", j.Array(j.Objects, o, p))
	g := build(t, j.Finish(), hproftest.Shape{}, heap.Options{})
	require.Len(t, g.Damage, 1)
	assert.ErrorContains(t, g.Damage[0], "field of unknown type 3")
	refersTo := func(o *hproftest.Object, to ...*hproftest.Object) {
		t.Helper()
		var want []uint64
		for _, x := range to {
			want = append(want, x.ID)
		}
		var got []uint64
		for r := range g.References(g.Object(o.ID)) {
			got = append(got, g.Address(r))
		}
		assert.ElementsMatch(t, want, got)
	}
	refersTo(o, held[1])
	refersTo(p, held[3], held[1])
	require.NoError(t, g.Read(t.Context(), []heap.ObjID{g.Object(p.ID)}, func(c heap.Content) {
		assert.Len(t, slices.Collect(g.FieldValues(c)), 2)
	}))
	assert.Len(t, g.Classes[g.ClassAt(odd.ID)].Statics, 1)
}

// TestMoreSuperclassesThanAreLookedAt is told once.
func TestMoreSuperclassesThanAreLookedAt(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	c := j.Object
	for i := range 1100 {
		c = j.Class(fmt.Sprintf("com.acme.C%d", i), c)
	}
	j.New(c)
	g := build(t, j.Finish(), hproftest.Shape{}, heap.Options{})
	require.Len(t, g.Damage, 1)
	assert.ErrorContains(t, g.Damage[0], "class com.acme.C1023 has more than 1023 superclasses")
}

// TestClassesWithoutInstances: what their instances would refer to takes no memory, as a chain of
// thousands of them would have millions of fields.
func TestClassesWithoutInstances(t *testing.T) {
	const classes = 3000
	j := hproftest.NewJDK(17, 8)
	c := j.Object
	for i := range classes {
		c = j.Class(fmt.Sprintf("com.acme.C%d", i), c, hproftest.Ref("a"), hproftest.Ref("b"))
	}
	o := j.New(j.Object)
	c.Static("one", o)
	f, err := hprof.Open(t.Context(), j.Finish().WriteFile(t, hproftest.Shape{}), nil)
	require.NoError(t, err)
	defer f.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	g, err := heap.Build(t.Context(), f, heap.Options{})
	require.NoError(t, err)
	defer g.Close()
	r, err := g.Referrers(t.Context(), g.Object(o.ID), 5)
	require.NoError(t, err)
	runtime.ReadMemStats(&after)
	assert.EqualValues(t, 1, r.References)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(200<<20), "all fields of all of them were 1.4 GB")
}

package heap_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// ART writes Latin-1 strings as byte[] without a coder; their count holds a flag.
//
// Source: DumpHeapInstanceObject of ART's hprof.cc, mirror::String.
func TestStringsOfAndroid(t *testing.T) {
	d := hproftest.New(4)
	object := d.Class("java.lang.Object", nil)
	class := d.Class("java.lang.String", object, hproftest.Int("count"), hproftest.Int("hash"), hproftest.Ref("value"))
	s := d.New(class).Set("count", int32(2*5)).Set("value", d.Bytes([]byte("hello")))
	lost := d.New(class).Set("count", int32(2*5)).Set("value", d.New(object))
	d.StickyClasses()
	g := build(t, d, hproftest.Shape{}, heap.Options{Depth: heap.Numbered})
	text, err := g.Strings(t.Context(), []heap.ObjID{g.Object(s.ID), g.Object(lost.ID)})
	require.NoError(t, err)
	assert.Equal(t, map[heap.ObjID]string{g.Object(s.ID): "hello"}, text)
}

// TestPartsOfChars are what JDK 6 has for substrings; a part that is none counts as the whole.
func TestPartsOfChars(t *testing.T) {
	j := hproftest.NewJDK(8, 8)
	whole := j.String("abcd")
	chars := &hproftest.Object{ID: whole.ID - 24} // it comes right before: a header and four characters
	class := j.Class("java.lang.String", j.Object, hproftest.Ref("value"), hproftest.Long("offset"), hproftest.Long("count"))
	want := map[*hproftest.Object]string{whole: "abcd"}
	for _, part := range []struct {
		offset, count int64
		text          string
	}{
		{1, 2, "bc"}, {0, 4, "abcd"}, {4, 0, ""}, {1, 4, "abcd"}, {-1, 2, "abcd"}, {0, -1, "abcd"}, {5, 0, "abcd"},
		{1 << 62, 0, "abcd"}, {1 << 62, 1 << 62, "abcd"}, {math.MaxInt64, math.MaxInt64, "abcd"},
	} {
		want[j.New(class).Set("value", chars).Set("offset", part.offset).Set("count", part.count)] = part.text
	}
	g := build(t, j.Finish(), hproftest.Shape{}, heap.Options{Depth: heap.Numbered})
	for o, text := range want {
		got, err := g.Strings(t.Context(), []heap.ObjID{g.Object(o.ID)})
		require.NoError(t, err)
		assert.Equal(t, map[heap.ObjID]string{g.Object(o.ID): text}, got)
	}
}

package heap_test

import (
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

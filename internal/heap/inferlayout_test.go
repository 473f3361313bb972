package heap_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// TestLayoutBehindManyClasses has more classes in front of the first array than is looked at of objects, in
// many segments and in one, as JDK 8 writes.
func TestLayoutBehindManyClasses(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	var fields []hproftest.Field
	for i := range 60 {
		fields = append(fields, hproftest.Int(fmt.Sprintf("field%d", i)))
	}
	for i := range 20_000 {
		j.Class(fmt.Sprintf("com.acme.Class%d", i), j.Object, fields...)
	}
	var blocks []*hproftest.Object
	for range 40_000 {
		blocks = append(blocks, j.Bytes(make([]byte, 292)), j.Array(j.Objects, nil, nil, nil))
	}
	j.Root(hprof.SubRootJNIGlobal, j.Array(j.Objects, blocks...))
	dump := j.Finish()
	for _, shape := range []hproftest.Shape{{SegmentBytes: 1 << 20}, {}} {
		g := build(t, dump, shape, heap.Options{})
		assert.True(t, g.Layout.Sure)
		assert.Equal(t, 4, g.Layout.RefBytes)
	}
}

// TestAlignmentOfAll has all objects that are looked at lie 32 bytes apart, behind many classes: those
// elsewhere tell the alignment, and sizes are by that.
func TestAlignmentOfAll(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	for i := range 20_000 {
		j.Class(fmt.Sprintf("com.acme.Class%d", i), j.Object, hproftest.Int("a"), hproftest.Int("b"), hproftest.Int("c"), hproftest.Int("d"), hproftest.Int("e"))
	}
	for range 60_000 {
		j.Root(hprof.SubRootUnknown, j.Bytes(make([]byte, 12)))
		j.Root(hprof.SubRootUnknown, j.Array(j.Objects, nil, nil, nil, nil))
	}
	long := j.Class("com.acme.Long", j.Object, hproftest.Long("value"))
	for range 60_000 {
		j.Root(hprof.SubRootUnknown, j.New(long))
	}
	g := build(t, j.Finish(), hproftest.Shape{SegmentBytes: 1 << 20}, heap.Options{})
	assert.Equal(t, "64-bit, compressed references, 8-byte alignment", g.Layout.String())
	assert.EqualValues(t, 60_000*24, g.Classes[g.ClassesNamed("com.acme.Long")[0]].ShallowBytes)
}

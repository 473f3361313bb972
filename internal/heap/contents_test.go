package heap_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// TestCopies counts arrays of the same content.
func TestCopies(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	for i := range 500 {
		j.String("the same text everywhere")
		j.String(fmt.Sprintf("text number %d", i%100))
		j.String(fmt.Sprintf("unique text %d", i))
	}
	g := build(t, j.Finish(), hproftest.Shape{SegmentBytes: 1000, Shuffle: 5}, heap.Options{Contents: true})
	c := g.Copies
	assert.Equal(t, int64(1500), c.Arrays)
	assert.Equal(t, int64(1+100+500), c.Distinct)
	assert.Equal(t, int64(499*40+400*32), c.WastedBytes)
	require.Len(t, c.Groups, 101)
	assert.Equal(t, int64(500), c.Groups[0].Count)
	assert.Equal(t, int64(499*40), c.Groups[0].WastedBytes)

	none := build(t, j.Finish(), hproftest.Shape{}, heap.Options{})
	assert.Empty(t, none.Copies)
}

// TestManyCopies has more contents that waste the same than are told: those of the lowest addresses are.
func TestManyCopies(t *testing.T) {
	const contents, told = 6000, 200
	j := hproftest.NewJDK(17, 8)
	var arrays []*hproftest.Object
	for i := range 2 * contents {
		arrays = append(arrays, j.Bytes(fmt.Appendf(nil, "text %05d", i%contents)))
	}
	g := build(t, j.Finish(), hproftest.Shape{Shuffle: 5}, heap.Options{Contents: true})
	assert.EqualValues(t, contents, g.Copies.Distinct)
	require.Len(t, g.Copies.Groups, told)
	for i, group := range g.Copies.Groups {
		assert.Equal(t, heap.CopyGroup{Count: 2, WastedBytes: 32, Examples: []heap.ObjID{g.Object(arrays[i].ID)}}, group)
	}
}

// TestFills counts the elements of arrays that are not null.
func TestFills(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	o := j.New(j.Object)
	j.Array(j.Objects, o, nil, nil, nil)
	j.Array(j.Objects, o, o, o, nil)
	j.Array(j.Objects, make([]*hproftest.Object, 1<<17)...)
	j.Array(j.Objects)
	g := build(t, j.Finish(), hproftest.Shape{}, heap.Options{Contents: true})
	f := g.Fills[g.ClassesNamed("java.lang.Object[]")[0]]
	assert.Equal(t, heap.Fill{Arrays: 4, Slots: 8 + 1<<17, Used: 4, SparseArrays: 2, SparseSlots: 3 + 1<<17}, f)
	require.Len(t, g.Sparse, 1)
	assert.Equal(t, int64(1<<17), g.Sparse[0].Slots)
}

// TestWatchAtLeast keeps the rows of big values only.
func TestWatchAtLeast(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	list := j.Class("java.util.ArrayList", j.Object, hproftest.Int("size"))
	for i := range 10 {
		j.New(list).Set("size", int32(i*100-100))
	}
	w := heap.Watch{Class: "java.util.ArrayList", Fields: []heap.FieldName{{Class: "java.util.ArrayList", Field: "size"}}, AtLeast: 500}
	g := build(t, j.Finish(), hproftest.Shape{}, heap.Options{Watches: []heap.Watch{w}})
	require.Equal(t, 4, g.Tables[0].Len())
	assert.Equal(t, int64(500), g.Tables[0].Int(0, 0))
}

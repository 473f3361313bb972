package heap_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// TestManyRootsArePlanned: a leak of JNI references lists millions, and memory that nobody counted on
// would pass any limit.
func TestManyRootsArePlanned(t *testing.T) {
	const n = 1<<20 + 1
	d := hproftest.New(8)
	o := d.New(d.Class("java.lang.Object", nil))
	for range n {
		d.Root(hprof.SubRootJNIGlobal, o)
	}
	f, err := hprof.Open(t.Context(), d.WriteFile(t, hproftest.Shape{}), nil)
	require.NoError(t, err)
	defer f.Close()

	tooMuch := errors.New("too much")
	var planned int64
	memory := &offheap.Memory{Planner: func(n offheap.Need) error {
		if n.Phase == "reading GC roots" {
			planned = n.Bytes
			return tooMuch
		}
		return nil
	}}
	_, err = heap.Build(t.Context(), f, heap.Options{Memory: memory})
	require.ErrorIs(t, err, tooMuch)
	assert.GreaterOrEqual(t, planned, int64(2*12*n))
	assert.Zero(t, memory.Reserved(), "all is given back")

	memory = &offheap.Memory{}
	g, err := heap.Build(t.Context(), f, heap.Options{Memory: memory})
	require.NoError(t, err)
	listed := 0
	for r := range g.Roots.All() {
		if r.Object == g.Object(o.ID) && r.Kind == hprof.SubRootJNIGlobal && r.Thread == 0 {
			listed++
		}
	}
	assert.Equal(t, n, listed)
	g.Close()
	assert.Zero(t, memory.Reserved())
}

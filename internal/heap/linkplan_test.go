package heap_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// TestReferencesOfManyClassesArePlanned: each class with instances has the references of its superclasses
// noted once more, which may be too much for the memory there is.
func TestReferencesOfManyClassesArePlanned(t *testing.T) {
	const refs, classes = 300, 200
	d := hproftest.New(8)
	object := d.Class("java.lang.Object", nil)
	fields := []hproftest.Field{hproftest.Int("none")}
	for i := range refs {
		fields = append(fields, hproftest.Ref(fmt.Sprintf("f%d", i)))
	}
	wide := d.Class("com.acme.Wide", object, fields...)
	for i := range classes {
		d.New(d.Class(fmt.Sprintf("com.acme.Sub%d", i), wide, hproftest.Ref("own")))
		d.Class(fmt.Sprintf("com.acme.Unused%d", i), wide)
	}
	tooMuch := errors.New("too much")
	var fixed []int64
	m := &offheap.Memory{Planner: func(n offheap.Need) error {
		if n.Phase != "planning references" && n.Phase != "looking for references" {
			return nil
		}
		fixed = append(fixed, n.Fixed)
		return tooMuch
	}}
	f, err := hprof.Open(t.Context(), d.WriteFile(t, hproftest.Shape{}), nil)
	require.NoError(t, err)
	defer f.Close()
	_, err = heap.Build(t.Context(), f, heap.Options{Memory: m})
	require.ErrorIs(t, err, tooMuch)
	g, err := heap.Build(t.Context(), f, heap.Options{Memory: m, Depth: heap.Numbered})
	require.NoError(t, err)
	defer g.Close()
	_, err = g.Referrers(t.Context(), 1, 10)
	require.ErrorIs(t, err, tooMuch)
	assert.Len(t, fixed, 2)
	assert.EqualValues(t, 4*classes*(refs+1), fixed[0])
	assert.Greater(t, fixed[1], fixed[0], "with their names")
}

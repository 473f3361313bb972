package finding_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// TestRetainedOfReferents: what they retain is the same whether it was summed up for all of
// the class before, or only some of its instances have Finalizers.
func TestRetainedOfReferents(t *testing.T) {
	census := func(others int, summed bool) int64 {
		j := hproftest.NewJDK(17, 8)
		class := j.Class("com.acme.Resource", j.Object, hproftest.Ref("next"))
		last := j.New(j.Object)
		for i := range 1500 + others {
			o := j.New(class)
			if i%3 > 0 {
				o.Set("next", last) // one keeps another one
			} else {
				j.Root(hprof.SubRootJNIGlobal, o)
				j.Root(hprof.SubRootJNIGlobal, last)
			}
			if i >= others {
				j.Finalizer(o, hproftest.Registered)
			}
			last = o
		}
		j.Root(hprof.SubRootJNIGlobal, last)
		h := open(t, j.Finish())
		var classRetained []uint64
		if summed {
			sums, err := h.Survey(context.Background(), h.Tree, heap.Survey{})
			require.NoError(t, err)
			classRetained = sums.Retained[0]
		}
		require.NoError(t, h.Examine(context.Background(), classRetained))
		f, _ := h.Census()
		require.Equal(t, finding.States{RegisteredHeld: 1500}, f.Classes[0].States)
		require.NotNil(t, f.Classes[0].RetainedBytes)
		return *f.Classes[0].RetainedBytes
	}
	all := census(0, false)
	assert.Equal(t, all, census(0, true))
	assert.Equal(t, all, census(300, true), "without those that have none")
}

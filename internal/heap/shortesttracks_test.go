package heap_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// TestTracksGoOn: a walk that is asked for one object after the other goes the ways of one that is
// asked for all at once, and its ways are the shortest.
func TestTracksGoOn(t *testing.T) {
	const n = 400
	random := rand.New(rand.NewPCG(1, 2))
	j := hproftest.NewJDK(17, 8)
	node := j.Class("com.acme.Node", j.Object, hproftest.Ref("a"), hproftest.Ref("b"))
	nodes := make([]*hproftest.Object, n)
	for i := range nodes {
		nodes[i] = j.New(node)
	}
	for _, o := range nodes {
		o.Set("a", nodes[random.IntN(n)])
		o.Set("b", nodes[random.IntN(n)])
	}
	j.Root(hprof.SubRootJNIGlobal, nodes[0])
	j.Root(hprof.SubRootStickyClass, nodes[1])
	j.Root(hprof.SubRootJNILocal, nodes[2])
	g := build(t, j.Finish(), hproftest.Shape{}, heap.Options{})
	all := make([]heap.ObjID, n)
	for i, o := range nodes {
		all[i] = g.Object(o.ID)
	}
	whole, err := g.TracksAround(t.Context(), nil, all)
	require.NoError(t, err)
	defer whole.Free()
	steps, err := g.NewTracks(nil)
	require.NoError(t, err)
	defer steps.Free()
	for _, i := range random.Perm(n) {
		require.NoError(t, steps.Find(t.Context(), g.SetOf(all[i:i+1])))
		assert.Equal(t, whole.Before(all[i]), steps.Before(all[i]), "node %d", i)
	}
	way := func(o heap.ObjID) []heap.ObjID { return slices.Collect(whole.Back(o)) }
	for _, o := range all {
		from := way(o)
		if len(from) == 0 || from[len(from)-1] == g.Object(nodes[2].ID) {
			continue // not reached, or by a local alone
		}
		for v := range g.References(o) {
			assert.LessOrEqual(t, len(way(v)), len(from)+1)
		}
	}
}

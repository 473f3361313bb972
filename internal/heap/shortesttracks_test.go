package heap_test

import (
	"context"
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
	steps, err := g.Tracks()
	require.NoError(t, err)
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

// TestWalkIsStopped: a walk that its context stopped goes on where it was.
func TestWalkIsStopped(t *testing.T) {
	const n = 300_000 // more than is walked between two looks at whether to stop
	j := hproftest.NewJDK(17, 8)
	node := j.Class("com.acme.Node", j.Object, hproftest.Ref("next"))
	nodes := make([]*hproftest.Object, n)
	for i := range nodes {
		nodes[i] = j.New(node)
		if i > 0 {
			nodes[i-1].Set("next", nodes[i])
		}
	}
	j.Root(hprof.SubRootJNIGlobal, nodes[0])
	g := build(t, j.Finish(), hproftest.Shape{}, heap.Options{})
	last := g.Object(nodes[n-1].ID)
	far := g.SetOf([]heap.ObjID{last})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	tracks, err := g.Tracks()
	require.NoError(t, err)
	assert.ErrorIs(t, tracks.Find(ctx, far), context.Canceled)
	require.NoError(t, tracks.Find(t.Context(), far))
	at := n
	for o := range tracks.Back(last) {
		at--
		if o != g.Object(nodes[at].ID) {
			require.Equal(t, g.Object(nodes[at].ID), o, "node %d", at)
		}
	}
	assert.Zero(t, at)
}

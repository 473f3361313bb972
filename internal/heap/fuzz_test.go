package heap_test

import (
	"flag"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

var update = flag.Bool("update", false, "rewrite the seeds of the fuzz targets")

// TestSeeds makes the seeds under testdata/fuzz, with -update.
func TestSeeds(t *testing.T) {
	seeds := map[string][]any{}
	for name, data := range hproftest.Seeds() {
		seeds[name] = []any{data, name == "plain-8"}
	}
	hproftest.WriteSeeds(t, "FuzzBuild", seeds, *update)
}

// FuzzBuild makes graphs, with their layout and dominators, of whatever a file holds.
func FuzzBuild(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte, mat bool) {
		file, err := hprof.Open(t.Context(), hproftest.WriteBytes(t, data), nil)
		if err != nil {
			return
		}
		defer func() { assert.NoError(t, file.Close()) }()
		o := heap.Options{}
		if mat {
			o.Edges = heap.EdgesMAT
		}
		g, err := heap.Build(t.Context(), file, o)
		if err != nil {
			return
		}
		defer g.Close()
		tree, err := g.Dominators(t.Context())
		require.NoError(t, err)
		defer tree.Free()
		var reachable int64
		for o := heap.ObjID(1); int(o) <= g.Objects(); o++ {
			if !mat { // of the objects that MAT makes up only it knows
				require.Equal(t, o, g.Object(g.Address(o)))
			}
			for to := range g.References(o) {
				require.LessOrEqual(t, int(to), g.Objects())
			}
			if tree.Reachable(uint32(o)) {
				reachable++
				require.LessOrEqual(t, tree.Retained(uint32(o)), tree.Total())
			}
		}
		assert.Equal(t, tree.Size(), reachable)
	})
}

package heap_test

import (
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/heap/edges"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// TestAFileThatIsCutMeanwhile is told, whichever pass over it meets that: what it has no more would be left out
// without a word.
func TestAFileThatIsCutMeanwhile(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	j.Root(hprof.SubRootJNIGlobal, j.Bytes(nil))
	for range 10 {
		j.Bytes(make([]byte, 1<<20))
	}
	last := j.New(j.Object)
	path := j.Finish().WriteFile(t, hproftest.Shape{SegmentBytes: 1 << 20})
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, cut := range []struct {
		depth heap.Depth
		after string
	}{{heap.Linked, "reading objects"}, {heap.Linked, "resolving references"}, {heap.Numbered, ""}} {
		require.NoError(t, os.WriteFile(path, whole, 0o600))
		f, err := hprof.Open(t.Context(), path, nil)
		require.NoError(t, err)
		half := func() { assert.NoError(t, os.Truncate(path, int64(len(whole)/2))) }
		var once sync.Once
		g, err := heap.Build(t.Context(), f, heap.Options{Depth: cut.depth, Progress: func(phase string, done, total int64) {
			if phase == cut.after && (done == total || phase != "reading objects") {
				once.Do(half)
			}
		}})
		if cut.after == "" {
			require.NoError(t, err)
			half()
			err = g.Read(t.Context(), []heap.ObjID{g.Object(last.ID)}, func(heap.Content) {})
			g.Close()
		}
		assert.ErrorIs(t, err, edges.ErrChanged, cut)
		assert.NoError(t, f.Close())
	}
}

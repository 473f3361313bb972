package heap_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// peak measures how much memory of the process a step takes at its peak, in bytes: the
// system's own account, which it resets first (Linux only: 0 elsewhere).
type peak struct{ before int64 }

func newPeak() peak {
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // resets VmHWM
	return peak{statusBytes("VmRSS:")}
}

func (p peak) bytes() int64 { return statusBytes("VmHWM:") - p.before }

func statusBytes(field string) int64 {
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(status), field)
	if words := strings.Fields(rest); len(words) > 0 {
		kib, _ := strconv.ParseInt(words[0], 10, 64)
		return kib << 10
	}
	return 0
}

// benchDump is the dump that HEAPSCAN_BENCH_DUMP names, or a small one.
func benchDump(b *testing.B) *hprof.File {
	path := os.Getenv("HEAPSCAN_BENCH_DUMP")
	if path == "" {
		j := hproftest.NewJDK(17, 8)
		node := j.Class("com.acme.Node", j.Object, hproftest.Ref("next"), hproftest.Long("value"))
		last := j.New(node)
		for range 300_000 {
			last = j.New(node).Set("next", last)
		}
		j.Root(hprof.SubRootUnknown, last)
		path = j.Finish().WriteFile(b, hproftest.Shape{SegmentBytes: 1 << 20})
	}
	f, err := hprof.Open(b.Context(), path, nil)
	require.NoError(b, err)
	b.Cleanup(func() { assert.NoError(b, f.Close()) })
	return f
}

// BenchmarkSteps measures the steps of a scan one by one.
func BenchmarkSteps(b *testing.B) {
	f := benchDump(b)
	measure := func(name string, prepare func(b *testing.B) (g *heap.Graph, step func())) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(f.Size)
			objects, most := 1, int64(0)
			for b.Loop() {
				b.StopTimer()
				g, step := prepare(b)
				p := newPeak()
				b.StartTimer()
				step()
				b.StopTimer()
				most = max(most, p.bytes())
				objects = g.Objects()
				g.Close()
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(objects), "ns/object")
			b.ReportMetric(float64(most)/float64(objects), "peak-bytes/object")
		})
	}
	built := func(b *testing.B) *heap.Graph {
		g, err := heap.Build(b.Context(), f, heap.Options{Memory: &offheap.Memory{}, Contents: true})
		require.NoError(b, err)
		return g
	}
	// Build reads twice, but for a histogram.
	for depth, name := range map[heap.Depth]string{heap.Counted: "histogram", heap.Numbered: "index", heap.Linked: "index and references"} {
		measure(name, func(b *testing.B) (*heap.Graph, func()) {
			g := &heap.Graph{}
			return g, func() {
				built, err := heap.Build(b.Context(), f, heap.Options{Memory: &offheap.Memory{}, Contents: true, Depth: depth})
				require.NoError(b, err)
				*g = *built
			}
		})
	}
	measure("dominators", func(b *testing.B) (*heap.Graph, func()) {
		g := built(b)
		return g, func() {
			tree, err := g.Dominators(b.Context())
			require.NoError(b, err)
			tree.Free()
		}
	})
	// spread are objects all over the dump.
	spread := func(g *heap.Graph) []heap.ObjID {
		some := make([]heap.ObjID, 300)
		for i := range some {
			some[i] = heap.ObjID(1 + g.Objects()/len(some)*i)
		}
		return some
	}
	measure("bodies of 300 objects", func(b *testing.B) (*heap.Graph, func()) {
		g := built(b)
		return g, func() { require.NoError(b, g.Read(b.Context(), spread(g), func(heap.Content) {})) }
	})
	measure("shortest tracks to 300 objects", func(b *testing.B) (*heap.Graph, func()) {
		g := built(b)
		return g, func() {
			tracks, err := g.TracksAround(b.Context(), nil, spread(g))
			require.NoError(b, err)
			tracks.Free()
		}
	})
	measure("survey", func(b *testing.B) (*heap.Graph, func()) {
		g := built(b)
		tree, err := g.Dominators(b.Context())
		require.NoError(b, err)
		return g, func() {
			_, err := g.Survey(b.Context(), tree, heap.Survey{Merge: true, BigBytes: tree.Total() / 1000})
			require.NoError(b, err)
			tree.Free()
		}
	})
}

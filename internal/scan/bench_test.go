package scan_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
	"github.com/apm-sidecar/apm-sidecar/internal/scan"
)

// manyTasks is a dump of some 140,000 objects.
func manyTasks(t testing.TB) string {
	t.Helper()
	j := hproftest.NewJDK(17, 8)
	row := j.Class("com.example.Row", j.ClassNamed("java.lang.Object"), hproftest.Ref("next"), hproftest.Ref("name"))
	var last *hproftest.Object
	for range 45_000 {
		o := j.New(row).Set("name", j.String("a name"))
		if last != nil {
			o.Set("next", last)
		}
		last = o
	}
	j.Root(0xff, last)
	path := filepath.Join(t.TempDir(), "rows.hprof")
	require.NoError(t, os.WriteFile(path, j.Finish().Encode(hproftest.Shape{}), 0o600))
	return path
}

// TestAllocations freezes how often a scan asks the garbage collector's heap for memory:
// hardly ever because of one more object. Measured with two workers: 0.031, 0.033 with the race detector;
// each has some of its own, and each table of watched fields, and to look for names takes 200 for a suspect.
func TestAllocations(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	path := manyTasks(t)
	scanned := func() (objects int64) {
		r, err := scan.File(t.Context(), path, scan.Options{})
		require.NoError(t, err)
		return r.Heap.Objects
	}
	scanned()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	objects := scanned()
	runtime.ReadMemStats(&after)
	perObject := float64(after.Mallocs-before.Mallocs) / float64(objects)
	t.Logf("%.4f allocations an object of %d", perObject, objects)
	assert.Less(t, perObject, 0.035, "allocations an object")
}

// BenchmarkFile scans the dump that HEAPSCAN_BENCH_DUMP names, or a small one.
func BenchmarkFile(b *testing.B) {
	path := os.Getenv("HEAPSCAN_BENCH_DUMP")
	if path == "" {
		path = manyTasks(b)
	}
	info, err := os.Stat(path)
	require.NoError(b, err)
	b.SetBytes(info.Size())
	b.ReportAllocs()
	objects, peak := int64(1), int64(0)
	for b.Loop() {
		r, err := scan.File(b.Context(), path, scan.Options{Planned: func(p scan.Plan) { peak = max(peak, p.PeakBytes) }})
		require.NoError(b, err)
		objects = r.Heap.Objects
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(objects), "ns/object")
	b.ReportMetric(float64(peak)/float64(objects), "planned-bytes/object")
}

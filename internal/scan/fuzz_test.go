package scan_test

import (
	"flag"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
	"github.com/apm-sidecar/apm-sidecar/internal/report"
	"github.com/apm-sidecar/apm-sidecar/internal/scan"
)

var update = flag.Bool("update", false, "rewrite the seeds of the fuzz targets")

// TestSeeds makes the seeds under testdata/fuzz, with -update.
func TestSeeds(t *testing.T) {
	seeds := map[string][]any{}
	for name, data := range hproftest.Seeds() {
		seeds[name] = []any{data}
	}
	hproftest.WriteSeeds(t, "FuzzFile", seeds, *update)
}

// FuzzFile has reports and record lists made of whatever a file holds.
func FuzzFile(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		path := hproftest.WriteBytes(t, data)
		_, err := scan.WriteRecords(t.Context(), path, io.Discard, scan.RecordOptions{SubRecords: true})
		_, err2 := scan.WriteRecords(t.Context(), path, io.Discard, scan.RecordOptions{SubRecords: true, JSON: true})
		require.Equal(t, err == nil, err2 == nil)
		r, err := scan.File(t.Context(), path, scan.Options{})
		if err != nil {
			return
		}
		assert.GreaterOrEqual(t, r.Heap.Objects, *r.Heap.ReachableObjects)
		require.NoError(t, report.JSON(io.Discard, r))
		require.NoError(t, report.Text(io.Discard, r, report.TextOptions{Width: 80}))
	})
}

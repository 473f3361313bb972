package store

import (
	"math"
	"testing"

	"github.com/VictoriaMetrics/VictoriaMetrics/lib/prompb"
	"github.com/VictoriaMetrics/VictoriaMetrics/lib/storage"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// TestRowsNameTheirSeriesInFull: what neighbours share is copied, and no more.
func TestRowsNameTheirSeriesInFull(t *testing.T) {
	t.Parallel()
	target, other := []series.Label{{Name: "instance", Value: "a"}}, []series.Label{{Name: "instance", Value: "b"}}
	own := []series.Label{{Name: "kind", Value: "old"}, {Name: "pool", Value: "x"}}
	samples := []series.Sample{
		{Name: "one", Target: target, Labels: own, TimeMs: 1, Value: 1},
		{Name: "two", Target: target, Labels: own, TimeMs: 2, Value: 2},
		{Name: "none", Target: target, Labels: own, TimeMs: 3, Value: math.NaN()},
		{Name: "three", Target: target, Labels: own, TimeMs: 4, Value: series.Stale()},
		{Name: "three", Target: target, Labels: own[:1], TimeMs: 5, Value: 5},
		{Name: "four", Target: target, TimeMs: 6, Value: 6},
		{Name: "five", Target: target, TimeMs: 7, Value: 7},
		{Name: "five", Target: other, TimeMs: 8, Value: 8},
		{Name: "six", TimeMs: 9, Value: 9},
		{Name: "seven", Labels: own, TimeMs: 10, Value: 10},
	}
	var r rows
	for range 2 { // memory is used again
		got := r.of(samples)
		require.Len(t, got, len(samples)-1)
		for i, s := range append(samples[:2:2], samples[3:]...) {
			labels := []prompb.Label{{Name: "__name__", Value: s.Name}}
			for _, l := range append(s.Target[:len(s.Target):len(s.Target)], s.Labels...) {
				labels = append(labels, prompb.Label{Name: l.Name, Value: l.Value})
			}
			assert.Equal(t, string(storage.MarshalMetricNameRaw(nil, labels)), string(got[i].MetricNameRaw))
			assert.Equal(t, s.TimeMs, got[i].Timestamp)
			assert.Equal(t, math.Float64bits(s.Value), math.Float64bits(got[i].Value))
		}
	}
}

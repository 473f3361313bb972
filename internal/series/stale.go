package series

import "math"

// staleBits is Prometheus' staleness marker (prometheus/model/value, StaleNaN): a
// NaN with bits of its own, which VictoriaMetrics knows as well.
const staleBits uint64 = 0x7ff0000000000002

// Stale is the value that ends a series: queries don't repeat its last value for
// five minutes, as they do over a gap.
func Stale() float64 { return math.Float64frombits(staleBits) }

// IsStale tells the staleness marker from every other value, other NaNs included.
func IsStale(value float64) bool { return math.Float64bits(value) == staleBits }

// Ended turns samples into staleness markers of their series, in place.
func Ended(samples []Sample) []Sample {
	for i := range samples {
		samples[i].Value = Stale()
	}
	return samples
}

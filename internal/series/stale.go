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

// lifespans knows which series of one target are alive.
type lifespans struct {
	// alive holds the last sample of each series by its key.
	alive map[string]Sample
}

// end appends to the samples of one instant a marker for every series that was
// alive before and is not among them, unless stays says that it lives on.
func (l *lifespans) end(samples []Sample, timeMs int64, stays func(Sample) bool) []Sample {
	now := make(map[string]Sample, len(samples))
	for _, s := range samples {
		now[key(s)] = s
	}
	for k, s := range l.alive {
		if _, ok := now[k]; ok {
			continue
		}
		if stays(s) {
			now[k] = s
			continue
		}
		samples = append(samples, Sample{Name: s.Name, Labels: s.Labels, TimeMs: timeMs, Value: Stale()})
	}
	l.alive = now
	return samples
}

// key identifies a series among those of one target: labels are sorted.
func key(s Sample) string {
	n := len(s.Name)
	for _, l := range s.Labels {
		n += len(l.Name) + len(l.Value) + 2
	}
	b := make([]byte, 0, n)
	b = append(b, s.Name...)
	for _, l := range s.Labels {
		b = append(append(b, 0), l.Name...)
		b = append(append(b, 0), l.Value...)
	}
	return string(b)
}

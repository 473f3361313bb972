package push

import (
	"math"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// VictoriaMetrics drops what is beyond its limits and answers 204 all the same,
// so we drop it first, and count it.
const (
	maxLabels     = 39 // 40 with the name
	maxNameBytes  = 256
	maxValueBytes = 4 << 10
)

// refusal is the reason a sample is not queued, empty when it is.
func refusal(s *series.Sample) string {
	switch {
	case (math.IsNaN(s.Value) && !series.IsStale(s.Value)) || math.IsInf(s.Value, 0):
		return "not_finite"
	case s.Name == "" || len(s.Name) > maxNameBytes:
		return "name"
	case len(s.Labels) > maxLabels:
		return "labels"
	case s.TimeMs <= 0:
		return "time"
	}
	for _, l := range s.Labels {
		if l.Name == "" || l.Name == nameLabel || len(l.Name) > maxNameBytes || len(l.Value) > maxValueBytes {
			return "labels"
		}
	}
	return ""
}

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

// gate tells which of some samples in a row are not queued.
type gate struct {
	// last is the sample whose labels were looked at last, fits what came of it:
	// neighbours often share their labels.
	last *series.Sample
	fits bool
}

// refusal is the reason a sample is not queued, empty when it is.
func (g *gate) refusal(s *series.Sample) string {
	if g.last == nil || !s.SharesLabels(g.last) {
		g.last, g.fits = s, len(s.Target)+len(s.Labels) <= maxLabels && fit(s.Target) && fit(s.Labels)
	}
	switch {
	case (math.IsNaN(s.Value) && !series.IsStale(s.Value)) || math.IsInf(s.Value, 0):
		return "not_finite"
	case s.Name == "" || len(s.Name) > maxNameBytes:
		return "name"
	case !g.fits:
		return "labels"
	case s.TimeMs <= 0:
		return "time"
	}
	return ""
}

func fit(labels []series.Label) bool {
	for _, l := range labels {
		if l.Name == "" || l.Name == nameLabel || len(l.Name) > maxNameBytes || len(l.Value) > maxValueBytes {
			return false
		}
	}
	return true
}

package store

import (
	"strings"
	"time"

	"github.com/VictoriaMetrics/VictoriaMetrics/lib/protoparser/prometheus"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// selfPrefix begins the names of the sidecar's own metrics.
const selfPrefix = "apm_sidecar_"

// WriteText stores the sidecar's own metrics out of a text in Prometheus' form, with
// labels added. Lines that have an instance already are about something else and are
// left out.
func (s *Store) WriteText(text string, labels []series.Label, now time.Time) error {
	var rows prometheus.Rows
	rows.UnmarshalWithErrLogger(text, func(string) {}) // lines that are none are left out
	var samples []series.Sample
	for _, row := range rows.Rows {
		if !strings.HasPrefix(row.Metric, selfPrefix) {
			continue
		}
		own := append([]series.Label(nil), labels...)
		foreign := false
		for _, tag := range row.Tags {
			foreign = foreign || tag.Key == "instance"
			own = append(own, series.Label{Name: tag.Key, Value: tag.Value})
		}
		if !foreign {
			samples = append(samples, series.Sample{Name: row.Metric, Labels: own, TimeMs: now.UnixMilli(), Value: row.Value})
		}
	}
	return s.WriteOwn(samples)
}

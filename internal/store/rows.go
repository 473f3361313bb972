package store

import (
	"math"

	"github.com/VictoriaMetrics/VictoriaMetrics/lib/prompb"
	"github.com/VictoriaMetrics/VictoriaMetrics/lib/storage"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// rows is memory for samples as the storage takes them.
type rows struct {
	list []storage.MetricRow
	// names are the series of the list, one after the other.
	names  []byte
	labels []prompb.Label
}

// of are the rows of the samples but of those whose value cannot be stored, valid until
// the next call. What neighbours of the same labels have in common is copied.
func (r *rows) of(samples []series.Sample) []storage.MetricRow {
	r.list, r.names = r.list[:0], r.names[:0]
	var last *series.Sample
	var common []byte // the labels of last behind its name
	for i := range samples {
		s := &samples[i]
		if (math.IsNaN(s.Value) && !series.IsStale(s.Value)) || math.IsInf(s.Value, 0) {
			continue
		}
		from := len(r.names)
		r.labels = append(r.labels[:0], prompb.Label{Name: "__name__", Value: s.Name})
		r.names = storage.MarshalMetricNameRaw(r.names, r.labels)
		if last != nil && s.SharesLabels(last) {
			r.names = append(r.names, common...)
		} else {
			named := len(r.names)
			r.labels = appendLabels(appendLabels(r.labels[:0], s.Target), s.Labels)
			r.names = storage.MarshalMetricNameRaw(r.names, r.labels)
			last, common = s, r.names[named:]
		}
		r.list = append(r.list, storage.MetricRow{
			MetricNameRaw: r.names[from:len(r.names):len(r.names)],
			Timestamp:     s.TimeMs,
			Value:         s.Value,
		})
	}
	return r.list
}

func appendLabels(dst []prompb.Label, labels []series.Label) []prompb.Label {
	for _, l := range labels {
		dst = append(dst, prompb.Label{Name: l.Name, Value: l.Value})
	}
	return dst
}

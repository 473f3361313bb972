package push

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// pushMetrics is the set of self metrics of one Pusher.
type pushMetrics struct {
	set *metrics.Set
}

func newPushMetrics() *pushMetrics { return &pushMetrics{set: metrics.NewSet()} }

// WriteMetrics writes the self metrics in Prometheus text form.
func (p *Pusher) WriteMetrics(w io.Writer) {
	p.metrics.set.WritePrometheus(w)
	p.mu.Lock()
	workers := slices.Clone(p.workers)
	p.mu.Unlock()
	for _, worker := range workers {
		worker.metrics.set.WritePrometheus(w)
	}
}

// refused counts samples no destination gets.
func (m *pushMetrics) refused(reason string) *metrics.Counter {
	return m.set.GetOrCreateCounter(`apm_sidecar_push_refused_samples_total{reason="` + reason + `"}`)
}

// destinationMetrics are those of one destination; they go with it.
type destinationMetrics struct {
	set *metrics.Set
	// label is the value of the label url, labels is `url="..."`.
	label        string
	labels       string
	samples      *metrics.Counter
	replays      *metrics.Counter
	retries      *metrics.Counter
	rejected     *metrics.Counter
	undecodable  *metrics.Counter
	appendErrors *metrics.Counter
	duration     *metrics.PrometheusHistogram
}

// newDestinationMetrics are the metrics of one destination and its queue.
func newDestinationMetrics(label string, q *queue, refused *deadLetters) *destinationMetrics {
	m := &destinationMetrics{set: metrics.NewSet(), label: label}
	labels := `url="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(label) + `"`
	counter := func(name string) *metrics.Counter { return m.set.NewCounter(name + "{" + labels + "}") }
	gauge := func(name string, f func(queueStats) float64) {
		m.set.NewGauge(name+"{"+labels+"}", func() float64 { return f(q.stats()) })
	}
	gauge("apm_sidecar_push_queue_bytes", func(s queueStats) float64 { return float64(s.bytes) })
	gauge("apm_sidecar_push_queue_samples", func(s queueStats) float64 { return float64(s.samples) })
	m.set.NewGauge("apm_sidecar_push_queue_oldest_age_seconds{"+labels+"}", func() float64 {
		oldest := q.oldestMs()
		if oldest == 0 {
			return 0
		}
		return max(0, time.Since(time.UnixMilli(oldest)).Seconds()) // the clock may have been set back
	})
	dropped := func(reason string, f func(queueStats) int) {
		m.set.RegisterMetricsWriter(func(w io.Writer) {
			metrics.WriteCounterUint64(w, "apm_sidecar_push_dropped_samples_total{"+labels+`,reason="`+reason+`"}`, uint64(f(q.stats())))
		})
	}
	dropped("queue_full", func(s queueStats) int { return s.dropped.full })
	dropped("disk_full", func(s queueStats) int { return s.dropped.disk })
	dropped("damaged", func(s queueStats) int { return s.dropped.damaged })
	m.set.NewGauge("apm_sidecar_push_dead_letter_bytes{"+labels+"}", func() float64 { return float64(refused.bytes.Load()) })
	m.set.RegisterMetricsWriter(func(w io.Writer) {
		metrics.WriteCounterUint64(w, "apm_sidecar_push_dead_letter_evicted_samples_total{"+labels+"}", uint64(refused.evicted.Load()))
	})
	m.set.RegisterMetricsWriter(func(w io.Writer) {
		metrics.WriteCounterUint64(w, "apm_sidecar_push_sync_errors_total{"+labels+"}", uint64(q.syncing.faults.Load()))
	})
	lost := func(reason string) *metrics.Counter {
		return m.set.NewCounter("apm_sidecar_push_dropped_samples_total{" + labels + `,reason="` + reason + `"}`)
	}
	m.labels = labels
	m.samples = counter("apm_sidecar_push_samples_total")
	m.replays = counter("apm_sidecar_push_replays_total")
	m.retries = counter("apm_sidecar_push_retries_total")
	m.appendErrors = counter("apm_sidecar_push_append_errors_total")
	m.rejected, m.undecodable = lost("rejected"), lost("undecodable")
	m.duration = m.set.NewPrometheusHistogramExt("apm_sidecar_push_duration_seconds{"+labels+"}",
		[]float64{0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 30})
	return m
}

// requests counts deliveries by outcome.
func (m *destinationMetrics) requests(code string) *metrics.Counter {
	return m.set.GetOrCreateCounter(fmt.Sprintf("apm_sidecar_push_requests_total{%s,code=%q}", m.labels, code))
}

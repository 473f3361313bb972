package agent

import (
	"github.com/VictoriaMetrics/metrics"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// selfMetrics are the agent's own metrics of one target, for /metrics.
type selfMetrics struct {
	set    *metrics.Set
	target jvm.Target

	up, missing       *metrics.Gauge
	duration          *metrics.Histogram
	skipped, restarts *metrics.Counter
	samples, lost     *metrics.Counter
}

func newSelfMetrics(set *metrics.Set, t jvm.Target) *selfMetrics {
	name := func(n string) string { return labelled(n, t, "", "") }
	return &selfMetrics{
		set:      set,
		target:   t,
		up:       set.GetOrCreateGauge(name(series.NameTargetUp), nil),
		missing:  set.GetOrCreateGauge(name("apm_sidecar_poll_missing_parts"), nil),
		duration: set.GetOrCreateHistogram(name("apm_sidecar_poll_duration_seconds")),
		skipped:  set.GetOrCreateCounter(name("apm_sidecar_poll_skipped_total")),
		restarts: set.GetOrCreateCounter(name("apm_sidecar_target_restarts_total")),
		samples:  set.GetOrCreateCounter(name("apm_sidecar_samples_total")),
		lost:     set.GetOrCreateCounter(name("apm_sidecar_samples_lost_total")),
	}
}

// failed counts a poll without an answer.
func (m *selfMetrics) failed(reason string) {
	m.set.GetOrCreateCounter(labelled("apm_sidecar_poll_errors_total", m.target, "reason", reason)).Inc()
}

// captures counts heap dumps by result: "ok", "failed" or "no_space".
func (m *selfMetrics) captures(result string) {
	m.set.GetOrCreateCounter(labelled("apm_sidecar_captures_total", m.target, "result", result)).Inc()
}

package agent

import (
	"github.com/VictoriaMetrics/metrics"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// OwnMetrics lists what WriteMetrics writes, beside what each target's labels job
// and instance say. They are served, not stored.
func OwnMetrics() []series.Metric {
	return append([]series.Metric{
		{Name: series.NameTargetUp, Type: series.Gauge, Unit: series.Flag, Help: "1 if the last poll of the JVM succeeded, else 0."},
		{Name: "apm_sidecar_poll_duration_seconds", Type: series.Histogram, Unit: series.Seconds, Labels: []string{"le"}, Help: "Duration of polls, failed ones included."},
		{Name: "apm_sidecar_poll_errors_total", Type: series.Counter, Unit: series.Count, Labels: []string{"reason"}, Help: "Polls without an answer: dial, tls, timeout, too_large, truncated, decode, denied, bulk_rejected, credentials, http_ and a status, other."},
		{Name: "apm_sidecar_poll_missing_parts", Type: series.Gauge, Unit: series.Count, Help: "MBeans and attributes that the last successful poll did not get."},
		{Name: "apm_sidecar_poll_skipped_total", Type: series.Counter, Unit: series.Count, Labels: []string{"reason"}, Help: "Polls left out: busy (the one before took longer than the interval), dump (so did a heap dump), backoff (the target does not answer for long)."},
		{Name: "apm_sidecar_target_restarts_total", Type: series.Counter, Unit: series.Count, Help: "Restarts of the JVM seen."},
		{Name: "apm_sidecar_samples_total", Type: series.Counter, Unit: series.Count, Help: "Samples handed over for storing."},
		{Name: "apm_sidecar_samples_lost_total", Type: series.Counter, Unit: series.Count, Help: "Samples that could not be handed over."},
		{Name: "apm_sidecar_captures_total", Type: series.Counter, Unit: series.Count, Labels: []string{"result"}, Help: "Heap dumps wanted: ok, failed or no_space."},
	}, tracingMetrics()...)
}

// selfMetrics are the agent's own metrics of one target, for /metrics.
type selfMetrics struct {
	set    *metrics.Set
	target jvm.Target

	up, missing   *metrics.Gauge
	duration      *metrics.PrometheusHistogram
	restarts      *metrics.Counter
	samples, lost *metrics.Counter
}

func newSelfMetrics(set *metrics.Set, t jvm.Target) *selfMetrics {
	name := func(n string) string { return labelled(n, t, "", "") }
	m := &selfMetrics{
		set:      set,
		target:   t,
		up:       set.GetOrCreateGauge(name(series.NameTargetUp), nil),
		missing:  set.GetOrCreateGauge(name("apm_sidecar_poll_missing_parts"), nil),
		duration: set.GetOrCreatePrometheusHistogram(name("apm_sidecar_poll_duration_seconds")),
		restarts: set.GetOrCreateCounter(name("apm_sidecar_target_restarts_total")),
		samples:  set.GetOrCreateCounter(name("apm_sidecar_samples_total")),
		lost:     set.GetOrCreateCounter(name("apm_sidecar_samples_lost_total")),
	}
	for _, reason := range []string{skippedBusy, skippedDump, skippedBackOff} {
		m.skipped(reason, 0)
	}
	return m
}

// failed counts a poll without an answer.
func (m *selfMetrics) failed(reason string) {
	m.set.GetOrCreateCounter(labelled("apm_sidecar_poll_errors_total", m.target, "reason", reason)).Inc()
}

// The reasons why polls are left out.
const (
	skippedBusy    = "busy"
	skippedDump    = "dump"
	skippedBackOff = "backoff"
)

// skipped counts polls left out.
func (m *selfMetrics) skipped(reason string, polls int) {
	m.set.GetOrCreateCounter(labelled("apm_sidecar_poll_skipped_total", m.target, "reason", reason)).Add(polls)
}

// captures counts heap dumps by result: "ok", "failed" or "no_space".
func (m *selfMetrics) captures(result string) {
	m.set.GetOrCreateCounter(labelled("apm_sidecar_captures_total", m.target, "result", result)).Inc()
}

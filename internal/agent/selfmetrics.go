package agent

import (
	"time"

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
		{Name: "apm_sidecar_tier_duration_seconds_total", Type: series.Counter, Unit: series.Seconds, Labels: []string{"tier"}, Help: "Time spent on questions beside the fast poll: details, threads, finalizer, queue, registered, histogram."},
		{Name: "apm_sidecar_tier_polls_total", Type: series.Counter, Unit: series.Count, Labels: []string{"tier"}, Help: "Those questions, failed ones included."},
		{Name: "apm_sidecar_tier_skipped_total", Type: series.Counter, Unit: series.Count, Labels: []string{"reason"}, Help: "Polls after which no more was asked: cold (the JVM is younger than 30 s), slow (the poll took more than a second), threads (more than 2,000 threads)."},
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
	for _, reason := range []string{skippedCold, skippedSlow, skippedThreads} {
		m.tierSkipped(reason, 0)
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

// The questions beside the fast poll.
const (
	tierDetails    = "details"
	tierThreads    = "threads"
	tierFinalizer  = "finalizer"
	tierQueue      = "queue"
	tierRegistered = "registered"
	tierHistogram  = "histogram"
)

// The reasons why they are left out.
const (
	skippedCold    = "cold"
	skippedSlow    = "slow"
	skippedThreads = "threads"
)

// tierAsked counts a question and what it took.
func (m *selfMetrics) tierAsked(tier string, took time.Duration) {
	m.set.GetOrCreateCounter(labelled("apm_sidecar_tier_polls_total", m.target, "tier", tier)).Inc()
	m.set.GetOrCreateFloatCounter(labelled("apm_sidecar_tier_duration_seconds_total", m.target, "tier", tier)).Add(took.Seconds())
}

// tierSkipped counts questions left out.
func (m *selfMetrics) tierSkipped(reason string, times int) {
	m.set.GetOrCreateCounter(labelled("apm_sidecar_tier_skipped_total", m.target, "reason", reason)).Add(times)
}

// captures counts heap dumps by result: "ok", "failed" or "no_space".
func (m *selfMetrics) captures(result string) {
	m.set.GetOrCreateCounter(labelled("apm_sidecar_captures_total", m.target, "result", result)).Inc()
}

package agent

import (
	"sync"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// OwnMetrics lists what WriteMetrics writes, beside what each target's labels job
// and instance say. They are served, not stored.
func OwnMetrics() []series.Metric {
	return append([]series.Metric{
		{Name: series.NameTargetUp, Type: series.Gauge, Unit: series.Flag, Help: "1 if the last poll of the JVM succeeded, else 0."},
		{Name: "apm_sidecar_poll_duration_seconds", Type: series.Histogram, Unit: series.Seconds, Labels: []string{"le"}, Help: "Duration of polls, failed ones included."},
		{Name: "apm_sidecar_poll_errors_total", Type: series.Counter, Unit: series.Count, Labels: []string{"reason"}, Help: "Polls without an answer: dial, tls, timeout, too_large, truncated, decode, denied, bulk_rejected, no_part (an error for each part), credentials, http_ and a status, other."},
		{Name: "apm_sidecar_poll_missing_parts", Type: series.Gauge, Unit: series.Count, Help: "MBeans and attributes that the last successful poll did not get."},
		{Name: "apm_sidecar_poll_skipped_total", Type: series.Counter, Unit: series.Count, Labels: []string{"reason"}, Help: "Polls left out: busy (the one before took longer than the interval), late (so did others, on a machine that is too slow for all), dump (so did a heap dump), backoff (the target does not answer for long)."},
		{Name: "apm_sidecar_tier_duration_seconds_total", Type: series.Counter, Unit: series.Seconds, Labels: []string{"tier"}, Help: "Time spent on questions beside the fast poll: details, threads, finalizer, queue, registered, limit, histogram."},
		{Name: "apm_sidecar_tier_polls_total", Type: series.Counter, Unit: series.Count, Labels: []string{"tier"}, Help: "Those questions, failed ones included."},
		{Name: "apm_sidecar_tier_skipped_total", Type: series.Counter, Unit: series.Count, Labels: []string{"reason"}, Help: "Polls after which no more was asked: cold (the JVM is younger than 30 s), slow (the poll took more than a second), threads (more than 2,000 threads), late (the poll began more than a second after its time)."},
		{Name: "apm_sidecar_target_restarts_total", Type: series.Counter, Unit: series.Count, Help: "Restarts of the JVM seen."},
		{Name: "apm_sidecar_samples_total", Type: series.Counter, Unit: series.Count, Help: "Samples handed over for storing."},
		{Name: "apm_sidecar_samples_lost_total", Type: series.Counter, Unit: series.Count, Help: "Samples that could not be handed over."},
		{Name: "apm_sidecar_captures_total", Type: series.Counter, Unit: series.Count, Labels: []string{"result"}, Help: "Heap dumps wanted: ok, failed or no_space."},
	}, tracingMetrics()...)
}

// selfMetrics are the agent's own metrics of one target, for /metrics. Safe for
// concurrent use.
type selfMetrics struct {
	target jvm.Target

	mu                              sync.Mutex
	up, missing                     int
	duration                        durations
	restarts, samples, lost         int
	errors, skips, tierSkips, dumps tally
	tierPolls, tierSeconds          tally
}

func newSelfMetrics(t jvm.Target) *selfMetrics {
	m := &selfMetrics{target: t}
	for _, reason := range []string{skippedBusy, skippedLate, skippedDump, skippedBackOff} {
		m.skips.add(reason, 0)
	}
	for _, reason := range []string{skippedCold, skippedSlow, skippedThreads, skippedLate} {
		m.tierSkips.add(reason, 0)
	}
	return m
}

// write writes them in Prometheus' text form.
func (m *selfMetrics) write(to *exposition) {
	m.mu.Lock()
	defer m.mu.Unlock()
	to.labels = labelsOf(m.target)
	count := func(name string, n int) { to.add(name, "", "", float64(n)) }
	count(series.NameTargetUp, m.up)
	m.duration.write(to, "apm_sidecar_poll_duration_seconds")
	m.errors.write(to, "apm_sidecar_poll_errors_total", "reason")
	count("apm_sidecar_poll_missing_parts", m.missing)
	m.skips.write(to, "apm_sidecar_poll_skipped_total", "reason")
	m.tierSeconds.write(to, "apm_sidecar_tier_duration_seconds_total", "tier")
	m.tierPolls.write(to, "apm_sidecar_tier_polls_total", "tier")
	m.tierSkips.write(to, "apm_sidecar_tier_skipped_total", "reason")
	count("apm_sidecar_target_restarts_total", m.restarts)
	count("apm_sidecar_samples_total", m.samples)
	count("apm_sidecar_samples_lost_total", m.lost)
	m.dumps.write(to, "apm_sidecar_captures_total", "result")
}

// polled counts a poll that took so long; reason is why it failed, empty if it did not,
// and missing the number of parts that it did not get.
func (m *selfMetrics) polled(took time.Duration, reason string, missing int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.duration.add(took)
	if m.up = 1; reason != "" {
		m.up = 0
		m.errors.add(reason, 1)
		return
	}
	m.missing = missing
}

// restarted counts a restart of the JVM.
func (m *selfMetrics) restarted() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.restarts++
}

// handed counts samples that were given to the sink, or lost.
func (m *selfMetrics) handed(samples int, lost bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if lost {
		m.lost += samples
	} else {
		m.samples += samples
	}
}

// The reasons why polls are left out.
const (
	skippedBusy    = "busy"
	skippedLate    = "late" // questions beside polls are left out for it, too
	skippedDump    = "dump"
	skippedBackOff = "backoff"
)

// skipped counts polls left out.
func (m *selfMetrics) skipped(reason string, polls int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.skips.add(reason, float64(polls))
}

// The questions beside the fast poll.
const (
	tierDetails    = "details"
	tierThreads    = "threads"
	tierFinalizer  = "finalizer"
	tierQueue      = "queue"
	tierRegistered = "registered"
	tierHistogram  = "histogram"
	tierLimit      = "limit"
)

// The reasons why they are left out.
const (
	skippedCold    = "cold"
	skippedSlow    = "slow"
	skippedThreads = "threads"
)

// tierAsked counts a question and what it took.
func (m *selfMetrics) tierAsked(tier string, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tierPolls.add(tier, 1)
	m.tierSeconds.add(tier, took.Seconds())
}

// tierSkipped counts questions left out.
func (m *selfMetrics) tierSkipped(reason string, times int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tierSkips.add(reason, float64(times))
}

// captured counts a heap dump by its result: "ok", "failed" or "no_space".
func (m *selfMetrics) captured(result string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dumps.add(result, 1)
}

package agent

import (
	"strconv"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

// tracingMetrics lists what the following of transactions adds to OwnMetrics.
func tracingMetrics() []series.Metric {
	return []series.Metric{
		{Name: "apm_sidecar_requests_look_duration_seconds", Type: series.Histogram, Unit: series.Seconds, Labels: []string{"le"}, Help: "Duration of looks at the requests in flight."},
		{Name: "apm_sidecar_stacks_look_duration_seconds", Type: series.Histogram, Unit: series.Seconds, Labels: []string{"le"}, Help: "Duration of looks at stacks: an upper bound of the pause that each of them is for the JVM."},
		{Name: "apm_sidecar_looks_missed_total", Type: series.Counter, Unit: series.Count, Help: "Looks at the requests in flight left out: the one before took too long, the target is down, or looks cost it too much."},
		{Name: "apm_sidecar_stacks_total", Type: series.Counter, Unit: series.Count, Help: "Stacks of threads asked for."},
		{Name: "apm_sidecar_tracing_jvm_cpu_seconds_total", Type: series.Counter, Unit: series.Seconds, Help: "Processor time that following transactions costs the JVM, but for the writing of answers."},
		{Name: "apm_sidecar_tracing_level", Type: series.Gauge, Unit: series.Count, Help: "What is left out to spare the JVM: 0 nothing, 1 stacks of those not about to be slow, 2 all stacks, 3 most looks too."},
		{Name: "apm_sidecar_transaction_records_total", Type: series.Counter, Unit: series.Count, Help: "Records of slow transactions written."},
	}
}

// tracerMetrics are a tracer's own metrics, for /metrics.
type tracerMetrics struct {
	set                     *metrics.Set
	look, stackLook         *metrics.PrometheusHistogram
	missed, stacks, records *metrics.Counter
	jvmCPU                  *metrics.FloatCounter
	level                   *metrics.Gauge
}

func newTracerMetrics(t jvm.Target) *tracerMetrics {
	set, labels := metrics.NewSet(), labelsOf(t)
	name := func(n string) string { return n + "{" + labels + "}" }
	return &tracerMetrics{
		set:       set,
		look:      set.GetOrCreatePrometheusHistogram(name("apm_sidecar_requests_look_duration_seconds")),
		stackLook: set.GetOrCreatePrometheusHistogram(name("apm_sidecar_stacks_look_duration_seconds")),
		missed:    set.GetOrCreateCounter(name("apm_sidecar_looks_missed_total")),
		stacks:    set.GetOrCreateCounter(name("apm_sidecar_stacks_total")),
		jvmCPU:    set.GetOrCreateFloatCounter(name("apm_sidecar_tracing_jvm_cpu_seconds_total")),
		level:     set.GetOrCreateGauge(name("apm_sidecar_tracing_level"), nil),
		records:   set.GetOrCreateCounter(name("apm_sidecar_transaction_records_total")),
	}
}

// publishSamples hands over what is to be stored, once each interval of polls.
func (tr *tracer) publishSamples(now time.Time) {
	if now.Sub(tr.published) < tr.publish {
		return
	}
	tr.published = now
	state := tr.status()
	up := state.State == "following"
	samples := transactionSamples(tr.labels, now, tr.tracker.Stats(), tr.tracker.Active(now), up)
	samples = append(samples, edgeSamples(tr.labels, now, tr.tracker.PeerWaits(now), up)...)
	tr.hand(samples)
}

// end marks the series of a target that is not watched any more.
func (tr *tracer) end(now time.Time) {
	samples := transactionSamples(tr.labels, now, tr.tracker.Stats(), nil, false)
	samples = append(samples, edgeSamples(tr.labels, now, tr.tracker.PeerWaits(now), false)...)
	tr.hand(series.Ended(samples))
}

// hand gives samples to the sink. That it takes none is in the log by those of the polls,
// which come as often.
func (tr *tracer) hand(samples []series.Sample) {
	err := tr.sink.Append(samples)
	tr.handed(len(samples), err != nil)
	if err != nil {
		tr.log.Debug("samples of transactions are lost", "error", err)
	}
}

// transactionSamples are the series of the catalogue. Those of the moment end while
// the target does not answer.
func transactionSamples(labels []series.Label, now time.Time, stats tx.Stats, active []tx.Active, up bool) []series.Sample {
	var samples []series.Sample
	add := func(name string, value float64, own ...series.Label) {
		samples = append(samples, series.Sample{Name: name, Labels: series.With(labels, own...), TimeMs: now.UnixMilli(), Value: value})
	}
	momentary := func(v float64) float64 {
		if up {
			return v
		}
		return series.Stale()
	}
	buckets, classes := map[string]int{}, map[tx.Class]int{}
	longest := int64(0)
	for _, a := range active {
		sure := a.SureMs()
		buckets[tx.Bucket(time.Duration(sure)*time.Millisecond)]++
		classes[a.Class]++
		longest = max(longest, sure)
	}
	for _, b := range tx.Buckets() {
		add(series.NameInFlight, momentary(float64(buckets[b])), series.Label{Name: "bucket", Value: b})
	}
	for _, c := range tx.Classes() {
		add(series.NameInFlightClass, momentary(float64(classes[c])), series.Label{Name: "wait", Value: string(c)})
		if ms, ok := stats.ClassMs[c]; ok {
			add(series.NameSlowClassSeconds, float64(ms)/1000, series.Label{Name: "wait", Value: string(c)})
		}
	}
	add(series.NameInFlightMax, momentary(float64(longest)/1000))
	for route, n := range stats.Slow {
		add(series.NameSlow, float64(n), series.Label{Name: "route", Value: route})
	}
	add(series.NameSlowDurationSum, float64(stats.DurationMs)/1000)
	for i, n := range stats.Durations {
		le := "+Inf"
		if i < len(tx.DurationBounds()) {
			le = formatSeconds(tx.DurationBounds()[i])
		}
		add(series.NameSlowDurationBucket, float64(n), series.Label{Name: "le", Value: le})
	}
	if n := len(stats.Durations); n > 0 {
		add(series.NameSlowDurationCount, float64(stats.Durations[n-1]))
	}
	return samples
}

// edgeSamples are the series of the waits for peers.
func edgeSamples(labels []series.Label, now time.Time, edges []tx.PeerWaits, up bool) []series.Sample {
	var samples []series.Sample
	for _, e := range edges {
		own := series.With(labels, series.Label{Name: "kind", Value: e.Kind}, series.Label{Name: "peer", Value: e.Peer})
		add := func(name string, value float64) {
			samples = append(samples, series.Sample{Name: name, Labels: own, TimeMs: now.UnixMilli(), Value: value})
		}
		add(series.NameEdgeSlow, float64(e.Slow))
		add(series.NameEdgeWait, float64(e.WaitMs)/1000)
		inFlight, rtt := float64(e.InFlight), e.RTT.Seconds()
		if !up {
			inFlight = series.Stale()
		}
		if !up || rtt == 0 {
			rtt = series.Stale()
		}
		add(series.NameEdgeInFlight, inFlight)
		add(series.NameEdgeRTT, rtt)
	}
	return samples
}

// formatSeconds is a bound as Prometheus writes it.
func formatSeconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'g', -1, 64) }

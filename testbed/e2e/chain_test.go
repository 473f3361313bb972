package e2e

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/report"
	"github.com/apm-sidecar/apm-sidecar/testbed/harness"
)

const leakedClass = "org.postgresql.jdbc3g.Jdbc3gPreparedStatement"

// TestChain runs the case from the leak to the verdict: a web application leaks
// statements through an old driver, the sidecar sees the old region fill, takes
// a dump, and the analysis names what leaks and who holds it.
func TestChain(t *testing.T) { testChain(t, defaultJDK(t), harness.SmallHeap()...) }

// TestChainOfG1 is the same with a collector that does not empty its old region as
// long as it finds nothing dead in it.
func TestChainOfG1(t *testing.T) {
	if !full() {
		t.Skip("E2E_FULL=1 runs it: it takes a minute")
	}
	testChain(t, defaultJDK(t), "-XX:+UseG1GC", "-Xmx96m")
}

// TestChainOfARecording is the same with a flight recording under way, which counts
// registered finalizers by class from JDK 21 on.
func TestChainOfARecording(t *testing.T) {
	if !full() {
		t.Skip("E2E_FULL=1 runs it: it takes a minute")
	}
	for _, j := range findJDKs(t) {
		if j.version < 21 {
			continue
		}
		t.Run(j.name, func(t *testing.T) {
			options := append(harness.SmallHeap(), "-XX:StartFlightRecording:settings=none,+jdk.FinalizerStatistics#enabled=true,+jdk.FinalizerStatistics#period=1s")
			testChain(t, j, options...)
		})
	}
}

func testChain(t *testing.T, j jdk, jvmOptions ...string) {
	t.Helper()
	java := j.java
	bench := newBench(t)

	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	db, err := bench.StartPostgres(ctx)
	if errors.Is(err, harness.ErrNoPostgres) {
		t.Skip(err)
	}
	require.NoError(t, err)
	app, err := bench.StartLeakyWebApp(ctx, java, db, jvmOptions...)
	if errors.Is(err, harness.ErrNoJava) {
		t.Skip(err)
	}
	require.NoError(t, err)
	sidecar, err := bench.StartSidecar(ctx, app.JolokiaURL, 0.6)
	require.NoError(t, err)
	load, err := bench.StartLoad(ctx, java, app.OrderURL, 4000, 8)
	require.NoError(t, err)

	_, err = sidecar.AwaitDump(ctx)
	require.NoError(t, err)
	require.NoError(t, load.Stop(time.Minute)) // the JVM is to live on, however long the analysis takes
	r, err := sidecar.AwaitReport(ctx)
	require.NoError(t, err)
	assertVerdict(t, r)
	assertSeries(t, sidecar)
	first := assertEvidence(t, sidecar, r)
	if slices.ContainsFunc(jvmOptions, func(o string) bool { return strings.Contains(o, "FlightRecording") }) {
		require.NotEmpty(t, first.Registered)
		assert.Equal(t, leakedClass, first.Registered[0].Class)
		assert.Greater(t, first.Registered[0].Objects, int64(20_000))
	}

	assert.NoError(t, sidecar.Stop(sidecarGrace), "SIGTERM ends it in time")
}

// assertVerdict checks that the report tells the case.
func assertVerdict(t *testing.T, r *report.Report) {
	t.Helper()
	assertFinding(t, verdict{Kind: "timer-held", Culprit: leakedClass}, 0, r.Findings)
	require.NotEmpty(t, r.Findings)
	verdict := r.Findings[0]
	assert.Equal(t, "timer-held", verdict.Kind, "the most important finding comes first")
	assert.Equal(t, finding.SeverityCritical, verdict.Severity)
	assert.Equal(t, finding.ConfidenceHigh, verdict.Confidence)
	assert.NotEmpty(t, verdict.Advice)

	// Nearly all requests so far leaked one statement each, and nearly all of
	// the heap is theirs.
	assert.Greater(t, verdict.Objects, int64(20_000))
	assert.Greater(t, verdict.Bytes, r.Heap.ShallowBytes/4)

	require.NotNil(t, r.Finalizers)
	require.NotEmpty(t, r.Finalizers.Classes)
	leaked := r.Finalizers.Classes[0]
	assert.Equal(t, leakedClass, leaked.Class)
	assert.Greater(t, leaked.States.RegisteredHeld, int64(20_000))
	assert.Less(t, leaked.States.Enqueued, leaked.States.RegisteredHeld/10, "it is no backlog of the Finalizer thread")

	var timers []finding.Scheduler
	for _, s := range r.Schedulers {
		if s.Kind == timerKind && s.Size > 20_000 {
			timers = append(timers, s)
		}
	}
	require.Len(t, timers, 1, "schedulers: %+v", r.Schedulers)
	assert.True(t, strings.HasPrefix(timers[0].Thread, "Timer-"), timers[0].Thread)
	// A handful of requests is under way.
	assert.InDelta(t, timers[0].Size, timers[0].Cancelled, 20)
	head, err := time.Parse(time.RFC3339, timers[0].HeadDue)
	require.NoError(t, err)
	assert.WithinRange(t, head, time.Now(), time.Now().Add(3000*time.Second))
}

// assertEvidence checks that what the JVM said before the dump names what leaks, and
// returns it.
func assertEvidence(t *testing.T, sidecar *harness.Sidecar, r *report.Report) jvm.Evidence {
	t.Helper()
	all, err := sidecar.Evidence(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 1)
	name := slices.Collect(maps.Keys(all))[0]
	require.NotEmpty(t, all[name])
	first := all[name][0] // others may be of after the dump
	dumped, err := time.Parse(time.RFC3339, r.Dump.Created)
	require.NoError(t, err)
	assert.True(t, first.Time.Before(dumped), "%s is before the dump of %s", first.Time, dumped)
	assert.Greater(t, first.Finalizers, int64(20_000))
	assert.Contains(t, first.Suspicion, leakedClass)
	require.NotNil(t, first.Pending)
	assert.Less(t, *first.Pending, first.Finalizers/10, "nothing is pending while the heap fills")

	page, err := sidecar.Page(t.Context(), "/target?"+url.Values{"name": {name}}.Encode())
	require.NoError(t, err)
	assert.Contains(t, page, first.Suspicion)
	return first
}

// assertSeries checks that what the sidecar saw can be queried back.
func assertSeries(t *testing.T, sidecar *harness.Sidecar) {
	t.Helper()
	for expression, check := range map[string]func([]float64) bool{
		`jvm_memory_objects_pending_finalization`:                                    one(atLeast(0)),
		`jvm_memory_pool_collection_used_bytes{kind="old"}`:                          one(atLeast(20 << 20)),
		`jvm_memory_pool_used_bytes{kind="old"} / jvm_memory_pool_max_bytes`:         one(atLeast(0.6)),
		`sum(jvm_gc_collection_seconds_count)`:                                       one(atLeast(2)),
		`min_over_time(apm_scheduler_held_objects{class="` + leakedClass + `"}[5m])`: one(atLeast(20_000)),
		`min_over_time(jvm_finalizers_objects[5m])`:                                  one(atLeast(20_000)),
		`up`: one(atLeast(1)),
		`count(jvm_memory_pool_used_bytes{area="heap"})`:                          one(atLeast(3)),
		`max_over_time(jvm_memory_objects_pending_finalization[5m]) < bool 10000`: one(atLeast(1)),
	} {
		var seen []float64
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		err := harness.Poll(ctx, func() (bool, error) {
			var err error
			seen, err = sidecar.Query(ctx, expression)
			return check(seen), err
		})
		cancel()
		assert.NoError(t, err, "%s gave %v", expression, seen)
	}
}

// one accepts a single value that is accepted itself.
func one(accept func(float64) bool) func([]float64) bool {
	return func(values []float64) bool { return len(values) == 1 && accept(values[0]) }
}

func atLeast(bound float64) func(float64) bool {
	return func(value float64) bool { return value >= bound }
}

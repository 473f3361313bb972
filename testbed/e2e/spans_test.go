package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/otlp"
	"github.com/apm-sidecar/apm-sidecar/internal/tx"
	"github.com/apm-sidecar/apm-sidecar/testbed/harness"
)

// spansThreshold is how long a request takes to be slow here.
const spansThreshold = 800 * time.Millisecond

// instrumented is the slow web application with OpenTelemetry's Java agent, and a sidecar
// that takes its spans and sends them on to a backend.
type instrumented struct {
	app     *harness.SlowWebApp
	sidecar *harness.Sidecar
	backend *collected
	db      *harness.Postgres
}

// collected is a backend that keeps what it gets.
type collected struct {
	mu    sync.Mutex
	spans map[otlp.SpanID]*otlp.Span
}

// Take implements otlp.Sink.
func (c *collected) Take(groups []otlp.Group, _ time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, g := range groups {
		for _, s := range g.Spans {
			c.spans[s.ID] = s
		}
	}
	return nil
}

// below are the spans with that parent.
func (c *collected) below(id string) (found []*otlp.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if s.Parent.String() == id {
			found = append(found, s)
		}
	}
	return found
}

func startInstrumented(ctx context.Context, t *testing.T, java string, jvm ...string) instrumented {
	t.Helper()
	agent, err := harness.OpenTelemetryAgent()
	require.NoError(t, err)
	bench := newBench(t)
	i := instrumented{backend: &collected{spans: map[otlp.SpanID]*otlp.Span{}}}
	i.db, err = bench.StartPostgres(ctx)
	if errors.Is(err, harness.ErrNoPostgres) {
		t.Skip(err)
	}
	require.NoError(t, err)
	free, err := harness.FreePort(ctx)
	require.NoError(t, err)
	port := strconv.Itoa(free)
	i.app, err = bench.StartSlowWebApp(ctx, java, "tomcat10", i.db.JDBCURL(), append([]string{
		"-javaagent:" + agent, "-Dotel.service.name=slow", "-Dotel.exporter.otlp.endpoint=http://127.0.0.1:" + port,
		"-Dotel.bsp.schedule.delay=500", "-Dotel.metrics.exporter=none", "-Dotel.logs.exporter=none", "-Dotel.exporter.otlp.compression=gzip",
	}, jvm...)...)
	if errors.Is(err, harness.ErrNoJava) {
		t.Skip(err)
	}
	require.NoError(t, err)
	backend := httptest.NewServer(otlp.NewReceiver(otlp.ReceiverOptions{Limits: otlp.DefaultLimits(), Sink: i.backend}))
	t.Cleanup(backend.Close)
	i.sidecar, err = bench.StartSidecarWith(ctx, i.app.JolokiaURL, fmt.Sprintf(`
transactions:
  interval: 250ms
  threshold: %v
  spans: {listen: "127.0.0.1:%s", export: {url: "%s/v1/traces"}}
databases:
  - {name: shop, url: %q}
`, spansThreshold, port, backend.URL, i.db.URL()))
	require.NoError(t, err)
	awaitFollowed(ctx, t, i.sidecar)
	// Classes are loaded, which may be slow.
	require.NoError(t, ask(ctx, i.app.URL+"/run/warm/1?steps=sql:10,http:10,async:10"))
	return i
}

// timed asks for a path of the application and returns how long its client waited.
func (i instrumented) timed(ctx context.Context, t *testing.T, ask func(context.Context, string) error, path string) time.Duration {
	t.Helper()
	begin := time.Now()
	require.NoError(t, ask(ctx, i.app.URL+path))
	return time.Since(begin)
}

// list are all records.
func (i instrumented) list(ctx context.Context) ([]tx.Summary, error) {
	var list struct {
		Transactions []tx.Summary `json:"transactions"`
	}
	err := i.sidecar.Get(ctx, "/api/transactions", &list)
	return list.Transactions, err
}

// traced waits for the record of a path to have spans.
func (i instrumented) traced(ctx context.Context, t *testing.T, path string) *tx.Record {
	t.Helper()
	var rec tx.Record
	require.Eventually(t, func() bool {
		list, err := i.list(ctx)
		if err != nil {
			return false
		}
		for _, s := range list {
			if s.Path == path && i.sidecar.Get(ctx, "/api/transactions/"+s.ID, &rec) == nil && rec.Trace != nil {
				return true
			}
		}
		return false
	}, patience, 200*time.Millisecond, "no record of %s has spans", path)
	return &rec
}

// askHTTP2 is ask over HTTP/2 without TLS.
func askHTTP2(ctx context.Context, url string) error {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.ProtoMajor != 2 || response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s %s", url, response.Proto, response.Status)
	}
	return nil
}

// TestSpansOfTheJavaAgent: OpenTelemetry's own Java agent in a real Tomcat sends to the
// sidecar. The record of a slow request has its spans, with the statement and the peers;
// so has one over HTTP/2, which Tomcat shows nobody, and its path from them; quick ones leave
// none. The backend gets the spans of slow ones, with what was inferred below them.
func TestSpansOfTheJavaAgent(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	i := startInstrumented(ctx, t, defaultJDK(t).java, "-Dslow.http2=true")
	const quick = 20
	delayed := 0 // quick ones that were slow for want of a processor
	for range quick {
		if i.timed(ctx, t, ask, "/run/quick/1?steps=sql:10") >= spansThreshold {
			delayed++
		}
	}
	// The first request over HTTP/2 has much to load.
	waited := i.timed(ctx, t, askHTTP2, "/run/slow/3?steps=sql:1800,sleep:200")
	i.timed(ctx, t, ask, "/run/slow/1?steps=sql:1400,http:1000,sleep:200")
	i.timed(ctx, t, ask, "/run/slow/2?steps=sql:200,async:2000")
	truths, err := i.app.Truths()
	require.NoError(t, err)

	slow, async, hidden := i.traced(ctx, t, "/run/slow/1"), i.traced(ctx, t, "/run/slow/2"), i.traced(ctx, t, "/run/slow/3")
	late := looksMissed(ctx, t, i.sidecar)
	if late == 0 { // else nobody may have seen them but their spans
		assert.Equal(t, tx.SourceTomcat, slow.Source)
		assert.Equal(t, tx.JoinedByThread, slow.Trace.JoinedBy)
		assert.NotZero(t, slow.Samples, "the stacks are there too")
		assert.True(t, async.Async)
	}
	assert.Equal(t, "slow", slow.Trace.Service)
	classes := map[tx.Class]int64{}
	for _, s := range slow.Trace.Spans {
		classes[s.Class] += s.ToUs - s.FromUs
		assert.GreaterOrEqual(t, s.FromUs, int64(0))
		assert.LessOrEqual(t, s.ToUs, (slow.Elapsed.Ms+1)*1000, "its milliseconds are whole")
	}
	// The application's clock starts before a span does, and stops after it.
	did := truths["/run/slow/1"].Classes
	assert.GreaterOrEqual(t, classes[tx.ClassSQL], int64(1400e3))
	assert.LessOrEqual(t, float64(classes[tx.ClassSQL]), 1e3*(did["sql"]+did["pool"]+did["cpu"]+did["stalled"]+1))
	assert.GreaterOrEqual(t, classes[tx.ClassHTTP], int64(1000e3))
	assert.LessOrEqual(t, float64(classes[tx.ClassHTTP]), 1e3*(did["http"]+did["cpu"]+did["stalled"]+1))
	i.assertStatement(t, slow)

	assert.Contains(t, []string{tx.SourceThreads, tx.SourceSpans}, hidden.Source, "by its stacks, or where no look showed it, by its spans")
	assert.Equal(t, tx.ClassSQL, hidden.Class)
	spentMs, waitedMs := truths["/run/slow/3"].TotalMs, float64(waited.Milliseconds())
	t.Logf("over HTTP/2: %.0f ms for the application, %.0f for its client, on record by %s %+v", spentMs, waitedMs, hidden.Source, hidden.Elapsed)
	assert.GreaterOrEqual(t, float64(hidden.Elapsed.MaxMs)+1, spentMs)
	assert.LessOrEqual(t, float64(hidden.Elapsed.MinMs)-1, waitedMs)
	if late == 0 { // else the bounds are as far apart as the looks were
		assert.InDelta(t, (spentMs+waitedMs)/2, hidden.Elapsed.Ms, (waitedMs-spentMs)/2+500)
	}
	i.assertStatement(t, hidden)

	list, err := i.list(ctx)
	require.NoError(t, err)
	paths := map[string]int{}
	for _, s := range list {
		if strings.HasPrefix(s.Path, "/run/") { // the server that requests wait for is in the same JVM
			paths[s.Path]++
		}
	}
	delete(paths, "/run/warm/1")
	assert.LessOrEqual(t, paths["/run/quick/1"], delayed)
	delete(paths, "/run/quick/1")
	assert.Equal(t, map[string]int{"/run/slow/1": 1, "/run/slow/2": 1, "/run/slow/3": 1}, paths, "quick ones leave nothing, slow ones one record each")
	assert.Eventually(t, func() bool {
		dropped, err := i.sidecar.Metric(ctx, "apm_sidecar_spans_dropped_total")
		return err == nil && dropped >= float64(2*(quick-delayed))
	}, patience, 100*time.Millisecond, "the spans of quick requests came too")

	require.Eventually(t, func() bool {
		return len(i.backend.below(slow.Trace.Root)) == len(slow.Trace.Spans)-1+len(slow.Segments)
	}, patience, 100*time.Millisecond, "the backend has the application's spans, and ours below its own")
	inferred := 0
	for _, s := range i.backend.below(slow.Trace.Root) {
		assert.Equal(t, slow.Trace.ID, s.TraceID.String())
		for _, a := range s.Attributes {
			if a.Key == "apm.inferred" {
				inferred++
			}
		}
	}
	assert.Len(t, slow.Segments, inferred)
	assert.NoError(t, i.sidecar.Stop(sidecarGrace))
}

// assertStatement wants the statement and the database of a record.
func (i instrumented) assertStatement(t *testing.T, rec *tx.Record) {
	t.Helper()
	require.NotEmpty(t, rec.SQL)
	assert.Regexp(t, `^select pg_sleep\(\?\) as q`, rec.SQL[0].Text)
	assert.Equal(t, tx.EvidenceSpan, rec.SQL[0].Evidence)
	kinds := map[string]string{}
	for _, p := range rec.Peers {
		kinds[p.Kind] = p.Address
	}
	base, err := url.Parse(i.db.URL())
	require.NoError(t, err)
	assert.True(t, strings.HasSuffix(kinds[tx.KindDatabase], ":"+base.Port()), kinds)
}

// TestSpansUnderLoad: of many slow requests at once nearly all get their spans, and none
// those of another: the statements have the name of their request in them.
func TestSpansUnderLoad(t *testing.T) {
	if !full() {
		t.Skip("E2E_FULL=1 runs it")
	}
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	i := startInstrumented(ctx, t, defaultJDK(t).java)
	x := experiment{tomcat: "load", threshold: spansThreshold, clients: 12, lasts: 20 * time.Second, kinds: []string{"sql", "sql", "narrow", "http", "sync", "sleep", "async"}}
	x.load(ctx, t, i.app.URL)
	require.Eventually(t, func() bool {
		page, err := i.sidecar.Page(ctx, "/metrics")
		return err == nil && strings.Contains(page, "\napm_sidecar_spans_waiting 0\n")
	}, patience, time.Second, "all spans are decided on")
	list, err := i.list(ctx)
	require.NoError(t, err)
	traced, named, foreign, sources := 0, 0, 0, map[string]int{}
	for _, s := range list {
		if !strings.HasPrefix(s.Path, "/run/") {
			continue // the HTTP server that requests wait for is in the same JVM, and shows itself by its spans alone
		}
		var rec tx.Record
		require.NoError(t, i.sidecar.Get(ctx, "/api/transactions/"+s.ID, &rec))
		sources[rec.Source]++
		if rec.Trace == nil {
			continue
		}
		traced++
		own := "q" + regexp.MustCompile("[^A-Za-z0-9]").ReplaceAllString(rec.Path, "_") + "_"
		for _, span := range rec.Trace.Spans {
			switch {
			case !strings.Contains(span.SQL, "pg_sleep"): // the pool has some of its own
			case strings.Contains(span.SQL, " as "+own):
				named++
			default:
				foreign++
			}
		}
	}
	seen := sources[tx.SourceTomcat]
	t.Logf("%d slow requests on record, %d with spans; %d statements of their own, %d of others", seen, traced, named, foreign)
	assert.Zero(t, foreign)
	assert.Positive(t, named)
	assert.LessOrEqual(t, sources[tx.SourceSpans], seen*5/100, "nearly all were seen from outside, however late the looks are")
	assert.GreaterOrEqual(t, traced, seen*95/100)
	assert.NoError(t, i.sidecar.Stop(sidecarGrace))
}

// TestSpansOfVirtualThreads: stacks of virtual threads are in no list of the JVM's; the
// spans tell where the time of such requests went.
func TestSpansOfVirtualThreads(t *testing.T) {
	if !full() {
		t.Skip("E2E_FULL=1 runs it")
	}
	java := jdkFrom(t, 21)
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	i := startInstrumented(ctx, t, java, "-Dslow.virtual=true")
	require.NoError(t, ask(ctx, i.app.URL+"/run/slow/1?steps=sql:900,sleep:100"))
	rec := i.traced(ctx, t, "/run/slow/1")
	assert.Equal(t, tx.SourceTomcat, rec.Source)
	assert.Zero(t, rec.Samples)
	assert.Equal(t, tx.ClassSQL, rec.Class, "%+v", rec.Classes)
	i.assertStatement(t, rec)
	assert.NoError(t, i.sidecar.Stop(sidecarGrace))
}

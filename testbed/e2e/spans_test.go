package e2e

import (
	"context"
	"errors"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/tx"
	"github.com/apm-sidecar/apm-sidecar/testbed/harness"
)

// TestSpansOfTheJavaAgent: OpenTelemetry's own Java agent in a real Tomcat sends to the
// sidecar. The record of a slow request has its spans, joined by the thread, with the
// statement and the peers; quick requests leave none.
func TestSpansOfTheJavaAgent(t *testing.T) {
	java := defaultJDK(t).java
	agent, err := harness.OpenTelemetryAgent()
	require.NoError(t, err)
	bench, err := harness.NewBench()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, bench.Close()) })
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	db, err := bench.StartPostgres(ctx)
	if errors.Is(err, harness.ErrNoPostgres) {
		t.Skip(err)
	}
	require.NoError(t, err)
	free, err := harness.FreePort(ctx)
	require.NoError(t, err)
	port := strconv.Itoa(free)
	app, err := bench.StartSlowWebApp(ctx, java, "tomcat10", db,
		"-javaagent:"+agent, "-Dotel.service.name=slow", "-Dotel.exporter.otlp.endpoint=http://127.0.0.1:"+port,
		"-Dotel.bsp.schedule.delay=500", "-Dotel.metrics.exporter=none", "-Dotel.logs.exporter=none", "-Dotel.exporter.otlp.compression=gzip")
	if errors.Is(err, harness.ErrNoJava) {
		t.Skip(err)
	}
	require.NoError(t, err)
	sidecar, err := bench.StartSidecarWith(ctx, app.JolokiaURL,
		"transactions:\n  interval: 250ms\n  threshold: 800ms\n  spans:\n    listen: 127.0.0.1:"+port+"\ndatabases:\n  - {name: shop, url: "+db.URL()+"}\n")
	require.NoError(t, err)
	_, err = sidecar.AwaitOutput(ctx, regexp.MustCompile("transactions are followed"))
	require.NoError(t, err)

	require.NoError(t, ask(ctx, app.URL+"/run/warm/1?steps=sql:10,http:10,async:10")) // classes are loaded, which may be slow
	for range 20 {
		require.NoError(t, ask(ctx, app.URL+"/run/quick/1?steps=sql:10"))
	}
	require.NoError(t, ask(ctx, app.URL+"/run/slow/1?steps=sql:700,http:500,sleep:100"))
	require.NoError(t, ask(ctx, app.URL+"/run/slow/2?steps=sql:100,async:1000"))

	joined := func(path string) *tx.Record {
		var rec tx.Record
		require.Eventually(t, func() bool {
			var list struct {
				Transactions []tx.Summary `json:"transactions"`
			}
			if sidecar.Get(ctx, "/api/transactions", &list) != nil {
				return false
			}
			for _, s := range list.Transactions {
				if s.Path == path && sidecar.Get(ctx, "/api/transactions/"+s.ID, &rec) == nil && rec.Trace != nil {
					return true
				}
			}
			return false
		}, time.Minute, 200*time.Millisecond, "no record of %s has spans", path)
		return &rec
	}
	slow := joined("/run/slow/1")
	assert.Equal(t, tx.SourceTomcat, slow.Source)
	assert.Equal(t, tx.JoinedByThread, slow.Trace.JoinedBy)
	assert.Equal(t, "slow", slow.Trace.Service)
	assert.NotZero(t, slow.Samples, "the stacks are there too")
	classes := map[tx.Class]int64{}
	for _, s := range slow.Trace.Spans {
		classes[s.Class] += s.ToUs - s.FromUs
		assert.GreaterOrEqual(t, s.FromUs, int64(0))
		assert.LessOrEqual(t, s.ToUs, (slow.Elapsed.Ms+1)*1000, "its milliseconds are whole")
	}
	assert.InDelta(t, 700e3, classes[tx.ClassSQL], 200e3)
	assert.InDelta(t, 500e3, classes[tx.ClassHTTP], 200e3)
	require.NotEmpty(t, slow.SQL)
	assert.Regexp(t, `^select pg_sleep\(\?\) as q`, slow.SQL[0].Text)
	assert.Equal(t, tx.EvidenceSpan, slow.SQL[0].Evidence)
	kinds := map[string]string{}
	for _, p := range slow.Peers {
		kinds[p.Kind] = p.Address
	}
	base, err := url.Parse(db.URL())
	require.NoError(t, err)
	assert.True(t, strings.HasSuffix(kinds[tx.KindDatabase], ":"+base.Port()), kinds)
	assert.NotEmpty(t, kinds[tx.KindHTTP])

	async := joined("/run/slow/2")
	assert.True(t, async.Async)

	var list struct {
		Transactions []tx.Summary `json:"transactions"`
	}
	require.NoError(t, sidecar.Get(ctx, "/api/transactions", &list))
	paths := map[string]int{}
	for _, s := range list.Transactions {
		paths[s.Path]++
	}
	delete(paths, "/run/warm/1")
	assert.Equal(t, map[string]int{"/run/slow/1": 1, "/run/slow/2": 1}, paths, "quick ones leave nothing, slow ones one record each")
	dropped, err := sidecar.Metric(ctx, "apm_sidecar_spans_dropped_total")
	require.NoError(t, err)
	assert.GreaterOrEqual(t, dropped, 40.0, "the spans of quick requests came too")
	assert.NoError(t, sidecar.Stop(sidecarGrace))
}

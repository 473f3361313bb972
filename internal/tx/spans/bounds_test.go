package spans_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/otlp"
	"github.com/apm-sidecar/apm-sidecar/internal/tx"
	"github.com/apm-sidecar/apm-sidecar/internal/tx/spans"
)

// TestMemoryIsBounded: what is not slow makes room; where all may be slow, senders are
// asked to come again; and spans whose request never ends go in the end.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	b := newBench()
	fill := func(kind otlp.Kind, ms, length int64) (refused error) {
		for n := range 3000 {
			s := span(byte(n), 1, 9, kind, 0, length)
			s.TraceID[2], s.TraceID[3] = byte(n>>8), byte(ms>>8)
			if err := b.Take([]otlp.Group{{Resource: &otlp.Resource{}, Scope: &otlp.Scope{}, Spans: []*otlp.Span{s}}}, after(ms)); err != nil {
				return err
			}
		}
		return nil
	}
	quick := fill(otlp.KindServer, 0, 2000) // not yet surely quick
	require.NoError(t, quick)
	require.NoError(t, fill(otlp.KindServer, 256, 2000), "they make room")
	assert.LessOrEqual(t, b.Stats().WaitingBytes, int64(1<<20))
	require.NoError(t, fill(otlp.KindInternal, 512, 100))
	require.ErrorIs(t, fill(otlp.KindInternal, 768, 100), otlp.ErrFull)
	require.NoError(t, fill(otlp.KindInternal, 31_000, 100), "the oldest go after a while")
	stats := b.Stats()
	assert.Positive(t, stats.Evicted)
	assert.Positive(t, stats.Refused)
	assert.LessOrEqual(t, stats.WaitingBytes, int64(1<<20))
	b.steps(700_000, 700_000)
	assert.Zero(t, b.Stats().Waiting)
	assert.Positive(t, b.Stats().Expired)
}

// TestOriginsAreCounted: resources are bounded too, and those alike are one.
func TestOriginsAreCounted(t *testing.T) {
	t.Parallel()
	b := newBench()
	for n := range byte(100) {
		b.take(t, 0, processA(), span(n, 2, 1, otlp.KindInternal, 0, 10))
	}
	small := b.Stats().WaitingBytes
	assert.Less(t, small, int64(100_000), "they share their resource")
	var err error
	for n := byte(100); n < 200 && err == nil; n++ {
		long := otlp.Attributes{text("n", strings.Repeat(string(rune('a'+n)), 10_000))}
		err = b.Take([]otlp.Group{{Resource: &otlp.Resource{Attributes: long}, Scope: &otlp.Scope{}, Spans: []*otlp.Span{span(n, 2, 1, otlp.KindInternal, 0, 10)}}}, after(0))
	}
	require.ErrorIs(t, err, otlp.ErrFull)
	b.steps(700_000, 700_000)
	assert.Zero(t, b.Stats().WaitingBytes)
}

// TestThresholdsOfRoutes: a route is what the application calls it, or what the pages do.
func TestThresholdsOfRoutes(t *testing.T) {
	t.Parallel()
	thresholds := tx.NewThresholds(3*time.Second, tx.RouteThreshold{Pattern: "/orders/{id}", Threshold: time.Minute}, tx.RouteThreshold{Pattern: "/carts/{cart}", Threshold: time.Minute})
	f := func(route, path string, want int) {
		t.Helper()
		b := newBench()
		b.Window = spans.New(spans.Options{Thresholds: thresholds, Interval: time.Second, MaxBytes: 1 << 20})
		b.take(t, 5000, processA(), span(1, 1, 0, otlp.KindServer, 0, 4000, text("http.route", route), text("url.path", path)))
		assert.Len(t, b.steps(6000, 30_000).Keep, want)
	}
	f("/orders/{order}", "/orders/7", 0)
	f("/carts/{cart}", "/carts/7", 0)
	f("/other", "/other", 1)
}

// TestHostileTraces: loops, and more spans than anyone should have in a request.
func TestHostileTraces(t *testing.T) {
	t.Parallel()
	b := newBench()
	a, c := span(1, 2, 3, otlp.KindClient, 100, 200), span(1, 3, 2, otlp.KindClient, 100, 200)
	same := server(1, 1, 0, 4000, 31)
	same.Parent, same.Flags = same.ID, otlp.FlagHasRemote|otlp.FlagRemote
	b.take(t, 5000, processA(), a, c, same)
	out := b.steps(6000, 30_000)
	require.Len(t, out.Keep, 1)
	assert.Len(t, out.Keep[0].Trace.Spans, 3)

	twice := newBench()
	twice.take(t, 5000, processA(), server(1, 1, 0, 10, 31), server(1, 1, 0, 10, 31), span(1, 2, 1, otlp.KindClient, 1, 2), server(2, 1, 0, 4000, 31), server(2, 1, 0, 4000, 31))
	assert.Len(t, twice.steps(6000, 30_000).Keep, 1)
	assert.Zero(t, twice.Stats().Waiting)

	big := newBench()
	var list []*otlp.Span
	for n := range 1000 {
		s := span(1, 0, 1, otlp.KindClient, int64(n), 3000, text("server.address", string(rune('a'+n%26))))
		s.ID = otlp.SpanID{2, byte(n), byte(n >> 8)}
		list = append(list, s)
	}
	big.take(t, 5000, processA(), append(list, server(1, 1, 0, 4000, 31))...)
	out = big.steps(6000, 30_000)
	require.Len(t, out.Keep, 1)
	trace := out.Keep[0].Trace
	assert.Len(t, trace.Spans, 500)
	assert.Equal(t, 501, trace.LeftOut)
	assert.Equal(t, trace.Root, trace.Spans[0].ID)
	assert.LessOrEqual(t, len(out.Keep[0].Peers), 20)
}

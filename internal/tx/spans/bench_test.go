package spans_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/otlp"
	"github.com/apm-sidecar/apm-sidecar/internal/tx"
	"github.com/apm-sidecar/apm-sidecar/internal/tx/spans"
)

// BenchmarkQuickRequests is what spans cost that lead to nothing, as nearly all do: a
// batch of 512 in 100 requests, decoded, taken, and dropped.
func BenchmarkQuickRequests(b *testing.B) {
	var list []*otlp.Span
	for n := range 512 {
		parent, kind := byte(1), otlp.KindClient
		if n%5 == 0 {
			parent, kind = 0, otlp.KindServer
		}
		s := span(byte(n/5), byte(n%5+1), parent, kind, 0, 20, thread(31), text("thread.name", "http-nio-8080-exec-1"), text("http.request.method", "GET"),
			text("url.path", "/orders/7"), text("http.route", "/orders/{id}"), text("server.address", "shop.example.com"), text("db.query.text", "SELECT * FROM orders WHERE id = ?"))
		list = append(list, s)
	}
	body := otlp.Encode([]otlp.Group{{Resource: &otlp.Resource{Attributes: processA()}, Scope: &otlp.Scope{Name: "io.opentelemetry"}, Spans: list}})
	w := spans.New(spans.Options{Thresholds: tx.NewThresholds(3 * time.Second), Interval: time.Second, MaxBytes: 64 << 20})
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		groups, _, err := otlp.Decode(body, otlp.DefaultLimits())
		require.NoError(b, err)
		require.NoError(b, w.Take(groups, epoch()))
	}
	require.Zero(b, w.Stats().Waiting)
}

package otlp_test

import (
	"compress/gzip"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/otlp"
)

// backend answers as it is told, and keeps what it was sent. It is a client too: no
// network lies between.
type backend struct {
	mu      sync.Mutex
	answers []func(w http.ResponseWriter)
	asked   int
	spans   []string
}

func (b *backend) Do(r *http.Request) (*http.Response, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	w := httptest.NewRecorder()
	if len(b.answers) > 0 {
		b.answers[0](w)
		b.answers = b.answers[1:]
	}
	if w.Code == http.StatusOK {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(z)
		if err != nil {
			return nil, err
		}
		groups, _, err := otlp.Decode(body, otlp.DefaultLimits())
		if err != nil {
			return nil, err
		}
		for _, g := range groups {
			for _, s := range g.Spans {
				b.spans = append(b.spans, s.Name)
			}
		}
	}
	return w.Result(), nil
}

func (b *backend) got() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.spans
}

func code(n int, headers ...string) func(w http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(n)
	}
}

func named(names ...string) []otlp.Group {
	g := otlp.Group{Resource: &otlp.Resource{}, Scope: &otlp.Scope{}}
	for _, name := range names {
		g.Spans = append(g.Spans, &otlp.Span{TraceID: otlp.TraceID{1}, ID: otlp.SpanID{1}, Name: name, Start: 1, End: 2})
	}
	return []otlp.Group{g}
}

// running runs an exporter inside of synctest until the test has looked, and returns its
// metrics.
func running(t *testing.T, b *backend, during func(e *otlp.Exporter)) string {
	t.Helper()
	e := otlp.NewExporter(otlp.ExporterOptions{URL: "http://backend/v1/traces", Client: b, Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	during(e)
	cancel()
	require.NoError(t, <-done)
	var text strings.Builder
	e.WriteMetrics(&text)
	return text.String()
}

func TestExporterSends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &backend{}
		metrics := running(t, b, func(e *otlp.Exporter) {
			e.Send(named("a", "b"))
			e.Send(named("c"))
			synctest.Wait()
			assert.Equal(t, []string{"a", "b", "c"}, b.got())
		})
		assert.Contains(t, metrics, "apm_sidecar_spans_exported_total 3\n")
		assert.Contains(t, metrics, "apm_sidecar_spans_export_queue_bytes 0\n")
	})
}

// TestExporterTriesAgain where the protocol says so, after the time the backend asks for.
func TestExporterTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &backend{answers: []func(http.ResponseWriter){code(503), code(429, "Retry-After", "20")}}
		metrics := running(t, b, func(e *otlp.Exporter) {
			e.Send(named("a"))
			time.Sleep(20 * time.Second) // of the bubble's clock
			assert.Empty(t, b.got())
			time.Sleep(2 * time.Second)
			assert.Equal(t, []string{"a"}, b.got())
		})
		assert.Contains(t, metrics, "apm_sidecar_spans_exported_total 1\n")
		assert.Contains(t, metrics, `apm_sidecar_spans_export_requests_total{code="503"} 1`)
	})
}

func TestExporterCountsWhatIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		forever := make([]func(http.ResponseWriter), 0, 100)
		for range 100 {
			forever = append(forever, code(502))
		}
		b := &backend{answers: append([]func(http.ResponseWriter){code(400), func(w http.ResponseWriter) {
			_, _ = w.Write([]byte("\x0a\x05\x08\x01\x12\x01x")) // one of the two is rejected
		}}, forever...)}
		metrics := running(t, b, func(e *otlp.Exporter) {
			e.Send(named("refused"))
			synctest.Wait()
			e.Send(named("a", "b"))
			synctest.Wait()
			e.Send(named("late"))
			time.Sleep(10 * time.Minute)
			b.mu.Lock()
			b.answers = nil
			b.mu.Unlock()
			e.Send(named("after"))
			synctest.Wait()
			assert.Equal(t, []string{"a", "b", "after"}, b.got())
		})
		assert.Contains(t, metrics, `apm_sidecar_spans_export_dropped_total{reason="rejected"} 2`)
		assert.Contains(t, metrics, `apm_sidecar_spans_export_dropped_total{reason="given_up"} 1`)
		assert.Contains(t, metrics, "apm_sidecar_spans_exported_total 2\n")
	})
}

// TestExporterIsBounded: a backend that takes nothing costs no more than the queue.
func TestExporterIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := otlp.NewExporter(otlp.ExporterOptions{URL: "http://backend/v1/traces", Client: &backend{}, Logger: slog.New(slog.DiscardHandler)})
		long := strings.Repeat("x", 1<<20)
		for range 40 {
			e.Send(named(long))
		}
		var text strings.Builder
		e.WriteMetrics(&text)
		assert.Contains(t, text.String(), `apm_sidecar_spans_export_dropped_total{reason="queue_full"} 9`)
	})
}

// TestExporterSaysFarewell: what waits at the end is sent.
func TestExporterSaysFarewell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &backend{}
		e := otlp.NewExporter(otlp.ExporterOptions{URL: "http://backend/v1/traces", Client: b, Logger: slog.New(slog.DiscardHandler)})
		e.Send(named("last"))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.NoError(t, e.Run(ctx))
		assert.Equal(t, []string{"last"}, b.got())
	})
}

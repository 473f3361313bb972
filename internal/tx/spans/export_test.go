package spans_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/otlp"
	"github.com/apm-sidecar/apm-sidecar/internal/tx"
	"github.com/apm-sidecar/apm-sidecar/internal/tx/spans"
)

// TestExported: a record is a server span with its segments below, the same each time.
func TestExported(t *testing.T) {
	t.Parallel()
	rec := record("one-1", 0, 4000, 31)
	rec.State, rec.Thread = tx.StateFailed, "exec-3"
	rec.Segments = []tx.Segment{
		{FromMs: 0, ToMs: 3000, Class: tx.ClassSQL, Frame: "shop.Orders.find", Peer: "[::1]:5432", SQL: "select ?"},
		{FromMs: 3000, ToMs: 4000, Class: tx.ClassCPU},
	}
	got := spans.Exported(rec)
	assert.Equal(t, got, spans.Exported(rec), "its ids are stable")
	require.Len(t, got, 1)
	assert.Equal(t, "shop", got[0].Resource.Attributes.Text("service.name"))
	assert.Equal(t, "a:1", got[0].Resource.Attributes.Text("service.instance.id"))
	require.Len(t, got[0].Spans, 3)
	root, query, work := got[0].Spans[0], got[0].Spans[1], got[0].Spans[2]
	assert.Equal(t, "GET /orders/{id}", root.Name)
	assert.Equal(t, otlp.KindServer, root.Kind)
	assert.EqualValues(t, otlp.StatusError, root.Status)
	assert.Equal(t, after(0).UnixNano(), root.Start)
	assert.Equal(t, after(4000).UnixNano(), root.End)
	for key, want := range map[string]string{
		"http.request.method": "GET", "http.route": "/orders/{id}", "url.path": "/orders/7", "thread.name": "exec-3", "thread.id": "31",
		"apm.transaction.id": "one-1", "apm.class": "sql", "apm.certainty": "exact", "apm.class.sql.ms": "4000",
	} {
		assert.Equal(t, want, root.Attributes.Text(key), key)
	}
	ids := map[otlp.SpanID]bool{root.ID: true, query.ID: true, work.ID: true}
	assert.Len(t, ids, 3)
	for _, s := range []*otlp.Span{query, work} {
		assert.Equal(t, root.ID, s.Parent)
		assert.Equal(t, root.TraceID, s.TraceID)
		assert.Contains(t, s.Attributes, otlp.Attribute{Key: "apm.inferred", Value: otlp.Bool(true)})
	}
	assert.Equal(t, otlp.KindClient, query.Kind)
	assert.Equal(t, "sql shop.Orders.find", query.Name)
	for key, want := range map[string]string{"db.query.text": "select ?", "server.address": "::1", "server.port": "5432", "code.function.name": "shop.Orders.find"} {
		assert.Equal(t, want, query.Attributes.Text(key), key)
	}
	assert.Equal(t, otlp.KindInternal, work.Kind)
	assert.Equal(t, "cpu", work.Name)
}

// TestExportedBelowItsOwnSpan: where the application's server span is known, there is no
// second one, and the segments are below it.
func TestExportedBelowItsOwnSpan(t *testing.T) {
	t.Parallel()
	rec := record("one-1", 0, 4000, 31)
	rec.Segments = []tx.Segment{{FromMs: 0, ToMs: 4000, Class: tx.ClassCPU}}
	rec.Trace = &tx.Trace{ID: "5b8efff798038103d269b633813fc60c", Root: "eee19b7ec3c1b174"}
	got := spans.Exported(rec)
	require.Len(t, got[0].Spans, 1)
	assert.Equal(t, "5b8efff798038103d269b633813fc60c", got[0].Spans[0].TraceID.String())
	assert.Equal(t, "eee19b7ec3c1b174", got[0].Spans[0].Parent.String())

	rec.Source = tx.SourceSpans
	assert.Empty(t, spans.Exported(rec), "it is made of spans already")
}

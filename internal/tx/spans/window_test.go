package spans_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/otlp"
	"github.com/apm-sidecar/apm-sidecar/internal/tx"
	"github.com/apm-sidecar/apm-sidecar/internal/tx/spans"
)

func epoch() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

// after is a moment so many milliseconds after the epoch.
func after(ms int64) time.Time { return epoch().Add(time.Duration(ms) * time.Millisecond) }

// bench is a Window with what it is told of targets.
type bench struct {
	*spans.Window
	targets  []spans.Target
	inFlight []tx.Active
}

func newBench() *bench {
	return &bench{
		Window:  spans.New(spans.Options{Thresholds: tx.NewThresholds(3 * time.Second), Interval: time.Second, Services: map[string]string{"mapped": "shop/b:1"}, MaxBytes: 1 << 20}),
		targets: []spans.Target{{Name: "shop/a:1", Instance: "a:1", Process: "7@Host"}, {Name: "shop/b:1", Instance: "b:1", Process: "8@Host"}},
	}
}

// take hands over spans of a process at a time.
func (b *bench) take(t *testing.T, ms int64, process otlp.Attributes, list ...*otlp.Span) {
	t.Helper()
	require.NoError(t, b.Take([]otlp.Group{{Resource: &otlp.Resource{Attributes: process}, Scope: &otlp.Scope{}, Spans: list}}, after(ms)))
}

// steps takes a step each second from one time to another, and returns all that came out.
func (b *bench) steps(fromMs, toMs int64) (out spans.Outcome) {
	for ms := fromMs; ms <= toMs; ms += 1000 {
		o := b.Step(after(ms), b.targets, func(string) []tx.Active { return b.inFlight })
		out.Keep, out.Done, out.Slow = append(out.Keep, o.Keep...), append(out.Done, o.Done...), append(out.Slow, o.Slow...)
	}
	return out
}

// processA is what the agent in target shop/a:1 says of itself.
func processA() otlp.Attributes {
	return otlp.Attributes{
		{Key: "service.name", Value: otlp.String("shop")}, {Key: "process.pid", Value: otlp.Int(7)}, {Key: "host.name", Value: otlp.String("host")},
		{Key: "service.instance.id", Value: otlp.String("0b7c6a4e-aaaa")},
	}
}

// span is one of trace n, in milliseconds since the epoch.
func span(n, id, parent byte, kind otlp.Kind, from, to int64, attributes ...otlp.Attribute) *otlp.Span {
	s := &otlp.Span{TraceID: otlp.TraceID{n, 1}, ID: otlp.SpanID{id}, Name: "span", Kind: kind, Start: after(from).UnixNano(), End: after(to).UnixNano(), Attributes: attributes}
	if parent != 0 {
		s.Parent = otlp.SpanID{parent}
	}
	return s
}

func text(key, value string) otlp.Attribute {
	return otlp.Attribute{Key: key, Value: otlp.String(value)}
}

func thread(id int64) otlp.Attribute {
	return otlp.Attribute{Key: "thread.id", Value: otlp.Int(id)}
}

// server is the span of a request on a thread.
func server(n, id byte, from, to, threadID int64) *otlp.Span {
	return span(n, id, 0, otlp.KindServer, from, to, thread(threadID), text("http.request.method", "GET"), text("url.path", "/orders/7"), text("http.route", "/orders/{id}"))
}

// record is one of target shop/a:1 on a thread.
func record(id string, from, to, threadID int64) *tx.Record {
	ms := to - from
	return &tx.Record{
		ID: id, Target: "shop/a:1", State: tx.StateFinished, Source: tx.SourceTomcat, Route: "/orders/{id}", Method: "GET", Path: "/orders/7",
		ThreadID: threadID, Start: after(from), Elapsed: tx.Elapsed{Ms: ms, MinMs: ms, MaxMs: ms, Certainty: tx.Exact}, ThresholdMs: 3000,
		Class: tx.ClassSQL, Classes: []tx.ClassTime{{Class: tx.ClassSQL, Ms: ms}}, Samples: 3, Segments: []tx.Segment{}, Peers: []tx.Peer{}, SQL: []tx.SQL{},
	}
}

// TestJoin: spans and record may come in any order; what was seen from outside stays.
func TestJoin(t *testing.T) {
	t.Parallel()
	query := func() *otlp.Span {
		return span(1, 2, 1, otlp.KindClient, 1000, 3000, text("db.system.name", "postgresql"), text("db.query.text", "SELECT * FROM orders WHERE id = 'secret'"), text("server.address", "db"), otlp.Attribute{Key: "server.port", Value: otlp.Int(5432)})
	}
	for name, order := range map[string]func(b *bench, rec *tx.Record){
		"record first": func(b *bench, rec *tx.Record) {
			b.Record(rec, after(4100))
			b.take(t, 5000, processA(), query(), server(1, 1, 10, 3990, 31))
		},
		"spans first": func(b *bench, rec *tx.Record) {
			b.take(t, 4000, processA(), query())
			b.take(t, 4200, processA(), server(1, 1, 10, 3990, 31))
			b.Record(rec, after(4900))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench()
			rec := record("one", 0, 4000, 31)
			order(b, rec)
			out := b.steps(6000, 8000)
			require.Len(t, out.Keep, 1)
			assert.Equal(t, out.Keep, out.Done)
			got := out.Keep[0]
			assert.Nil(t, rec.Trace, "what was handed out is not changed")
			assert.Equal(t, "one", got.ID)
			assert.Equal(t, tx.Trace{
				ID: "01010000000000000000000000000000", Service: "shop", JoinedBy: tx.JoinedByThread, Root: "0100000000000000",
				Spans: []tx.Span{
					{ID: "0100000000000000", Name: "span", Kind: "server", FromUs: 10_000, ToUs: 3_990_000, ThreadID: 31},
					{ID: "0200000000000000", Parent: "0100000000000000", Name: "span", Kind: "client", FromUs: 1_000_000, ToUs: 3_000_000, Class: tx.ClassSQL, SQL: "SELECT * FROM orders WHERE id = ?", Peer: "db:5432"},
				},
			}, *got.Trace)
			assert.Equal(t, []tx.SQL{{Text: "SELECT * FROM orders WHERE id = ?", Peer: "db:5432", Ms: 2000, Seen: 1, Evidence: tx.EvidenceSpan}}, got.SQL)
			assert.Equal(t, []tx.Peer{{Kind: tx.KindDatabase, Address: "db:5432", Ms: 2000, Waits: 1, Evidence: tx.EvidenceSpan}}, got.Peers)
			assert.Equal(t, rec.Classes, got.Classes, "looks saw where the time went")
			going := 0
			for _, g := range out.Slow {
				going += len(g.Spans)
			}
			assert.Equal(t, 2, going, "they go on as they came")
			assert.EqualValues(t, 1, b.Stats().Joined)
			assert.Zero(t, b.Stats().Waiting)
			assert.Zero(t, b.Stats().WaitingBytes)

			b.take(t, 9000, processA(), query(), server(1, 1, 10, 3990, 31)) // sent twice
			assert.Empty(t, b.steps(10_000, 40_000).Keep)
			assert.EqualValues(t, 1, b.Stats().Repeated)
		})
	}
}

// TestNotJoined: nothing is joined that may be another request's.
func TestNotJoined(t *testing.T) {
	t.Parallel()
	other := func(change func(*tx.Record)) []*tx.Record {
		rec := record("one", 0, 4000, 31)
		change(rec)
		return []*tx.Record{rec}
	}
	for _, c := range []struct {
		name    string
		process otlp.Attributes
		records []*tx.Record
		spans   []*otlp.Span
	}{
		{"another thread", processA(), other(func(r *tx.Record) { r.ThreadID = 32; r.Elapsed.Ms = 5000 }), []*otlp.Span{server(1, 1, 10, 3990, 31)}},
		{"another time", processA(), other(func(r *tx.Record) { r.Start = after(3500) }), []*otlp.Span{server(1, 1, 10, 3990, 31)}},
		{"another path", processA(), other(func(r *tx.Record) { r.Path = "/cart" }), []*otlp.Span{server(1, 1, 10, 3990, 31)}},
		{"another method", processA(), other(func(r *tx.Record) { r.Method = "PUT" }), []*otlp.Span{server(1, 1, 10, 3990, 31)}},
		{"another target", processA(), other(func(r *tx.Record) { r.Target = "shop/b:1" }), []*otlp.Span{server(1, 1, 10, 3990, 31)}},
		{"no thread, and not the same length", processA(), other(func(r *tx.Record) { r.ThreadID, r.Elapsed.Ms = 0, 4200 }), []*otlp.Span{server(1, 1, 10, 3990, 31)}},
		{"two traces for one record", processA(), other(func(*tx.Record) {}), []*otlp.Span{server(1, 1, 10, 3990, 31), server(2, 1, 20, 3980, 31)}},
		{"two records for one trace", processA(), []*tx.Record{record("one", 0, 4000, 31), record("two", 5, 4001, 31)}, []*otlp.Span{server(1, 1, 10, 3990, 31)}},
		{"several requests that look like one", processA(), other(func(r *tx.Record) {
			r.Source, r.Path, r.Method, r.Elapsed = tx.SourceThreads, "", "", tx.Elapsed{Ms: 9000, MinMs: 8500, MaxMs: 9500, Certainty: tx.Estimated}
		}), []*otlp.Span{server(1, 1, 10, 3990, 31)}},
		{"nobody's", otlp.Attributes{text("service.name", "shop")}, other(func(*tx.Record) {}), []*otlp.Span{server(1, 1, 10, 3990, 31)}},
		{"two names that differ", append(processA()[:3:3], text("service.instance.id", "b:1")), other(func(*tx.Record) {}), []*otlp.Span{server(1, 1, 10, 3990, 31)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench()
			for _, r := range c.records {
				b.Record(r, after(5000))
			}
			b.take(t, 5000, c.process, c.spans...)
			out := b.steps(6000, 60_000)
			for _, r := range out.Keep {
				assert.Equal(t, tx.SourceSpans, r.Source)
			}
			for _, r := range c.records {
				assert.Contains(t, out.Done, r, "it is done with as it is")
			}
			assert.Zero(t, b.Stats().Joined)
			assert.Zero(t, b.Stats().Waiting)
		})
	}
}

// TestTargets: how the process of spans is found among the targets.
func TestTargets(t *testing.T) {
	t.Parallel()
	f := func(want string, process ...otlp.Attribute) {
		t.Helper()
		b := newBench()
		b.take(t, 5000, process, server(1, 1, 0, 4000, 31))
		out := b.steps(6000, 30_000)
		if want == "" {
			assert.Empty(t, out.Keep)
			assert.EqualValues(t, 1, b.Stats().Homeless)
			return
		}
		require.Len(t, out.Keep, 1)
		assert.Equal(t, want, out.Keep[0].Target)
	}
	f("shop/a:1", processA()...)
	f("shop/b:1", text("service.name", "mapped"))
	f("shop/b:1", text("service.instance.id", "b:1"))
	f("shop/b:1", text("service.instance.id", "shop/b:1"))
	f("", text("service.name", "shop"))
	f("", text("host.name", "host"))
	f("")
}

// TestQuickOnesLeaveNothing, neither a record nor memory.
func TestQuickOnesLeaveNothing(t *testing.T) {
	t.Parallel()
	b := newBench()
	for n := range byte(200) {
		b.take(t, int64(n), processA(), server(n, 1, 0, int64(n), 31), span(n, 2, 1, otlp.KindInternal, 0, 10))
	}
	assert.Zero(t, b.Stats().Waiting, "surely quick ones go at once")
	b.take(t, 5000, processA(), server(1, 1, 0, 2900, 31)) // might be slow, seen from outside
	assert.EqualValues(t, 1, b.Stats().Waiting)
	out := b.steps(6000, 20_000)
	assert.Empty(t, out.Keep)
	assert.Empty(t, out.Slow)
	assert.EqualValues(t, 401, b.Stats().Quick)
	assert.Zero(t, b.Stats().Waiting)
}

// TestOnlySpans: a request that nothing else showed, over HTTP/2 say, gets a record of its
// own, once it is sure that no look will show it.
func TestOnlySpans(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.inFlight = []tx.Active{{Path: "/orders/7", Start: after(100)}}
	root := server(1, 1, 0, 4000, 31)
	root.Attributes = append(root.Attributes, otlp.Attribute{Key: "http.response.status_code", Value: otlp.Int(500)})
	outer := span(1, 2, 1, otlp.KindClient, 500, 2500, text("rpc.system", "aws"), text("server.address", "cloud"))
	inner := span(1, 3, 2, otlp.KindClient, 1000, 2000, text("http.request.method", "GET"), text("server.address", "s3"), text("server.port", "443"))
	broken := span(1, 4, 9, otlp.KindClient, 3000, 3500, text("db.system", "redis"))
	broken.Status, broken.Events = otlp.StatusError, []otlp.Event{{Name: "exception", Attributes: otlp.Attributes{text("exception.type", "java.io.IOException")}}}
	b.take(t, 5000, processA(), outer, inner, broken, root)
	assert.Empty(t, b.steps(6000, 20_000).Keep, "it is still in flight, as far as looks tell")
	b.inFlight = nil
	out := b.steps(21_000, 21_000)
	require.Len(t, out.Keep, 1)
	rec := out.Keep[0]
	assert.Equal(t, tx.StateFailed, rec.State)
	assert.Equal(t, "/orders/{id}", rec.Route)
	assert.Regexp(t, `^s[0-9a-z]+-[0-9a-z]+$`, rec.ID)
	assert.Equal(t, tx.Elapsed{Ms: 4000, MinMs: 4000, MaxMs: 4000, Certainty: tx.Exact}, rec.Elapsed)
	assert.Equal(t, []tx.ClassTime{{Class: tx.ClassUnknown, Ms: 1500}, {Class: tx.ClassHTTP, Ms: 1000}, {Class: tx.ClassNetwork, Ms: 1000}, {Class: tx.ClassStore, Ms: 500}}, rec.Classes)
	classes := make([]tx.Class, 0, len(rec.Segments))
	for _, s := range rec.Segments {
		classes = append(classes, s.Class)
	}
	assert.Equal(t, []tx.Class{tx.ClassUnknown, tx.ClassNetwork, tx.ClassHTTP, tx.ClassNetwork, tx.ClassUnknown, tx.ClassStore, tx.ClassUnknown}, classes)
	assert.Equal(t, "java.io.IOException", rec.Trace.Spans[3].ErrorType)
	assert.Equal(t, []tx.Peer{
		{Kind: tx.KindTCP, Address: "cloud", Ms: 1000, Waits: 1, Evidence: tx.EvidenceSpan},
		{Kind: tx.KindHTTP, Address: "s3:443", Ms: 1000, Waits: 1, Evidence: tx.EvidenceSpan},
	}, rec.Peers)
}

// TestOtherClock: a record like it waits, at another time: nobody says they are the same,
// and nobody says they are two.
func TestOtherClock(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.Record(record("one", 60_000, 64_000, 31), after(5000))
	b.take(t, 5000, processA(), server(1, 1, 0, 3990, 31))
	assert.Empty(t, b.steps(6000, 90_000).Keep)
	assert.EqualValues(t, 1, b.Stats().Ambiguous)

	unsure := newBench()
	rec := record("two", 0, 4100, 0)
	rec.Elapsed = tx.Elapsed{Ms: 4100, MinMs: 3900, MaxMs: 4300, Certainty: tx.Bounded}
	unsure.Record(rec, after(5000))
	unsure.take(t, 5000, processA(), server(1, 1, 0, 3990, 31))
	assert.Empty(t, unsure.steps(6000, 90_000).Keep, "its length is not exact, and no thread is known")

	blank := newBench()
	rec = record("three", 0, 4000, 0)
	rec.Path, rec.Method, rec.Route = "", "", ""
	blank.Record(rec, after(5000))
	blank.take(t, 5000, processA(), server(1, 1, 0, 3990, 31))
	assert.Empty(t, blank.steps(6000, 90_000).Keep, "it began and ended between two looks")
}

// TestWithoutThread: a request that left its thread is joined by path and both ends.
func TestWithoutThread(t *testing.T) {
	t.Parallel()
	b := newBench()
	rec := record("one", 0, 4000, 0)
	rec.Async, rec.Samples, rec.Class, rec.Classes = true, 0, tx.ClassAsync, []tx.ClassTime{{Class: tx.ClassAsync, Ms: 4000}}
	b.Record(rec, after(5000))
	b.take(t, 5000, processA(), span(1, 2, 1, otlp.KindProducer, 1000, 2000, text("messaging.system", "kafka")), server(1, 1, 10, 3990, 31))
	out := b.steps(6000, 6000)
	require.Len(t, out.Keep, 1)
	assert.Equal(t, tx.JoinedByPath, out.Keep[0].Trace.JoinedBy)
	assert.Equal(t, []tx.ClassTime{{Class: tx.ClassAsync, Ms: 3000}, {Class: tx.ClassMessaging, Ms: 1000}}, out.Keep[0].Classes, "nobody looked: spans tell")
}

// TestTraceComesBack: a trace that visits the process twice has two requests in it, and
// each gets its own spans.
func TestTraceComesBack(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.Record(record("one", 0, 4000, 31), after(9000))
	b.Record(record("two", 4500, 8500, 32), after(9000))
	b.take(t, 9000, processA(), span(1, 11, 1, otlp.KindInternal, 100, 200), span(1, 12, 2, otlp.KindInternal, 5000, 5100), server(1, 1, 0, 4000, 31), server(1, 2, 4500, 8500, 32))
	out := b.steps(10_000, 10_000)
	require.Len(t, out.Keep, 2)
	for _, rec := range out.Keep {
		require.Len(t, rec.Trace.Spans, 2)
		assert.Equal(t, rec.Trace.Root, rec.Trace.Spans[1].Parent)
	}
}

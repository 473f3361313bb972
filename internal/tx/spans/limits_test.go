package spans

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/otlp"
	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

// newWindow is one with memory for all that a test gives it.
func newWindow() *Window {
	return New(Options{Thresholds: tx.NewThresholds(time.Second), Interval: time.Second, MaxBytes: 1 << 30})
}

// numbered is a span of five seconds of a trace.
func numbered(trace, id uint32, kind otlp.Kind, begun time.Time) *otlp.Span {
	s := &otlp.Span{Kind: kind, Start: begun.UnixNano(), End: begun.Add(5 * time.Second).UnixNano()}
	binary.BigEndian.PutUint32(s.TraceID[:], trace)
	binary.BigEndian.PutUint32(s.ID[:], id)
	if kind != otlp.KindServer {
		s.Parent = otlp.SpanID{1}
	}
	return s
}

func take(t *testing.T, w *Window, at time.Time, list ...*otlp.Span) {
	t.Helper()
	require.NoError(t, w.Take([]otlp.Group{{Resource: &otlp.Resource{}, Scope: &otlp.Scope{}, Spans: list}}, at))
}

// Of a trace that has no end so many spans are kept, and the request that they are of: without it
// nobody would know that it was slow.
func TestATraceWithoutEndHasARequest(t *testing.T) {
	t.Parallel()
	w, begun := newWindow(), time.Unix(1e9, 0)
	var list []*otlp.Span
	for i := range uint32(maxTraceSpans + 10) {
		list = append(list, numbered(1, i+1, otlp.KindClient, begun))
	}
	take(t, w, begun, append(list, numbered(1, 1<<31, otlp.KindServer, begun))...)
	assert.Equal(t, int64(10), w.stats.TooBig)
	assert.Equal(t, maxTraceSpans+1, w.spans)
}

func TestAStepHasSoManyRequests(t *testing.T) {
	t.Parallel()
	w, begun := newWindow(), time.Unix(1e9, 0)
	var list []*otlp.Span
	for i := range uint32(maxCandidates + 10) {
		list = append(list, numbered(i+1, 1, otlp.KindServer, begun))
	}
	take(t, w, begun, list...)
	assert.Len(t, w.candidates(begun.Add(time.Hour), newResolver(nil, nil)), maxCandidates)
}

func TestRecordsThatWaitForSpansAreBounded(t *testing.T) {
	t.Parallel()
	w, begun := newWindow(), time.Unix(1e9, 0)
	for range maxRecords + 10 {
		w.Record(&tx.Record{Start: begun, Elapsed: tx.Elapsed{Ms: 5000}}, begun)
	}
	out := w.Step(begun, nil, func(string) []tx.Active { return nil })
	assert.Len(t, out.Done, 10, "the oldest go on without any")
	assert.Len(t, w.records, maxRecords)
}

func TestWordsAreCutBetweenLetters(t *testing.T) {
	t.Parallel()
	ascii := make([]byte, maxWordBytes+5)
	for i := range ascii {
		ascii[i] = 'a'
	}
	assert.Equal(t, string(ascii[:maxWordBytes]), word(string(ascii)))
	assert.Equal(t, string(ascii[:maxWordBytes-1]), word(string(ascii[:maxWordBytes-1])+"ä"))
}

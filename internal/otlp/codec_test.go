package otlp_test

import (
	"os"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/easyproto"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/otlp"
)

func file(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	return body
}

// sent is what testdata/request.pb has, which the official library wrote
// (go.opentelemetry.io/proto/slim/otlp v1.11.1), and request.json in the protocol's JSON.
func sent() []otlp.Group {
	attribute := func(key string, v otlp.Value) otlp.Attribute { return otlp.Attribute{Key: key, Value: v} }
	trace := otlp.TraceID{0x5b, 0x8e, 0xff, 0xf7, 0x98, 3, 0x81, 3, 0xd2, 0x69, 0xb6, 0x33, 0x81, 0x3f, 0xc6, 0x0c}
	id := func(b byte) otlp.SpanID { return otlp.SpanID{0xee, 0xe1, 0x9b, 0x7e, 0xc3, 0xc1, 0xb1, b} }
	return []otlp.Group{{
		Resource: &otlp.Resource{
			Attributes: otlp.Attributes{attribute("service.name", otlp.String("shop")), attribute("process.pid", otlp.Int(4711))},
			Dropped:    1, SchemaURL: "https://opentelemetry.io/schemas/1.37.0",
		},
		Scope: &otlp.Scope{
			Name: "io.opentelemetry.tomcat-10.0", Version: "2.33.1", Attributes: otlp.Attributes{attribute("k", otlp.String("v"))},
			Dropped: 2, SchemaURL: "https://opentelemetry.io/schemas/1.24.0",
		},
		Spans: []*otlp.Span{{
			TraceID: trace, ID: id(0x74), Parent: id(0x73), TraceState: "a=b", Flags: 0x301, Name: "GET /orders/{id}", Kind: otlp.KindServer,
			Start: 1544712660000000001, End: 1544712661000000002,
			Attributes: otlp.Attributes{
				attribute("text", otlp.String("é ✓")), attribute("none", otlp.String("")),
				attribute("yes", otlp.Bool(true)), attribute("no", otlp.Bool(false)),
				attribute("int", otlp.Int(-9007199254740993)), attribute("double", otlp.Double(0.1)),
				attribute("list", otlp.Value{Type: otlp.TypeList, List: []otlp.Value{otlp.String("a"), otlp.Int(2)}}),
				attribute("map", otlp.Value{Type: otlp.TypeMap, Map: otlp.Attributes{attribute("inner", otlp.String("b"))}}),
				attribute("bytes", otlp.Value{Type: otlp.TypeBytes, Text: "\x00\xff\x07"}), attribute("empty", otlp.Value{}),
			},
			DroppedAttributes: 3,
			Events: []otlp.Event{{
				Time: 1544712660500000000, Name: "exception", Attributes: otlp.Attributes{attribute("exception.type", otlp.String("java.io.IOException"))}, Dropped: 4,
			}},
			DroppedEvents: 5,
			Links: []otlp.Link{{
				TraceID: trace, SpanID: id(1), TraceState: "c=d", Attributes: otlp.Attributes{attribute("l", otlp.String("m"))}, Dropped: 6, Flags: 0x101,
			}},
			DroppedLinks: 7, Status: otlp.StatusError, StatusMessage: "broke",
		}, {
			TraceID: trace, ID: id(0x75), Parent: id(0x74), Name: "SELECT", Kind: otlp.KindClient,
			Start: 1544712660100000000, End: 1544712660200000000,
		}},
	}}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	got, loss, err := otlp.Decode(file(t, "request.pb"), otlp.DefaultLimits())
	require.NoError(t, err)
	assert.Equal(t, sent(), got)
	assert.Zero(t, loss)
}

func TestDecodeJSON(t *testing.T) {
	t.Parallel()
	got, loss, err := otlp.DecodeJSON(file(t, "request.json"), otlp.DefaultLimits())
	require.NoError(t, err)
	assert.Equal(t, sent(), got)
	assert.Zero(t, loss)
}

// TestEncode: what we write is, but for the order of fields, what the official library
// writes: as many bytes, and the same when it is read.
func TestEncode(t *testing.T) {
	t.Parallel()
	body := otlp.Encode(sent())
	assert.Len(t, body, len(file(t, "request.pb")))
	got, _, err := otlp.Decode(body, otlp.DefaultLimits())
	require.NoError(t, err)
	assert.Equal(t, sent(), got)

	shared := sent()
	shared = append(shared, otlp.Group{Resource: shared[0].Resource, Scope: &otlp.Scope{Name: "second"}, Spans: shared[0].Spans[1:]})
	got, _, err = otlp.Decode(otlp.Encode(shared), otlp.DefaultLimits())
	require.NoError(t, err)
	assert.Equal(t, shared, got)
	assert.Same(t, got[0].Resource, got[1].Resource)
}

// TestLimits: whatever a request has too much of is cut, counted, and harms nothing else.
func TestLimits(t *testing.T) {
	t.Parallel()
	limits := otlp.Limits{Spans: 3, Attributes: 2, Events: 1, Links: 1, List: 2, Values: 100, Depth: 2, NameBytes: 8, TextBytes: 16}
	nest := otlp.Value{Type: otlp.TypeList, List: []otlp.Value{{Type: otlp.TypeList, List: []otlp.Value{{Type: otlp.TypeList, List: []otlp.Value{otlp.Int(1)}}}}}}
	span := func(change func(*otlp.Span)) *otlp.Span {
		s := &otlp.Span{TraceID: otlp.TraceID{1}, ID: otlp.SpanID{1}, Name: "n", Start: 1, End: 2}
		change(s)
		return s
	}
	many := otlp.Attributes{{Key: "a", Value: otlp.Int(1)}, {Key: "b", Value: otlp.Int(1)}, {Key: "c", Value: otlp.Int(1)}}
	for _, c := range []struct {
		name  string
		spans []*otlp.Span
		loss  otlp.Loss
		check func(t *testing.T, s *otlp.Span)
	}{
		{"attributes", []*otlp.Span{span(func(s *otlp.Span) { s.Attributes = many })}, otlp.Loss{Cut: 1}, func(t *testing.T, s *otlp.Span) {
			t.Helper()
			assert.Len(t, s.Attributes, 2)
			assert.EqualValues(t, 1, s.DroppedAttributes)
		}},
		{"events", []*otlp.Span{span(func(s *otlp.Span) { s.Events = make([]otlp.Event, 3) })}, otlp.Loss{Cut: 2}, func(t *testing.T, s *otlp.Span) {
			t.Helper()
			assert.Len(t, s.Events, 1)
			assert.EqualValues(t, 2, s.DroppedEvents)
		}},
		{"links", []*otlp.Span{span(func(s *otlp.Span) { s.Links = make([]otlp.Link, 3) })}, otlp.Loss{Cut: 2}, func(t *testing.T, s *otlp.Span) {
			t.Helper()
			assert.Len(t, s.Links, 1)
			assert.EqualValues(t, 2, s.DroppedLinks)
		}},
		{"texts, at a rune", []*otlp.Span{span(func(s *otlp.Span) { s.Name = "ééééééé"; s.StatusMessage = strings.Repeat("x", 17) })}, otlp.Loss{Cut: 2}, func(t *testing.T, s *otlp.Span) {
			t.Helper()
			assert.Equal(t, "éééé", s.Name)
			assert.Len(t, s.StatusMessage, 16)
		}},
		{"invalid UTF-8", []*otlp.Span{span(func(s *otlp.Span) { s.Name = "a\xffb" })}, otlp.Loss{}, func(t *testing.T, s *otlp.Span) {
			t.Helper()
			assert.Equal(t, "a\uFFFDb", s.Name)
		}},
		{"depth", []*otlp.Span{span(func(s *otlp.Span) { s.Attributes = otlp.Attributes{{Key: "a", Value: nest}} })}, otlp.Loss{Cut: 1}, func(t *testing.T, s *otlp.Span) {
			t.Helper()
			assert.Empty(t, s.Attributes[0].Value.List[0].List[0].List)
		}},
		{"ids and times", []*otlp.Span{
			span(func(s *otlp.Span) { s.TraceID = otlp.TraceID{} }), span(func(s *otlp.Span) { s.End = 0 }), span(func(*otlp.Span) {}), span(func(*otlp.Span) {}),
		}, otlp.Loss{NoID: 1, NoTime: 1, TooMany: 1}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			body := otlp.Encode([]otlp.Group{{Resource: &otlp.Resource{}, Scope: &otlp.Scope{}, Spans: c.spans}})
			got, loss, err := otlp.Decode(body, limits)
			require.NoError(t, err)
			assert.Equal(t, c.loss, loss)
			require.Len(t, got, 1)
			assert.Len(t, got[0].Spans, len(c.spans)-loss.Rejected())
			if c.check != nil {
				c.check(t, got[0].Spans[0])
			}
		})
	}
}

// TestAmplification: small messages that ask for much memory get a bounded amount.
func TestAmplification(t *testing.T) {
	t.Parallel()
	limits := otlp.DefaultLimits()
	limits.Spans, limits.Values = 100, 1000
	var m easyproto.Marshaler
	scope := m.MessageMarshaler().AppendMessage(1).AppendMessage(2)
	for range 100 {
		s := scope.AppendMessage(2)
		s.AppendBytes(1, []byte(strings.Repeat("t", 16)))
		s.AppendBytes(2, []byte("spanspan"))
		s.AppendFixed64(7, 1)
		s.AppendFixed64(8, 1)
		for range 100 {
			s.AppendMessage(9)
		}
	}
	got, loss, err := otlp.Decode(m.Marshal(nil), limits)
	require.NoError(t, err)
	attributes := 0
	for _, s := range got[0].Spans {
		attributes += len(s.Attributes)
	}
	assert.Equal(t, 1000, attributes)
	assert.Equal(t, 9000, loss.Cut)

	got, loss, err = otlp.DecodeJSON([]byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[`+strings.TrimSuffix(strings.Repeat(`{},`, 1000), ",")+`]}]}]}`), limits)
	require.NoError(t, err)
	assert.Empty(t, got)
	assert.Equal(t, otlp.Loss{NoID: 100, TooMany: 900}, loss)
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	whole := file(t, "request.pb")
	for cut := 1; cut < len(whole); cut++ {
		_, _, err := otlp.Decode(whole[:cut], otlp.DefaultLimits())
		require.ErrorIs(t, err, otlp.ErrMalformed, "cut at %d", cut)
	}
	text := file(t, "request.json")
	for cut := 0; cut < len(text); cut += 3 {
		_, _, err := otlp.DecodeJSON(text[:cut], otlp.DefaultLimits())
		require.ErrorIs(t, err, otlp.ErrMalformed, "cut at %d", cut)
	}
	for _, bad := range []string{
		`[]`, `"x"`, `{"resourceSpans":{}}`, `{"resourceSpans":[1]}`, `{} {}`,
		`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"}]}]}]}`,
		`{"resourceSpans":[{"scopeSpans":[{"spans":[{"kind":"SERVER"}]}]}]}`,
		`{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":"1e400"}]}]}]}`,
		`{"resourceSpans":[{"resource":{"attributes":[{"key":"a","value":{"boolValue":"true"}}]}}]}`,
	} {
		_, _, err := otlp.DecodeJSON([]byte(bad), otlp.DefaultLimits())
		require.ErrorIs(t, err, otlp.ErrMalformed, bad)
	}
}

// FuzzDecode: whatever comes, it is read or refused, within the limits; and what was read
// is the same after it was written and read again.
func FuzzDecode(f *testing.F) {
	f.Add(file(f, "request.pb"), false)
	f.Add(file(f, "request.json"), true)
	f.Fuzz(func(t *testing.T, body []byte, inJSON bool) {
		limits := otlp.Limits{Spans: 50, Attributes: 10, Events: 5, Links: 5, List: 5, Values: 300, Depth: 3, NameBytes: 64, TextBytes: 256}
		decode := otlp.Decode
		if inJSON {
			decode = otlp.DecodeJSON
		}
		groups, _, err := decode(body, limits)
		if err != nil {
			require.ErrorIs(t, err, otlp.ErrMalformed)
			return
		}
		again, loss, err := otlp.Decode(otlp.Encode(groups), limits)
		require.NoError(t, err)
		require.Zero(t, loss)
		require.Equal(t, groups, again)
	})
}

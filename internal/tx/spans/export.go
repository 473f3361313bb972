package spans

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/otlp"
	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

// Exported is a record as spans of OpenTelemetry: a server span, and below it one for
// each of its segments, which are inferred from looks (apm.inferred). Their ids are the
// same whenever it is called. Where the application's own spans are known the segments
// go below its server span, in its trace. A record that is made of spans has none of its
// own.
func Exported(rec *tx.Record) []otlp.Group {
	if rec.Source == tx.SourceSpans {
		return nil
	}
	trace, parent := madeID[otlp.TraceID](rec.ID, "trace"), madeID[otlp.SpanID](rec.ID, "span")
	var list []*otlp.Span
	if !joinedIDs(rec.Trace, &trace, &parent) {
		list = append(list, serverSpan(rec, trace, parent))
	}
	for i, s := range rec.Segments {
		list = append(list, &otlp.Span{
			TraceID: trace, ID: madeID[otlp.SpanID](rec.ID, "segment "+strconv.Itoa(i)), Parent: parent,
			Name: segmentName(s), Kind: segmentKind(s.Class),
			Start: at(rec, s.FromMs), End: at(rec, s.ToMs), Attributes: segmentAttributes(s),
		})
	}
	if len(list) == 0 {
		return nil
	}
	job, instance, _ := strings.Cut(rec.Target, "/")
	resource := &otlp.Resource{Attributes: otlp.Attributes{
		{Key: "service.name", Value: otlp.String(job)},
		{Key: "service.instance.id", Value: otlp.String(instance)},
	}}
	return []otlp.Group{{Resource: resource, Scope: &otlp.Scope{Name: "apm-sidecar"}, Spans: list}}
}

// joinedIDs are those of the application's own server span, where it is known.
func joinedIDs(t *tx.Trace, trace *otlp.TraceID, root *otlp.SpanID) bool {
	if t == nil || len(t.ID) != 2*len(trace) || len(t.Root) != 2*len(root) {
		return false
	}
	_, errTrace := hex.Decode(trace[:], []byte(t.ID))
	_, errRoot := hex.Decode(root[:], []byte(t.Root))
	return errTrace == nil && errRoot == nil
}

// madeID derives an id.
func madeID[ID otlp.TraceID | otlp.SpanID](record, part string) (id ID) {
	sum := sha256.Sum256([]byte(record + "\x00" + part))
	switch id := any(&id).(type) {
	case *otlp.TraceID:
		copy(id[:], sum[:])
	case *otlp.SpanID:
		copy(id[:], sum[:])
	}
	return id
}

// at is a moment of the record in nanoseconds since the epoch.
func at(rec *tx.Record, ms int64) int64 {
	return rec.Start.Add(time.Duration(ms) * time.Millisecond).UnixNano()
}

// serverSpan is the transaction itself.
func serverSpan(rec *tx.Record, trace otlp.TraceID, id otlp.SpanID) *otlp.Span {
	s := &otlp.Span{
		TraceID: trace, ID: id, Name: strings.TrimSpace(rec.Method + " " + rec.Route), Kind: otlp.KindServer,
		Start: at(rec, 0), End: at(rec, rec.Elapsed.Ms),
	}
	text := func(key, value string) {
		if value != "" {
			s.Attributes = append(s.Attributes, otlp.Attribute{Key: key, Value: otlp.String(value)})
		}
	}
	number := func(key string, n int64) {
		s.Attributes = append(s.Attributes, otlp.Attribute{Key: key, Value: otlp.Int(n)})
	}
	text("http.request.method", rec.Method)
	text("http.route", rec.Route)
	text("url.path", rec.Path)
	text("thread.name", rec.Thread)
	if rec.ThreadID != 0 {
		number("thread.id", rec.ThreadID)
	}
	text("apm.transaction.id", rec.ID)
	text("apm.source", rec.Source)
	text("apm.class", string(rec.Class))
	text("apm.certainty", string(rec.Elapsed.Certainty))
	number("apm.elapsed.min_ms", rec.Elapsed.MinMs)
	number("apm.elapsed.max_ms", rec.Elapsed.MaxMs)
	for _, c := range rec.Classes {
		number("apm.class."+string(c.Class)+".ms", c.Ms)
		number("apm.class."+string(c.Class)+".error_ms", c.ErrorMs)
	}
	if rec.State == tx.StateFailed {
		s.Status = otlp.StatusError
	}
	return s
}

func segmentName(s tx.Segment) string {
	if s.Frame == "" {
		return string(s.Class)
	}
	return string(s.Class) + " " + s.Frame
}

// segmentKind is client for waits for somebody else.
func segmentKind(c tx.Class) otlp.Kind {
	if tx.KindOf(c) != "" {
		return otlp.KindClient
	}
	return otlp.KindInternal
}

func segmentAttributes(s tx.Segment) otlp.Attributes {
	list := otlp.Attributes{{Key: "apm.inferred", Value: otlp.Bool(true)}, {Key: "apm.class", Value: otlp.String(string(s.Class))}}
	text := func(key, value string) {
		if value != "" {
			list = append(list, otlp.Attribute{Key: key, Value: otlp.String(value)})
		}
	}
	text("code.function.name", s.Frame)
	if s.SQL != "" {
		text("db.system.name", "other_sql")
		text("db.query.text", s.SQL)
	}
	host, port, err := net.SplitHostPort(s.Peer)
	if err != nil {
		host = s.Peer
	}
	text("server.address", host)
	if n, err := strconv.ParseInt(port, 10, 64); err == nil {
		list = append(list, otlp.Attribute{Key: "server.port", Value: otlp.Int(n)})
	}
	return list
}

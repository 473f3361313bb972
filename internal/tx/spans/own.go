package spans

import (
	"encoding/binary"
	"strconv"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/otlp"
	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

// ownRecord is the record of a slow request that only its spans tell of.
func ownRecord(c candidate, parts []part, router *tx.Router, threshold time.Duration) *tx.Record {
	s := c.root.span
	ms := duration(s).Milliseconds()
	rec := &tx.Record{
		ID: ownID(s), Target: c.target, State: tx.StateFinished, Source: tx.SourceSpans,
		Method: methodOf(s), Path: pathOf(s),
		Thread: word(s.Attributes.Text("thread.name")), ThreadID: s.Attributes.Int("thread.id"),
		Start: time.Unix(0, s.Start), Elapsed: tx.Elapsed{Ms: ms, MinMs: ms, MaxMs: ms, Certainty: tx.Exact},
		ThresholdMs: threshold.Milliseconds(), HiddenMs: ms,
		Locks: []tx.LockWait{}, Peers: []tx.Peer{}, SQL: []tx.SQL{},
		Notes: []string{"known by its spans alone: neither a request processor nor a worker's stack showed it"},
	}
	switch route := s.Attributes.Text("http.route"); {
	case route != "":
		rec.Route = router.Call(word(route))
	case rec.Path != "":
		rec.Route = router.Route(rec.Path)
	default:
		rec.Route = router.Call(word(s.Name))
	}
	if s.Status == otlp.StatusError || s.Attributes.Int("http.response.status_code", "http.status_code") >= 400 {
		rec.State = tx.StateFailed
	}
	list := readAll(parts, s.Start)
	rec.Trace = traceOf(c, list)
	fill(rec, list)
	return rec
}

// ownID is the same for the same spans, and none that a Tracker gives.
func ownID(s *otlp.Span) string {
	return "s" + strconv.FormatUint(binary.BigEndian.Uint64(s.TraceID[8:]), 36) + "-" + strconv.FormatUint(binary.BigEndian.Uint64(s.ID[:]), 36)
}

package spans

import (
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/otlp"
	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

const (
	// slack is how far apart the sidecar's clock and that of the JVM may be, with what the
	// server does before and after the span of a request.
	slack = 500 * time.Millisecond
	// nearly is how far apart the ends of one request may be, where no thread proves that
	// it is the same.
	nearly = 50 * time.Millisecond
)

// joinedBy says how it is known that a record and a local root are of one request, "" if
// it is not.
func joinedBy(rec *tx.Record, s *otlp.Span) string {
	start, end := time.Unix(0, s.Start), time.Unix(0, s.End)
	middle := start.Add(duration(s) / 2)
	unsure := slack + time.Duration(rec.Elapsed.MaxMs-rec.Elapsed.MinMs)*time.Millisecond
	if start.Before(rec.Start.Add(-unsure)) || end.After(rec.End().Add(unsure)) || middle.Before(rec.Start) || middle.After(rec.End()) {
		return ""
	}
	// A stack alone does not tell one request from the next of its kind, and a thread that an
	// asynchronous one left has others.
	if (rec.Async || rec.Source == tx.SourceThreads) && duration(s)+slack < time.Duration(rec.Elapsed.MinMs)*time.Millisecond {
		return ""
	}
	method, path := methodOf(s), pathOf(s)
	if differ(rec.Method, method) || differ(rec.Path, path) {
		return ""
	}
	switch sameThread(rec, s) {
	case yes:
		return tx.JoinedByThread
	case no:
		return ""
	}
	// Of a request that left its thread nobody knows which one it was. Two that agree in
	// path, method, and both ends to within a moment are one.
	exact := rec.Elapsed.Certainty == tx.Exact
	alike := time.Duration(rec.Elapsed.Ms)*time.Millisecond - duration(s)
	if exact && path != "" && rec.Path == path && rec.Method == method && alike.Abs() <= nearly && rec.Start.Sub(start).Abs() <= slack {
		return tx.JoinedByPath
	}
	return ""
}

// answer is one of yes, no and unknown.
type answer int

const (
	unknown answer = iota
	yes
	no
)

// sameThread compares the threads by their ids, or by their names where an id is not
// known.
func sameThread(rec *tx.Record, s *otlp.Span) answer {
	id, name := s.Attributes.Int("thread.id"), s.Attributes.Text("thread.name")
	verdict := func(same bool) answer {
		if same {
			return yes
		}
		return no
	}
	switch {
	case rec.ThreadID != 0 && id != 0:
		return verdict(rec.ThreadID == id)
	case rec.Thread != "" && name != "":
		return verdict(rec.Thread == name)
	}
	return unknown
}

// differ tells two names that are both known and not the same.
func differ(a, b string) bool { return a != "" && b != "" && a != b }

// goesOn tells whether a request may be one that is in flight still, as looks have it.
func goesOn(s *otlp.Span, inFlight []tx.Active) bool {
	thread, path := s.Attributes.Text("thread.name"), pathOf(s)
	for i := range inFlight {
		a := &inFlight[i]
		begun := a.Start.Sub(time.Unix(0, s.Start)).Abs() <= slack
		if begun && (a.Thread != "" && a.Thread == thread || a.Path != "" && a.Path == path) {
			return true
		}
	}
	return false
}

// resembles tells whether a slow request that fits no record may yet be that of one that
// waits: as long, on its thread or of its path or of one that nobody saw, but by another
// clock, or not exactly known.
func (w *Window) resembles(c candidate) bool {
	s := c.root.span
	path := pathOf(s)
	for _, held := range w.records {
		rec := held.record
		if rec.Target != c.target {
			continue
		}
		length := time.Duration(rec.Elapsed.Ms) * time.Millisecond
		unsure := time.Duration(rec.Elapsed.MaxMs-rec.Elapsed.MinMs) * time.Millisecond
		alike := (length - duration(s)).Abs() <= max(nearly, length/20)+unsure
		blank := rec.Path == "" && rec.Thread == ""
		if alike && (blank || sameThread(rec, s) == yes || rec.Path != "" && rec.Path == path) {
			return true
		}
	}
	return false
}

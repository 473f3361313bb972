package spans

import (
	"cmp"
	"slices"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/otlp"
	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

const (
	// maxShown bounds the spans on record, the longest ones; maxPeers and maxStatements
	// what is summed up of them, maxSegments the stretches of time.
	maxShown      = 500
	maxPeers      = 20
	maxStatements = 50
	maxSegments   = 1000
)

// filled is a record with the spans of its request. The record itself is not changed.
func filled(rec *tx.Record, c candidate, parts []part) *tx.Record {
	with := *rec
	s := c.root.span
	// The request lies inside the transaction: what sticks out is the clocks' doing.
	base := rec.Start.UnixNano()
	if over := s.End - base - int64(rec.Elapsed.Ms)*int64(time.Millisecond); over > 0 {
		base += over
	}
	base = min(base, s.Start)
	list := readAll(parts, base)
	if with.Path == "" { // nobody saw the request itself
		with.Path, with.Method = pathOf(s), methodOf(s)
	}
	with.Trace = traceOf(c, list)
	with.Trace.JoinedBy = joinedBy(rec, s)
	with.Peers, with.SQL = slices.Clone(rec.Peers), slices.Clone(rec.SQL)
	fill(&with, list)
	return &with
}

// readAll reads spans, in the order of their beginnings.
func readAll(parts []part, base int64) []tx.Span {
	list := make([]tx.Span, 0, len(parts))
	seen := make(map[otlp.SpanID]bool, len(parts))
	for _, p := range parts {
		if !seen[p.span.ID] { // agents send some twice
			list = append(list, read(p.span, base))
		}
		seen[p.span.ID] = true
	}
	slices.SortStableFunc(list, func(a, b tx.Span) int { return cmp.Or(cmp.Compare(a.FromUs, b.FromUs), cmp.Compare(b.ToUs, a.ToUs)) })
	return list
}

// traceOf is what is on record of a trace.
func traceOf(c candidate, list []tx.Span) *tx.Trace {
	s := c.root.span
	t := &tx.Trace{ID: s.TraceID.String(), Root: s.ID.String(), Service: word(c.at.Value.(*trace).key.source.Service), Spans: list}
	if s.Parent != (otlp.SpanID{}) {
		t.Caller = s.Parent.String()
	}
	if len(list) > maxShown {
		long := slices.Clone(list)
		slices.SortStableFunc(long, func(a, b tx.Span) int {
			return cmp.Or(-compareBool(a.ID == t.Root, b.ID == t.Root), cmp.Compare(b.ToUs-b.FromUs, a.ToUs-a.FromUs))
		})
		long = long[:maxShown]
		slices.SortStableFunc(long, func(a, b tx.Span) int { return cmp.Compare(a.FromUs, b.FromUs) })
		t.Spans, t.LeftOut = long, len(list)-maxShown
	}
	return t
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// fill adds what spans tell to what was seen from outside: peers of kinds that nobody
// saw, statements, which they time exactly, and, of a transaction that nobody could look
// into, its classes.
func fill(rec *tx.Record, list []tx.Span) {
	stretches := sweep(list)
	rec.Peers = addPeers(rec, list, stretches)
	rec.SQL = addStatements(rec.SQL, list)
	if rec.Samples == 0 {
		rest := cmp.Or(rec.Class, tx.ClassUnknown)
		rec.Segments = segmentsOf(rec, list, stretches, rest)
		rec.Classes = classesOf(rec, list, stretches, rest)
		rec.Class = tx.Most(rec.Classes)
	}
}

// stretch is a time that belongs to one span, by its index.
type stretch struct {
	span         int
	fromUs, toUs int64
}

// sweep gives each moment to the wait that began last of those that go on at it.
func sweep(list []tx.Span) []stretch {
	var out []stretch
	var stack []int
	now := int64(0)
	until := func(to int64) {
		for len(stack) > 0 && now < to {
			top := stack[len(stack)-1]
			if list[top].ToUs <= now {
				stack = stack[:len(stack)-1]
				continue
			}
			end := min(to, list[top].ToUs)
			out = append(out, stretch{top, now, end})
			now = end
		}
		now = to
	}
	last := int64(0)
	for i := range list {
		if list[i].Class == "" {
			continue
		}
		until(max(now, list[i].FromUs))
		stack = append(stack, i)
		last = max(last, list[i].ToUs)
	}
	until(max(now, last))
	return out
}

// addPeers adds those of kinds that have no peer yet: an address of the system's and a
// name of the application's may mean the same.
func addPeers(rec *tx.Record, list []tx.Span, stretches []stretch) []tx.Peer {
	known := map[string]bool{}
	for _, p := range rec.Peers {
		known[p.Kind] = true
	}
	type place struct{ kind, address string }
	byPlace := map[place]*tx.Peer{}
	micros := map[place]int64{}
	of := func(s *tx.Span) place { return place{tx.KindOf(s.Class), s.Peer} }
	for i := range list {
		at := of(&list[i])
		if at.kind == "" || at.address == "" || known[at.kind] {
			continue
		}
		if byPlace[at] == nil {
			byPlace[at] = &tx.Peer{Kind: at.kind, Address: at.address, Evidence: tx.EvidenceSpan}
		}
		byPlace[at].Waits++
	}
	for _, s := range stretches {
		micros[of(&list[s.span])] += s.toUs - s.fromUs
	}
	var added []tx.Peer
	for at, p := range byPlace {
		p.Ms = min(millis(micros[at]), rec.Elapsed.Ms)
		added = append(added, *p)
	}
	slices.SortFunc(added, func(a, b tx.Peer) int {
		return cmp.Or(cmp.Compare(b.Ms, a.Ms), cmp.Compare(a.Address, b.Address), cmp.Compare(a.Kind, b.Kind))
	})
	return append(rec.Peers, added[:min(len(added), maxPeers)]...)
}

// addStatements sums up those of spans. Where one was seen from outside too, the spans'
// times are exact, and what the database waited for stays.
func addStatements(seen []tx.SQL, list []tx.Span) []tx.SQL {
	byText, micros := map[string]*tx.SQL{}, map[string]int64{}
	for i := range list {
		s := &list[i]
		if s.SQL == "" {
			continue
		}
		if byText[s.SQL] == nil {
			byText[s.SQL] = &tx.SQL{Text: s.SQL, Peer: s.Peer, Evidence: tx.EvidenceSpan}
		}
		byText[s.SQL].Seen++
		micros[s.SQL] += s.ToUs - s.FromUs
	}
	var all []tx.SQL
	for _, q := range seen {
		if told := byText[q.Text]; told != nil {
			told.Wait, told.Peer = q.Wait, cmp.Or(q.Peer, told.Peer)
			continue
		}
		all = append(all, q)
	}
	for text, q := range byText {
		q.Ms = millis(micros[text])
		all = append(all, *q)
	}
	slices.SortFunc(all, func(a, b tx.SQL) int { return cmp.Or(cmp.Compare(b.Ms, a.Ms), cmp.Compare(a.Text, b.Text)) })
	if all == nil {
		return []tx.SQL{}
	}
	return all[:min(len(all), maxStatements)]
}

// classesOf is the time by class; what no span accounts for is of class rest.
func classesOf(rec *tx.Record, list []tx.Span, stretches []stretch, rest tx.Class) []tx.ClassTime {
	micros := map[tx.Class]int64{}
	left := rec.Elapsed.Ms * 1000
	for _, s := range stretches {
		d := min(left, s.toUs-s.fromUs)
		micros[list[s.span].Class] += d
		left -= d
	}
	micros[rest] += left
	var out []tx.ClassTime
	whole := rec.Elapsed.Ms
	for _, class := range tx.Classes() {
		if us := micros[class]; class != rest && us > 0 {
			ms := min(whole, millis(us))
			whole -= ms
			out = append(out, tx.ClassTime{Class: class, Ms: ms})
		}
	}
	if whole > 0 || len(out) == 0 {
		out = append(out, tx.ClassTime{Class: rest, Ms: whole})
	}
	slices.SortStableFunc(out, func(a, b tx.ClassTime) int { return cmp.Compare(b.Ms, a.Ms) })
	return out
}

// segmentsOf is the same on the axis of time.
func segmentsOf(rec *tx.Record, list []tx.Span, stretches []stretch, rest tx.Class) []tx.Segment {
	out := []tx.Segment{}
	add := func(s tx.Segment) {
		s.FromMs, s.ToMs = min(s.FromMs, rec.Elapsed.Ms), min(s.ToMs, rec.Elapsed.Ms)
		if s.ToMs <= s.FromMs || len(out) >= maxSegments {
			return
		}
		out = append(out, s)
	}
	at := int64(0)
	for _, s := range stretches {
		from, to := s.fromUs/1000, s.toUs/1000
		if from > at {
			add(tx.Segment{FromMs: at, ToMs: from, Class: rest})
		}
		span := &list[s.span]
		add(tx.Segment{FromMs: max(from, at), ToMs: to, Class: span.Class, Frame: span.Name, Peer: span.Peer, SQL: span.SQL})
		at = max(at, to)
	}
	add(tx.Segment{FromMs: at, ToMs: rec.Elapsed.Ms, Class: rest})
	return out
}

// millis rounds microseconds.
func millis(us int64) int64 { return (us + 500) / 1000 }

package spans

import (
	"container/list"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/otlp"
	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

// Outcome is what a Step found out.
type Outcome struct {
	// Keep are records that got their spans, and those made of spans alone.
	Keep []*tx.Record
	// Done are slow transactions of which nothing more will be known: those of Keep, and
	// those that no spans came of.
	Done []*tx.Record
	// Slow are the spans of slow requests, as they came.
	Slow []otlp.Group
}

// Stats are sums since the Window was made, but for Waiting, WaitingBytes and Traces,
// which are of the moment. All count spans unless they say otherwise.
type Stats struct {
	Waiting, WaitingBytes, Traces int64
	// Joined and Own are records that got spans and that were made of them.
	Joined, Own int64
	// Ambiguous are requests that fit more than one record, or one that fits several.
	Ambiguous int64
	// The rest were dropped: Quick are of quick requests, Expired of requests whose end was
	// not heard of, Evicted made room, TooBig are beyond the bound of a trace, Refused were
	// not taken for want of room, Repeated are requests that came twice. Homeless are of slow requests of no target that is
	// watched, Other of slow operations that are no requests, Unjoined of those that are
	// ambiguous.
	Quick, Expired, Evicted, TooBig, Refused, Repeated, Homeless, Other, Unjoined int64
}

// Stats are the sums so far.
func (w *Window) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.stats
	s.Waiting, s.WaitingBytes, s.Traces = int64(w.spans), int64(w.bytes), int64(len(w.traces))
	return s
}

// candidate is a local root that can be decided on.
type candidate struct {
	at     *list.Element
	root   root
	target string
	slow   bool
	// fits are the records that it may be of.
	fits []*waiting
}

// Step decides what can be decided: call it about once a second. inFlight are the
// transactions of a target that have not ended.
func (w *Window) Step(now time.Time, targets []Target, inFlight func(target string) []tx.Active) Outcome {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out Outcome
	candidates := w.candidates(now, newResolver(targets, w.opts.Services))
	claims := map[*waiting]int{}
	for _, c := range candidates {
		for _, r := range c.fits {
			claims[r]++
		}
	}
	// A record waits a little longer than spans: the last look at the target may be late.
	settle := 4*w.opts.Interval + 2*linger
	for _, c := range candidates {
		late := now.Sub(c.root.at) >= settle
		switch {
		case len(c.fits) == 1 && claims[c.fits[0]] == 1:
			w.join(c, &out)
		case !late:
		case len(c.fits) > 0:
			w.stats.Ambiguous++
			w.stats.Unjoined += w.let(c, &out)
		case !c.slow:
			w.stats.Quick += w.let(c, &out)
		case c.target == "":
			w.stats.Homeless += w.let(c, &out)
		case c.root.span.Kind != otlp.KindServer && c.root.span.Kind != otlp.KindConsumer:
			w.stats.Other += w.let(c, &out)
		case goesOn(c.root.span, inFlight(c.target)) && now.Sub(c.root.at) < settle+recordWait:
		case w.resembles(c):
			w.stats.Ambiguous++
			w.stats.Unjoined += w.let(c, &out)
		default:
			w.own(c, &out)
		}
	}
	w.expire(now, &out)
	return out
}

// maxCandidates bounds the roots of one step; the others have the next one.
const maxCandidates = 5000

// candidates are the local roots whose spans should all be there by now.
func (w *Window) candidates(now time.Time, targets resolver) []candidate {
	var all []candidate
	for at := w.order.Front(); at != nil; at = at.Next() {
		t := at.Value.(*trace)
		for _, r := range t.roots {
			if now.Sub(r.at) < linger || len(all) >= maxCandidates {
				continue
			}
			c := candidate{at: at, root: r, target: targets.find(t.key.source), slow: w.slow(r.span)}
			for _, held := range w.records {
				if c.target != "" && held.record.Target == c.target && joinedBy(held.record, r.span) != "" {
					c.fits = append(c.fits, held)
				}
			}
			all = append(all, c)
		}
	}
	return all
}

// let drops the spans of a root; those of a slow one go on as they came.
func (w *Window) let(c candidate, out *Outcome) (spans int64) {
	parts := w.claim(c.at, c.root.span, true)
	if c.slow {
		w.settle(c.root)
		out.Slow = append(out.Slow, groups(parts)...)
	}
	return int64(len(parts))
}

// settle notes that a root was decided on.
func (w *Window) settle(r root) {
	w.settled[rootID{r.span.TraceID, r.span.ID}] = r.at
}

// join gives a record its spans.
func (w *Window) join(c candidate, out *Outcome) {
	held := c.fits[0]
	parts := w.claim(c.at, c.root.span, true)
	rec := filled(held.record, c, parts)
	w.settle(c.root)
	w.remove(held)
	w.stats.Joined++
	out.Keep, out.Done = append(out.Keep, rec), append(out.Done, rec)
	out.Slow = append(out.Slow, groups(parts)...)
}

// own makes a record of spans.
func (w *Window) own(c candidate, out *Outcome) {
	router := w.routers[c.target]
	if router == nil {
		router = tx.NewRouter()
		w.routers[c.target] = router
	}
	parts := w.claim(c.at, c.root.span, true)
	_, threshold := w.thresholds(c.root.span)
	rec := ownRecord(c, parts, router, threshold)
	w.settle(c.root)
	w.stats.Own++
	out.Keep, out.Done = append(out.Keep, rec), append(out.Done, rec)
	out.Slow = append(out.Slow, groups(parts)...)
}

// remove takes a record off those that wait.
func (w *Window) remove(gone *waiting) {
	for i, held := range w.records {
		if held == gone {
			w.records = append(w.records[:i], w.records[i+1:]...)
			return
		}
	}
}

// expire gives up waiting.
func (w *Window) expire(now time.Time, out *Outcome) {
	for len(w.records) > 0 && (now.Sub(w.records[0].since) >= recordWait || len(w.records) > maxRecords) {
		out.Done = append(out.Done, w.records[0].record)
		w.records[0] = nil
		w.records = w.records[1:]
	}
	for id, at := range w.settled {
		if now.Sub(at) >= 2*recordWait {
			delete(w.settled, id)
		}
	}
	for at := w.order.Front(); at != nil; {
		t, next := at.Value.(*trace), at.Next()
		if now.Sub(t.since) < rootWait {
			return // the others are younger
		}
		if len(t.roots) == 0 {
			w.stats.Expired += w.drop(at)
		}
		at = next
	}
}

// groups are parts in the form of the protocol: runs of one scope and resource.
func groups(parts []part) []otlp.Group {
	var out []otlp.Group
	for _, p := range parts {
		resource, scope := p.from.resource.value, p.from.scope.value
		if n := len(out); n > 0 && out[n-1].Resource == resource && out[n-1].Scope == scope {
			out[n-1].Spans = append(out[n-1].Spans, p.span)
			continue
		}
		out = append(out, otlp.Group{Resource: resource, Scope: scope, Spans: []*otlp.Span{p.span}})
	}
	return out
}

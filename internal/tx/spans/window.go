package spans

import (
	"container/list"
	"fmt"
	"sync"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/otlp"
	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

const (
	// maxTraceSpans bounds the spans of one trace and process.
	maxTraceSpans = 5000
	// maxRecords bounds the records that wait for their spans.
	maxRecords = 2000
	// linger is how long the spans of a request are waited for once its own has come.
	linger = time.Second
	// rootWait is how long spans wait for that of their request, which is sent when it
	// ends. Where there is no more room they give way after youngest.
	rootWait = 10 * time.Minute
	youngest = 30 * time.Second
	// recordWait is how long a record waits for spans: agents send them every few seconds,
	// and again where they were refused.
	recordWait = 30 * time.Second
)

// Options build a Window.
type Options struct {
	Thresholds tx.Thresholds
	// Interval is the time between two looks at a target.
	Interval time.Duration
	// Services names the targets of services, by service.name, where the user knows better
	// than what spans and JVMs tell of themselves.
	Services map[string]string
	// MaxBytes bounds the spans in memory, as otlp.Span.Memory counts them.
	MaxBytes int
}

// Window is safe for concurrent use.
type Window struct {
	opts Options

	mu     sync.Mutex
	traces map[key]*list.Element // of *trace
	// order has the traces, the oldest first.
	order *list.List
	// bytes are those of the spans and of their origins.
	bytes   int
	spans   int
	origins origins
	// router names routes as the pages do, for thresholds of routes.
	router *tx.Router
	// records wait for spans, the oldest first.
	records []*waiting
	routers map[string]*tx.Router
	// settled are the slow local roots that were decided on of late, and when: agents send
	// some twice.
	settled map[rootID]time.Time
	stats   Stats
}

type rootID struct {
	trace otlp.TraceID
	span  otlp.SpanID
}

// waiting is a slow transaction on record.
type waiting struct {
	record *tx.Record
	since  time.Time
}

// New is a Window without spans.
func New(opts Options) *Window {
	return &Window{
		opts: opts, traces: map[key]*list.Element{}, order: list.New(), origins: newOrigins(),
		router: tx.NewRouter(), routers: map[string]*tx.Router{}, settled: map[rootID]time.Time{},
	}
}

// Take implements otlp.Sink.
func (w *Window) Take(groups []otlp.Group, now time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	need, count := 0, int64(0)
	came := make([]origin, len(groups))
	for i, g := range groups {
		for _, s := range g.Spans {
			need += s.Memory()
		}
		count += int64(len(g.Spans))
		came[i] = w.origins.of(g)
	}
	defer w.origins.tidy(came)
	need += w.origins.unused(came)
	if !w.makeRoom(need, now) {
		w.stats.Refused += count
		return fmt.Errorf("%w: come again", otlp.ErrFull)
	}
	quick := map[*otlp.Span]key{}
	for i, g := range groups {
		source := sourceOf(g.Resource)
		for _, s := range g.Spans {
			if w.add(source, came[i], s, now) {
				quick[s] = key{source, s.TraceID}
			}
		}
	}
	// Not before all are there: agents send what belongs together in any order.
	for s, k := range quick {
		w.stats.Quick += int64(len(w.claim(w.traces[k], s, false)))
	}
	return nil
}

// add takes one span, and tells whether it is the local root of a request that is surely
// quick, whatever was seen from outside.
func (w *Window) add(source Source, from origin, s *otlp.Span, now time.Time) (quick bool) {
	if _, known := w.settled[rootID{s.TraceID, s.ID}]; known {
		w.stats.Repeated++
		return false
	}
	at := w.traces[key{source, s.TraceID}]
	if at == nil {
		at = w.order.PushBack(&trace{key: key{source, s.TraceID}, since: now})
		w.traces[key{source, s.TraceID}] = at
	}
	t := at.Value.(*trace)
	if t.hasRoot(s.ID) {
		w.stats.Repeated++
		return false
	}
	isRoot := localRoot(s)
	if len(t.parts) >= maxTraceSpans && !isRoot {
		w.stats.TooBig++
		return false
	}
	t.parts = append(t.parts, part{s, from})
	w.bytes += s.Memory() + from.use()
	w.spans++
	if !isRoot {
		return false
	}
	if least, _ := w.thresholds(s); duration(s) < least/2 {
		return true
	}
	t.roots = append(t.roots, root{span: s, at: now})
	return false
}

// thresholds are those that the transaction of a local root may have: by the route that
// the application names and by the one that pages show.
func (w *Window) thresholds(s *otlp.Span) (least, most time.Duration) {
	path := pathOf(s)
	named, shown := w.opts.Thresholds.Of(s.Attributes.Text("http.route"), path), w.opts.Thresholds.Of(w.router.Route(path), path)
	return min(named, shown), max(named, shown)
}

// slow tells whether a local root is slow by all of them.
func (w *Window) slow(s *otlp.Span) bool {
	_, most := w.thresholds(s)
	return duration(s) >= most
}

// claim takes the spans of a local root out of its trace; with orphans also those whose
// parents never came and that lie inside of it.
func (w *Window) claim(at *list.Element, root *otlp.Span, orphans bool) []part {
	t := at.Value.(*trace)
	taken := t.claim(root, orphans)
	w.forget(taken)
	if len(t.parts) == 0 {
		w.order.Remove(at)
		delete(w.traces, t.key)
	}
	return taken
}

// drop takes a whole trace out.
func (w *Window) drop(at *list.Element) (spans int64) {
	t := at.Value.(*trace)
	w.forget(t.parts)
	w.order.Remove(at)
	delete(w.traces, t.key)
	return int64(len(t.parts))
}

func (w *Window) forget(parts []part) {
	for _, p := range parts {
		w.bytes -= p.span.Memory() + w.origins.release(p.from)
	}
	w.spans -= len(parts)
}

// makeRoom drops what matters least until there is room for more bytes: traces that are
// not slow by their own measure, then those that have waited longest for their root.
func (w *Window) makeRoom(need int, now time.Time) bool {
	fits := func() bool { return w.bytes+need <= w.opts.MaxBytes }
	for at := w.order.Front(); at != nil && !fits(); {
		next := at.Next()
		if t := at.Value.(*trace); len(t.roots) > 0 && !w.anySlow(t) {
			w.stats.Evicted += w.drop(at)
		}
		at = next
	}
	for at := w.order.Front(); at != nil && !fits(); {
		next := at.Next()
		t := at.Value.(*trace)
		if now.Sub(t.since) < youngest {
			break
		}
		if len(t.roots) == 0 {
			w.stats.Evicted += w.drop(at)
		}
		at = next
	}
	return fits()
}

func (w *Window) anySlow(t *trace) bool {
	for _, r := range t.roots {
		if w.slow(r.span) {
			return true
		}
	}
	return false
}

// Flush gives up the records that wait for spans: those of Outcome.Done, at the end.
func (w *Window) Flush() []*tx.Record {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []*tx.Record
	for _, held := range w.records {
		all = append(all, held.record)
	}
	w.records = nil
	return all
}

// Record takes a slow transaction that has ended; its spans may have come or may be still
// to come.
func (w *Window) Record(rec *tx.Record, now time.Time) {
	if rec.State == tx.StateActive {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.records = append(w.records, &waiting{record: rec, since: now})
}

package tx

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// Options build a Tracker.
type Options struct {
	// Target names the JVM in records.
	Target string
	// Thresholds say what is slow.
	Thresholds Thresholds
	// Interval is the time between two looks, for the age of candidates.
	Interval time.Duration
	// IgnorePath leaves out requests whose path begins with it: those of the agent
	// that the looks themselves go through. Empty leaves out nothing: the agent is no
	// application of the server.
	IgnorePath string
}

// Key names one transaction among those of a run of the JVM: the processor and how
// many requests it had finished before.
type Key struct {
	Processor string
	Count     int64
}

// Tracker follows the requests in flight of one JVM. Requests, Sample and the
// like are called by one goroutine, in the order of what was read; all methods
// are safe beside those that only look.
type Tracker struct {
	opts Options

	mu         sync.Mutex
	router     *Router
	classifier *classifier
	processors map[string]*processor
	startMs    int64
	// last is the reading before; nil before the first.
	last *jvm.Requests
	// latency is what a look took of late, smoothed.
	latency   time.Duration
	pauses    pauses
	stats     Stats
	peerWaits peerWaits
	// blanks are the records of requests that no look showed, of the look that is being
	// taken into account.
	blanks []*Record
}

// processor is what is known of one row.
type processor struct {
	// row is the first one that showed this Count: its sums are before the request
	// in hand.
	row jvm.RequestProcessor
	// open is the request in hand, nil without one.
	open *open
	// ours says that the request in hand is one of our own to the agent.
	ours bool
}

// New is a Tracker that has seen nothing.
func New(opts Options) *Tracker {
	return &Tracker{
		opts:       opts,
		router:     NewRouter(),
		classifier: newClassifier(),
		processors: map[string]*processor{},
		peerWaits:  peerWaits{},
	}
}

// Requests takes a look at the requests in flight, and returns the records of the
// slow ones that ended since the one before, and of those that go on for long.
func (t *Tracker) Requests(r *jvm.Requests) []*Record {
	t.mu.Lock()
	defer t.mu.Unlock()
	var done []*Record
	if start, ok := r.StartMs.Get(); ok && start != t.startMs {
		if t.startMs != 0 {
			done = t.loseAll("the JVM was restarted")
		}
		t.startMs = start
	}
	t.latency = (3*t.latency + r.Received.Sub(r.Sent)) / 4
	t.pauses.add(r)
	seen := make(map[string]bool, len(r.Processors))
	for i := range r.Processors {
		row := r.Processors[i]
		seen[row.Name] = true
		done = append(done, t.row(r, row)...)
	}
	for name, p := range t.processors {
		if !seen[name] {
			done = append(done, t.lose(p, "its worker vanished")...)
			delete(t.processors, name)
		}
	}
	done = append(t.strangers(r), done...)
	t.pauses.forget(t.oldest(r.Sent))
	t.last = r
	return done
}

// row takes one row into account.
func (t *Tracker) row(r *jvm.Requests, row jvm.RequestProcessor) []*Record {
	p := t.processors[row.Name]
	if p == nil {
		// One that is new since the last look has done all that it did since then.
		t.unseen(r, &processor{row: jvm.RequestProcessor{Name: row.Name}}, row, row.Count, row.ProcessingMs)
		p = &processor{row: row}
		t.processors[row.Name] = p
		t.begin(r, p, row)
		return nil
	}
	if row.Count < p.row.Count { // the counters were reset
		if p.open != nil && p.open.fits(r, row) {
			p.open.key.Count = row.Count
		} else {
			p.open = nil
		}
		p.row, p.ours = row, false
	}
	if row.Count == p.row.Count {
		if p.open == nil {
			t.begin(r, p, row)
			return nil
		}
		return t.goOn(r, p, row)
	}
	done := t.ended(r, p, row)
	free := t.free(p, row)
	p.row, p.open, p.ours = row, nil, false
	t.begin(r, p, row)
	if p.open != nil && !p.open.guessed && p.open.startHi.Before(free) {
		// The row was read between the end of a request and its clean-up: it shows the one that
		// has just ended, under the next number.
		p.open = nil
	}
	return done
}

// free is when a processor can have been free for the request that the row shows, at the
// earliest: others have ended since the look before, and took their time.
func (t *Tracker) free(p *processor, row jvm.RequestProcessor) time.Time {
	spent := time.Duration(row.ProcessingMs-p.row.ProcessingMs) * time.Millisecond
	if p.open == nil {
		return t.last.Sent.Add(spent - jitter)
	}
	return later(p.open.startLo.Add(spent-jitter), p.open.startHi.Add(jitter))
}

// begin opens the request that the row shows, if it shows one.
func (t *Tracker) begin(r *jvm.Requests, p *processor, row jvm.RequestProcessor) {
	if !inFlight(row) {
		return
	}
	if t.ignored(row.Path) {
		// A later stage may be left over from one that has been counted already.
		p.ours = p.ours || row.Stage == jvm.StageService
		return
	}
	path := Path(row.Path)
	route := t.router.Route(path)
	if row.Estimated {
		path, route = "", t.router.Call(row.Path)
	}
	p.open = newOpen(r, row, transactionID(t.opts.Target, t.startMs, row.Name, row.Count))
	p.open.path, p.open.route = path, route
	p.open.threshold = t.opts.Thresholds.Of(route, path)
	if t.last != nil {
		if t.last.StartMs == r.StartMs { // else that was a thread of another JVM
			p.open.before = usedOf(t.last, row.Thread)
		}
		if p.open.guessed { // the look before did not show it
			p.open.startLo = t.last.Sent
		}
	}
	t.stats.Seen++
}

// goOn updates the request in hand by a row that shows it still.
func (t *Tracker) goOn(r *jvm.Requests, p *processor, row jvm.RequestProcessor) []*Record {
	if !inFlight(row) {
		p.open.gone++
		if p.open.gone > 1 { // not counted as finished, and not there either: it never was
			p.open = nil
		}
		return nil
	}
	o := p.open
	o.update(r, row)
	if age := o.age(r.Received); age >= max(o.threshold, partialEvery) && r.Received.Sub(o.saved) >= partialEvery {
		o.saved = r.Received
		return []*Record{t.record(o, o.elapsedAt(r.Received), StateActive)}
	}
	return nil
}

// partialEvery is how often a transaction that does not end is put on record.
const partialEvery = time.Minute

// ended makes the records of a processor whose count has grown.
func (t *Tracker) ended(r *jvm.Requests, p *processor, row jvm.RequestProcessor) []*Record {
	finished := row.Count - p.row.Count
	spent := max(0, row.ProcessingMs-p.row.ProcessingMs)
	t.stats.Finished += finished
	t.stats.FinishedMs += spent
	t.unseen(r, p, row, finished, spent)
	if p.open == nil {
		return nil
	}
	o := p.open
	elapsed := o.end(r, row, finished, spent)
	o.after = usedOf(r, o.thread)
	t.stats.Followed++
	longest := elapsed.MaxMs
	if row.Estimated { // it is too easily several in a row
		longest = elapsed.Ms
	}
	if longest < o.threshold.Milliseconds() {
		return nil
	}
	state := StateFinished
	if row.Errors-p.row.Errors == finished { // else nobody knows which ones failed
		state = StateFailed
	}
	rec := t.record(o, elapsed, state)
	t.stats.slow(rec)
	t.peerWaits.slow(rec)
	return []*Record{rec}
}

// Gone says that the JVM does not answer: nobody knows what became of those in
// flight. They stay open; Requests ends them or takes them up again. dead says that nobody
// is there who could: they were no older than at the last look.
func (t *Tracker) Gone(now time.Time, dead bool) []*Record {
	t.mu.Lock()
	defer t.mu.Unlock()
	var saved []*Record
	for _, p := range t.sorted() {
		o := p.open
		if o == nil || o.lost || o.age(now) < o.threshold || dead && o.age(o.lastSeen) < o.threshold {
			continue
		}
		o.lost = true // once
		saved = append(saved, t.record(o, o.elapsedAt(o.lastSeen), StateLost))
	}
	return saved
}

// loseAll ends all in flight.
func (t *Tracker) loseAll(why string) []*Record {
	var lost []*Record
	for _, p := range t.sorted() {
		lost = append(lost, t.lose(p, why)...)
	}
	t.processors = map[string]*processor{}
	t.pauses = pauses{}
	return lost
}

// lose ends the one in flight, for want of a worker.
func (t *Tracker) lose(p *processor, why string) []*Record {
	o := p.open
	p.open = nil
	if o == nil || o.age(o.lastSeen) < o.threshold {
		return nil
	}
	rec := t.record(o, o.elapsedAt(o.lastSeen), StateLost)
	rec.Notes = append(rec.Notes, "its end was not seen: "+why)
	t.stats.slow(rec)
	t.peerWaits.slow(rec)
	return []*Record{rec}
}

// ignored tells the requests of the agent that we ask through.
func (t *Tracker) ignored(path string) bool {
	return t.opts.IgnorePath != "" && strings.HasPrefix(path, t.opts.IgnorePath)
}

// inFlight tells a row with a request in hand. Between the end of one request and
// the first line of the next its other stages show neither for sure. An asynchronous
// request has the stage of an ended one, and a path.
func inFlight(row jvm.RequestProcessor) bool {
	return row.Path != "" && (row.Stage >= jvm.StageService && row.Stage <= jvm.StageEndOutput || row.Stage == jvm.StageEnded)
}

// sorted are the processors in the order of their names.
func (t *Tracker) sorted() []*processor {
	all := make([]*processor, 0, len(t.processors))
	for _, p := range t.processors {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *processor) int { return cmp.Compare(a.row.Name, b.row.Name) })
	return all
}

// oldest is the earliest start of those in flight, now without any.
func (t *Tracker) oldest(now time.Time) time.Time {
	for _, p := range t.processors {
		if p.open != nil && p.open.startLo.Before(now) {
			now = p.open.startLo
		}
	}
	return now
}

package tx

import (
	"hash/fnv"
	"strconv"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// The sources of a Record.
const (
	SourceTomcat  = "tomcat"
	SourceThreads = "threads"
)

// jitter is how much two estimates of one start may differ: clocks in whole
// milliseconds, and a clock that is being set.
const jitter = 50 * time.Millisecond

// open is a transaction in flight.
type open struct {
	key       Key
	id        string
	source    string
	connector string
	path      string
	route     string
	method    string
	thread    string
	threadID  int64
	// began and beganID are the thread that an asynchronous request left.
	began     string
	beganID   int64
	threshold time.Duration
	// startLo and startHi enclose its start: each look narrows them.
	startLo, startHi time.Time
	// firstSeen and lastSeen are when a look that showed it was answered, lastSent
	// when the last one was sent.
	firstSeen, lastSent, lastSeen time.Time
	// guessed says that the start is our first sight of it, not the server's word.
	guessed bool
	async   bool
	// asyncSince is when a look first showed it without a thread.
	asyncSince time.Time
	// before is what its thread had used up at the look before it was first seen,
	// after at the look that saw its end: bounds for its own use at both ends.
	before, after usedAt
	// still is what its thread had used up when a look first showed that much and no more:
	// it has not run since.
	still   usedAt
	samples []sample
	locks   []lockSight
	// unlisted says that its thread is in no list of the JVM's.
	unlisted bool
	// gone counts the looks that did not show it although its end was not counted.
	gone int
	// saved is when it was last put on record; lost that it was, as lost.
	saved time.Time
	lost  bool
}

// usedAt is what a thread had used up at a moment.
type usedAt struct {
	jvm.Used
	at time.Time
}

// usedOf is what a worker had used up at a look.
func usedOf(r *jvm.Requests, worker string) usedAt {
	return usedAt{r.Workers[worker], r.At()}
}

func newOpen(r *jvm.Requests, row jvm.RequestProcessor, id string) *open {
	o := &open{
		key:       Key{row.Name, row.Count},
		id:        id,
		source:    SourceTomcat,
		connector: row.Connector,
		firstSeen: r.Received,
		saved:     r.Received,
		guessed:   true,
	}
	if row.Estimated {
		o.source = SourceThreads
	}
	o.startLo, o.startHi = r.Sent, r.Received
	o.update(r, row)
	return o
}

// start is the range of starts that the row tells, false where it tells none: an
// asynchronous request has no elapsed time, and Tomcat before 8.5.6 has one since
// 1970 at times (bug 60123).
func start(r *jvm.Requests, row jvm.RequestProcessor) (lo, hi time.Time, ok bool) {
	if row.Stage == jvm.StageEnded || row.ElapsedMs < 0 {
		return lo, hi, false
	}
	if uptime, known := r.UptimeMs.Get(); known && row.ElapsedMs > uptime+jitter.Milliseconds() {
		return lo, hi, false
	}
	elapsed := time.Duration(row.ElapsedMs) * time.Millisecond
	return r.Sent.Add(-elapsed - time.Millisecond), r.Received.Add(-elapsed), true
}

// update takes what a row says of this transaction.
func (o *open) update(r *jvm.Requests, row jvm.RequestProcessor) {
	o.lastSent, o.lastSeen, o.gone, o.lost = r.Sent, r.Received, 0, false
	if row.Method != "" {
		o.method = row.Method
	}
	if row.Thread != "" {
		o.thread = row.Thread
	}
	if row.Estimated {
		o.threadID = row.ThreadID
	}
	if row.Stage == jvm.StageEnded {
		if !o.async {
			o.asyncSince, o.began, o.beganID = r.Received, o.thread, o.threadID
		}
		o.async, o.thread, o.threadID = true, "", 0
	}
	if used := usedOf(r, o.thread); used.CPUNs != o.still.CPUNs {
		o.still = used
	}
	lo, hi, ok := start(r, row)
	if !ok {
		return
	}
	if o.guessed {
		o.startLo, o.startHi, o.guessed = lo, hi, false
		return
	}
	if lo.After(o.startHi) || hi.Before(o.startLo) {
		o.startLo, o.startHi = lo, hi // a clock was set
		return
	}
	o.startLo, o.startHi = later(o.startLo, lo), earlier(o.startHi, hi)
}

// fits tells whether the row, of a processor whose counters were reset, shows this
// transaction.
func (o *open) fits(r *jvm.Requests, row jvm.RequestProcessor) bool {
	lo, hi, ok := start(r, row)
	return ok && inFlight(row) && !lo.After(o.startHi.Add(jitter)) && !hi.Before(o.startLo.Add(-jitter)) && o.path == Path(row.Path)
}

// start is the best guess of its start.
func (o *open) start() time.Time { return o.startLo.Add(o.startHi.Sub(o.startLo) / 2) }

// age is how long it has been in flight at a time.
func (o *open) age(now time.Time) time.Duration { return max(0, now.Sub(o.start())) }

// elapsedAt is its duration up to a time at which it was in flight.
func (o *open) elapsedAt(at time.Time) Elapsed {
	certainty := Bounded
	if o.guessed {
		certainty = Estimated
	}
	return Elapsed{
		Ms:        o.age(at).Milliseconds(),
		MinMs:     max(0, at.Sub(o.startHi).Milliseconds()),
		MaxMs:     max(0, at.Sub(o.startLo).Milliseconds()),
		Certainty: certainty,
	}
}

// end is its duration, from a row that counts more finished requests than there were
// before it: how many more, and the time they took together.
func (o *open) end(r *jvm.Requests, row jvm.RequestProcessor, finished, spentMs int64) Elapsed {
	spent := time.Duration(spentMs) * time.Millisecond
	// It was in flight at the last look, and is not now.
	least := max(0, o.lastSent.Sub(o.startHi))
	most := r.Received.Sub(o.startLo)
	if finished == 2 && row.LastMs < spentMs { // the other one is known
		finished, spentMs = 1, spentMs-row.LastMs
		spent = time.Duration(spentMs) * time.Millisecond
	}
	if finished == 1 && spent >= least-jitter && (o.guessed || spent <= most+jitter) {
		if o.guessed {
			o.startLo, o.startHi = r.Sent.Add(-spent), r.Received.Add(-spent)
			o.startHi = earlier(o.startHi, o.firstSeen)
			o.startLo = earlier(o.startLo, o.startHi)
		}
		return Elapsed{spentMs, spentMs, spentMs, Exact}
	}
	if finished > 1 {
		most = min(most, spent)
		if lo, _, ok := start(r, row); ok && inFlight(row) {
			// The next one began after its end.
			most = min(most, lo.Add(2*jitter).Sub(o.startLo))
		}
	}
	most = max(most, least)
	e := Elapsed{(least + (most-least)/2).Milliseconds(), least.Milliseconds(), most.Milliseconds(), Bounded}
	if o.guessed {
		e.Certainty = Estimated
	}
	return e
}

// transactionID is the same after a restart of ours, and never the same for two
// transactions of one target.
func transactionID(target string, startMs int64, processor string, count int64) string {
	h := fnv.New64a()
	for _, part := range []string{target, strconv.FormatInt(startMs, 10), processor} {
		_, _ = h.Write([]byte(part)) // never fails
		_, _ = h.Write([]byte{0})
	}
	return strconv.FormatUint(h.Sum64(), 36) + "-" + strconv.FormatInt(count, 36)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

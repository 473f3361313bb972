package tx

import (
	"slices"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// unseen makes records of requests that were slow but in no look: the looks were too
// far apart. Of those that a processor finished since the last look, the durations of
// the first two and of the last can be told.
func (t *Tracker) unseen(r *jvm.Requests, p *processor, row jvm.RequestProcessor, finished, spent int64) {
	if t.last == nil || row.Estimated {
		return
	}
	add := func(nth, ms int64) {
		length := time.Duration(ms) * time.Millisecond
		// Longer than the time between the looks: it was there at the last one, and
		// is left out on purpose.
		if length >= t.opts.Thresholds.fallback && length <= r.Received.Sub(t.last.Sent)+jitter {
			t.blanks = append(t.blanks, t.blank(r, p, row, nth, ms))
		}
	}
	seen := p.open != nil || p.ours // the first one
	switch {
	case finished == 1 && !seen:
		add(0, spent)
	case finished > 1:
		add(finished-1, row.LastMs)
		if finished == 2 && !seen {
			add(0, spent-row.LastMs)
		}
	}
}

// strangers are the blanks of a look without what may have been requests of our own. Where
// the agent is an application of the server, a poll that a busy JVM took long to answer is
// such a blank, too, for nobody looks meanwhile. It took about as long as we waited.
func (t *Tracker) strangers(r *jvm.Requests) []*Record {
	blanks := t.blanks
	t.blanks = nil
	if t.opts.IgnorePath != "" {
		for _, waited := range r.Others {
			blanks = withoutOne(blanks, waited.Milliseconds())
		}
	}
	for _, rec := range blanks {
		t.stats.slow(rec)
	}
	return blanks
}

// withoutOne leaves out the blank whose duration is next to what we waited for an answer, if
// one can have been that answer. The server's clock goes on after its last byte has come, on a
// machine without a free processor for as long again at most.
func withoutOne(blanks []*Record, waitedMs int64) []*Record {
	off := func(rec *Record) int64 { return max(rec.Elapsed.Ms-waitedMs, waitedMs-rec.Elapsed.Ms) }
	next := -1
	for i, rec := range blanks {
		if rec.Elapsed.Ms <= 2*waitedMs && (next < 0 || off(rec) < off(blanks[next])) {
			next = i
		}
	}
	if next < 0 {
		return blanks
	}
	return slices.Delete(blanks, next, next+1)
}

// blank is the record of a transaction of which only the duration is known.
func (t *Tracker) blank(r *jvm.Requests, p *processor, row jvm.RequestProcessor, nth, ms int64) *Record {
	rec := emptyRecord()
	rec.ID = transactionID(t.opts.Target, t.startMs, row.Name, p.row.Count+nth)
	rec.Target, rec.State, rec.Source, rec.Connector = t.opts.Target, StateFinished, SourceTomcat, row.Connector
	if row.Errors-p.row.Errors == row.Count-p.row.Count {
		rec.State = StateFailed
	}
	rec.Start = r.Sent.Add(-time.Duration(ms) * time.Millisecond)
	rec.Elapsed = Elapsed{ms, ms, ms, Exact}
	rec.ThresholdMs = t.opts.Thresholds.fallback.Milliseconds()
	rec.HiddenMs = ms
	rec.Class = ClassUnknown
	rec.Classes = []ClassTime{{Class: ClassUnknown, Ms: ms}}
	rec.Notes = []string{"it began and ended between two looks: only its duration is known"}
	return rec
}

package tx

import (
	"math"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// emptyRecord is a Record whose lists are not null.
func emptyRecord() *Record {
	return &Record{
		Classes: []ClassTime{}, Segments: []Segment{}, Locks: []LockWait{}, Peers: []Peer{}, SQL: []SQL{}, Notes: []string{},
	}
}

// record makes the record of a transaction.
func (t *Tracker) record(o *open, elapsed Elapsed, state State) *Record {
	rec := emptyRecord()
	rec.ID, rec.Target, rec.State, rec.Source, rec.Connector = o.id, t.opts.Target, state, o.source, o.connector
	rec.Route, rec.Method, rec.Path = o.route, o.method, o.path
	rec.Thread, rec.ThreadID, rec.Async = o.thread, o.threadID, o.async
	if o.async {
		rec.Thread, rec.ThreadID = o.began, o.beganID
	}
	rec.Start, rec.Elapsed, rec.ThresholdMs = o.start(), elapsed, o.threshold.Milliseconds()
	samples := o.samples
	parts := t.stretches(o, rec, samples)
	sum := estimate(parts)
	rec.Classes = sum.times(time.Duration(elapsed.Ms) * time.Millisecond)
	rec.HiddenMs = int64(math.Ceil(sum.hiddenMs))
	if len(samples) > 0 {
		rec.HiddenMs = max(rec.HiddenMs, samples[0].at.Sub(rec.Start).Milliseconds())
	}
	rec.Class = Most(rec.Classes)
	rec.Samples = len(samples)
	for _, s := range samples {
		if s.same {
			rec.SamplesSpared++
		}
	}
	onThread := o.onThread(rec, samples)
	rec.Segments = segments(onThread, samples)
	if left := onThread.Elapsed.Ms; left < elapsed.Ms {
		rec.Segments = append(rec.Segments, Segment{FromMs: left, ToMs: elapsed.Ms, Class: ClassAsync})
	}
	rec.Stacks = mergeStacks(onThread, samples)
	rec.Measured = t.measured(rec, samples)
	rec.Locks = o.lockWaits(onThread, samples)
	rec.Peers, rec.SQL = peers(rec, samples), statements(rec, samples)
	rec.Notes = append(rec.Notes, o.notes(samples)...)
	return rec
}

// onThread is a record, the part of it that was on a thread of the server: one that left
// it did so between the last look that showed it there and the first that did not.
func (o *open) onThread(rec *Record, samples []sample) *Record {
	if !o.async {
		return rec
	}
	part := *rec
	part.Elapsed.Ms = 0
	if len(samples) > 0 {
		last := samples[len(samples)-1].at
		part.Elapsed.Ms = min(rec.Elapsed.Ms, max(0, last.Add(later(last, o.asyncSince).Sub(last)/2).Sub(rec.Start).Milliseconds()))
	}
	return &part
}

// notes say what could not be seen.
func (o *open) notes(samples []sample) []string {
	var notes []string
	if o.guessed {
		notes = append(notes, "its start is when it was first seen: the server does not tell its age")
	}
	if o.async {
		notes = append(notes, "asynchronous: from some time on no thread of the server worked on it, and nothing shows who did")
	}
	switch {
	case o.unlisted:
		notes = append(notes, "its thread is in no list of the JVM's, as a rule a virtual thread: its path and age are seen, its stack is not")
	case len(samples) == 0 && !o.async:
		notes = append(notes, "no stack of its thread was taken: it was too short, or looks were reduced")
	}
	if o.source == SourceThreads {
		notes = append(notes, "estimated from the stacks of a worker thread: two requests in a row of the same kind may look like one")
	}
	return notes
}

// stretches cuts a transaction at its samples.
func (t *Tracker) stretches(o *open, rec *Record, samples []sample) []stretch {
	total := float64(rec.Elapsed.Ms)
	if len(samples) == 0 {
		class := ClassUnknown
		if o.async {
			class = ClassAsync
		}
		return []stretch{{ms: total, a: class, b: class, edge: true, cpuMs: math.NaN(), blockedMs: math.NaN(), waitedMs: math.NaN(), runQueueMs: math.NaN(), gcMs: math.NaN()}}
	}
	offset := func(s sample) float64 {
		return min(total, max(0, float64(s.at.Sub(rec.Start))/float64(time.Millisecond)))
	}
	first, last := samples[0], samples[len(samples)-1]
	// What lies further before the first look than two intervals nobody was there to
	// see.
	reach := float64(2*t.opts.Interval) / float64(time.Millisecond)
	head := offset(first)
	parts := []stretch{}
	if head > reach {
		parts = append(parts, stretch{
			ms: head - reach/2, a: ClassUnknown, b: ClassUnknown, edge: true,
			cpuMs: math.NaN(), blockedMs: math.NaN(), waitedMs: math.NaN(), runQueueMs: math.NaN(), gcMs: math.NaN(),
		})
		head = reach / 2
	}
	parts = append(parts, stretch{
		ms: head, a: first.class, b: first.class, edge: true, head: true,
		cpuMs:      deltaMs(o.before.CPUNs, first.mark.cpuNs, 1e6),
		runQueueMs: deltaMs(o.before.RunQueueNs, first.mark.runQueueNs, 1e6),
		gcMs:       t.pausedMs(rec.Start, first.at), blockedMs: math.NaN(), waitedMs: math.NaN(), outerMs: msBetween(o.before.at, rec.Start),
	})
	queued := queuedAt(samples)
	stoodMs := 0.0 // for which it had not run when it was looked at: its mark is from before
	for i := 1; i < len(samples); i++ {
		a, b := samples[i-1], samples[i]
		p := stretch{ms: offset(b) - offset(a), a: a.class, b: b.class, same: b.same}
		p.cpuMs = deltaMs(a.mark.cpuNs, b.mark.cpuNs, 1e6)
		p.blockedMs = deltaMs(a.mark.blockedMs, b.mark.blockedMs, 1)
		p.waitedMs = deltaMs(a.mark.waitedMs, b.mark.waitedMs, 1)
		p.aWaits, p.bWaits = a.mark.waiting(), b.mark.waiting()
		if p.same {
			stoodMs += p.ms
		} else {
			if a.class == ClassLock {
				p.blockedMs = max(0, p.blockedMs-stoodMs)
			}
			if p.aWaits {
				p.waitedMs = max(0, p.waitedMs-stoodMs)
			}
			stoodMs = 0
		}
		p.runQueueMs = deltaMs(queued[i-1], queued[i], 1e6)
		p.gcMs = t.pausedMs(a.at, b.at)
		parts = append(parts, p)
	}
	if o.async {
		// Somewhere between the last look that showed it on a thread and the first
		// without, it left it.
		left := max(offset(last), min(total, float64(o.asyncSince.Sub(rec.Start))/float64(time.Millisecond)))
		parts = append(parts, stretch{ms: left - offset(last), a: last.class, b: ClassAsync, cpuMs: math.NaN(), blockedMs: math.NaN(), waitedMs: math.NaN(), runQueueMs: math.NaN(), gcMs: math.NaN()})
		return append(parts, stretch{ms: total - left, a: ClassAsync, b: ClassAsync, same: true})
	}
	return append(parts, stretch{
		ms: total - offset(last), a: last.class, b: last.class, edge: true,
		cpuMs:      deltaMs(last.mark.cpuNs, o.after.CPUNs, 1e6),
		runQueueMs: deltaMs(last.mark.runQueueNs, o.after.RunQueueNs, 1e6),
		gcMs:       t.pausedMs(last.at, rec.End()), blockedMs: math.NaN(), waitedMs: math.NaN(), outerMs: msBetween(rec.End(), o.after.at),
	})
}

// queuedAt is the time in the run queue as of each sample. Where nobody could tell that of a
// thread that ran, it has grown evenly between those around.
func queuedAt(samples []sample) []jvm.Opt[int64] {
	at := make([]jvm.Opt[int64], len(samples))
	known := -1
	for i, s := range samples {
		at[i] = s.mark.runQueueNs
		ns, ok := at[i].Get()
		if !ok {
			continue
		}
		for j := known + 1; j < i && known >= 0; j++ {
			from := at[known].Or(0)
			share := float64(samples[j].at.Sub(samples[known].at)) / float64(max(1, s.at.Sub(samples[known].at)))
			at[j] = jvm.Some(from + int64(share*float64(ns-from)))
		}
		known = i
	}
	return at
}

// msBetween is the time from a to b in milliseconds, 0 where b is earlier.
func msBetween(a, b time.Time) float64 {
	return max(0, float64(b.Sub(a))/float64(time.Millisecond))
}

// pausedMs is the time for which collections stopped everything between two times, NaN
// where nobody knows.
func (t *Tracker) pausedMs(from, to time.Time) float64 {
	if !t.pauses.known() {
		return math.NaN()
	}
	return t.pauses.between(from, to)
}

// deltaMs is the growth of a counter in milliseconds, NaN where it is not known.
func deltaMs(a, b jvm.Opt[int64], perMs float64) float64 {
	x, okA := a.Get()
	y, okB := b.Get()
	if !okA || !okB || y < x {
		return math.NaN()
	}
	return float64(y-x) / perMs
}

// measured are the exact figures between the first and the last sample.
func (t *Tracker) measured(rec *Record, samples []sample) *Measured {
	if len(samples) < 2 {
		return nil
	}
	a, b := samples[0], samples[len(samples)-1]
	m := &Measured{
		FromMs:         a.at.Sub(rec.Start).Milliseconds(),
		ToMs:           b.at.Sub(rec.Start).Milliseconds(),
		CPUMs:          whole(deltaMs(a.mark.cpuNs, b.mark.cpuNs, 1e6)),
		BlockedMs:      whole(deltaMs(a.mark.blockedMs, b.mark.blockedMs, 1)),
		WaitedMs:       whole(deltaMs(a.mark.waitedMs, b.mark.waitedMs, 1)),
		RunQueueMs:     whole(deltaMs(a.mark.runQueueNs, b.mark.runQueueNs, 1e6)),
		AllocatedBytes: whole(deltaMs(a.mark.allocated, b.mark.allocated, 1)),
		Waits:          max(0, b.mark.waits-a.mark.waits),
		Blocks:         max(0, b.mark.blocks-a.mark.blocks),
	}
	m.GCMs = whole(t.pausedMs(a.at, b.at))
	return m
}

// whole is x rounded, nil for NaN.
func whole(x float64) *int64 {
	if math.IsNaN(x) {
		return nil
	}
	n := int64(math.Round(x))
	return &n
}

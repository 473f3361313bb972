package tx

import (
	"cmp"
	"slices"
	"time"
)

// Board is all that is in flight. It is the answer of the API.
type Board struct {
	Time    time.Time     `json:"time"`
	Targets []TargetState `json:"targets"`
	// Buckets are those of Buckets, in order, with all transactions in flight of the
	// targets asked for.
	Buckets []BucketCount `json:"buckets"`
	// Total is their number, Transactions the oldest of them.
	Total        int      `json:"total"`
	Transactions []Active `json:"transactions"`
}

// TargetState says how well a target can be followed.
type TargetState struct {
	Target string `json:"target"`
	// State is "starting", "following" or "down".
	State string `json:"state"`
	// Sampling is "full", "candidates" (stacks only of those about to be slow) or
	// "off": it is reduced where the looks cost the JVM too much.
	Sampling    string `json:"sampling"`
	IntervalMs  int64  `json:"interval_ms"`
	ThresholdMs int64  `json:"threshold_ms"`
	InFlight    int    `json:"in_flight"`
	// Finished and FinishedMs are all requests that the server finished since it is
	// followed, and the time they took: their growth tells rate and mean.
	Finished   int64 `json:"finished"`
	FinishedMs int64 `json:"finished_ms"`
	// Notes say what cannot be seen of this target, in words.
	Notes []string `json:"notes"`
}

// BucketCount is the number of transactions in flight of one age.
type BucketCount struct {
	Bucket  string       `json:"bucket"`
	Count   int          `json:"count"`
	Classes []ClassCount `json:"classes"`
}

// ClassCount is the number of those that spend their time on one class.
type ClassCount struct {
	Class Class `json:"class"`
	Count int   `json:"count"`
}

// maxBoardRows bounds the transactions of a Board.
const maxBoardRows = 500

// NewBoard counts and orders the transactions in flight of all targets.
func NewBoard(now time.Time, targets []TargetState, rows []Active) *Board {
	b := &Board{Time: now, Targets: targets, Total: len(rows)}
	slices.SortStableFunc(rows, func(a, b Active) int { return cmp.Compare(b.ElapsedMs, a.ElapsedMs) })
	for _, name := range Buckets() {
		bucket := BucketCount{Bucket: name, Classes: []ClassCount{}}
		counts := map[Class]int{}
		for _, row := range rows {
			if row.Bucket == name {
				bucket.Count++
				counts[cmp.Or(row.Class, ClassUnknown)]++
			}
		}
		for _, c := range Classes() {
			if counts[c] > 0 {
				bucket.Classes = append(bucket.Classes, ClassCount{c, counts[c]})
			}
		}
		b.Buckets = append(b.Buckets, bucket)
	}
	b.Transactions = rows[:min(len(rows), maxBoardRows)]
	return b
}

// Active are the transactions in flight, the oldest first.
func (t *Tracker) Active(now time.Time) []Active {
	t.mu.Lock()
	defer t.mu.Unlock()
	rows := []Active{}
	for _, p := range t.processors {
		if p.open != nil && p.open.gone == 0 {
			rows = append(rows, t.active(p.open, now))
		}
	}
	slices.SortFunc(rows, func(a, b Active) int { return cmp.Or(cmp.Compare(b.ElapsedMs, a.ElapsedMs), cmp.Compare(a.ID, b.ID)) })
	return rows
}

func (t *Tracker) active(o *open, now time.Time) Active {
	age := o.age(now)
	a := Active{
		ID: o.id, Target: t.opts.Target, Source: o.source, Route: o.route, Method: o.method, Path: o.path, Thread: o.thread,
		Start: o.start(), ElapsedMs: age.Milliseconds(), Bucket: Bucket(age), Slow: age >= o.threshold, Async: o.async,
	}
	if o.async {
		a.Class = ClassAsync
		return a
	}
	n := len(o.samples)
	if n == 0 {
		return a
	}
	last := o.samples[n-1]
	a.Class, a.Frame, a.Lock, a.LockOwner = last.class, last.frame(), last.lock, last.ownerName
	first := n - 1
	for first > 0 && o.samples[first].same {
		first--
	}
	if last.same { // else it may have moved since
		a.StuckMs = max(0, now.Sub(o.samples[first].at).Milliseconds())
	}
	if owner := t.onThread(last.owner, last.ownerName); last.owner != 0 && owner != nil {
		a.OwnerID = owner.id
	}
	if last.sight != nil {
		a.Peer, a.SQL = last.sight.peer(), last.sight.sql
	}
	return a
}

// Record is the record so far of a transaction in flight, nil if there is none of
// that id.
func (t *Tracker) Record(id string, now time.Time) *Record {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.processors {
		if p.open != nil && p.open.id == id {
			return t.record(p.open, p.open.elapsedAt(now), StateActive)
		}
	}
	return nil
}

// Stats are the sums so far.
func (t *Tracker) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.stats
	s.Slow, s.ClassMs, s.Durations = clone(s.Slow), clone(s.ClassMs), slices.Clone(s.Durations)
	return s
}

func clone[K comparable](m map[K]int64) map[K]int64 {
	c := make(map[K]int64, len(m))
	for k, v := range m {
		c[k] = v
	}
	return c
}

package tx

import "math"

// queuedShare is the share of the run queue in the stretches in which it is known.
func queuedShare(parts []stretch) float64 {
	queued, known := 0.0, 0.0
	for _, p := range parts {
		if !math.IsNaN(p.runQueueMs) && !p.edge {
			queued, known = queued+min(p.runQueueMs, p.ms), known+p.ms
		}
	}
	return queued / max(known, 1)
}

// own is what of a counter's growth, at an end of the transaction, is the
// transaction's own. The thread may have served others in the time beyond, which can
// explain no more than its length; within that, the growth is as likely anywhere. Where
// the thread was seen at work it is the transaction's as far as it can be. In the run queue
// it may have been for any time before it began, when it was woken for it: the system counts
// that at its end. deviation is the standard deviation.
func (p stretch) own(c Class, grown float64) (ms, deviation float64) {
	if !p.edge {
		return grown, 0
	}
	least, most := max(0, min(grown-p.outerMs, p.ms)), min(grown, p.ms)
	if p.head && c == ClassRunQueue {
		least = 0
	}
	if p.a == ClassCPU {
		return most, (most - least) / sureDeviations
	}
	share := p.ms / max(1, p.ms+p.outerMs)
	ms = min(max(grown*share, least), most)
	return ms, min(grown*math.Sqrt(share*(1-share)), max(most-ms, ms-least)/sureDeviations)
}

// count gives a class what its counter grew by, as far as that is the transaction's own
// and there is room for it, and returns how much that was. What is taken from the
// stretch's own class for that may be too much.
func (t *tally) count(p stretch, c Class, grown, room float64) float64 {
	ms, deviation := p.own(c, grown)
	ms = min(ms, room)
	t.give(c, ms, 0)
	t.leaning[c] += deviation
	if p.a != ClassCPU {
		t.leaning[p.a] += deviation
	}
	return ms
}

// doubt gives a class time that may be another's.
func (t *tally) doubt(c Class, ms, variance float64) {
	t.give(c, ms, variance)
	t.strayed[c] += variance
}

// waited uses what the JVM counts of a thread's waits, and returns what is left to be
// split. Where the thread was parked at one end of a stretch alone, that is the time of
// the class there, and the rest of the other one's. Waits that no look saw are of class
// wait. seen is the stretch with the classes that looks found.
func (t *tally) waited(p, seen stretch, rest float64) float64 {
	if math.IsNaN(p.waitedMs) || rest <= 0 {
		return rest
	}
	waits := func(c Class) bool { return c == seen.a && seen.aWaits || c == seen.b && seen.bWaits }
	waited := min(p.waitedMs, rest)
	switch a, b := waits(p.a), waits(p.b); {
	case a && b:
		return rest
	case a || b:
		parked, other := p.a, p.b
		if b {
			parked, other = p.b, p.a
		}
		t.doubt(parked, waited, sq(waited)/insideVariance)
		t.doubt(other, rest-waited, sq(rest-waited)/insideVariance)
		return 0
	}
	t.doubt(ClassWait, waited, sq(waited)/insideVariance)
	return rest - waited
}

// carryBack moves time in the run queue to where it was spent. The system counts it
// only when the thread runs again: where that is more than the stretch has room for, the
// thread was ready before, in stretches in which it seemed to go on waiting, and at the
// end of the one before these.
func carryBack(parts []stretch) {
	for i := range parts {
		over := parts[i].over()
		j := i - 1
		for ; j >= 0 && parts[j].same && over > 0; j-- { // false for NaN
			before := &parts[j]
			before.lateMs = min(over, before.ms)
			if parts[i].edge && j == i-1 { // some of it may be of the thread's next request
				before.lateVariance = sq(parts[i].outerMs) / boundaryVariance
			}
			over -= before.lateMs
		}
		if j >= 0 && over > 0 && !parts[j].edge {
			if room := -parts[j].over(); room > 0 {
				parts[j].runQueueMs += min(over, room)
			}
		}
	}
}

// over is by how much the counters of a stretch exceed its length, negative where there
// is room for more, NaN where the run queue is not known.
func (p stretch) over() float64 {
	over := p.runQueueMs - p.ms
	switch {
	case p.edge: // the time beyond the end has room for some of it
		over -= p.outerMs / 2
	case !math.IsNaN(p.cpuMs):
		over += p.cpuMs
	}
	return over
}

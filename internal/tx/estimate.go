package tx

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// stretch is a part of a transaction between two looks, or at its ends.
type stretch struct {
	// from and to are seconds since the start, ms its length in milliseconds.
	ms float64
	// a and b are the classes at both ends; at the ends of the transaction both are
	// the one sample's that there is.
	a, b Class
	// edge says that only one end was looked at.
	edge bool
	// same says that the thread did not run at all.
	same bool
	// cpuMs is the time on a processor, exact, at the ends of the transaction at most;
	// NaN where nobody knows. blockedMs, runQueueMs and gcMs likewise.
	cpuMs, blockedMs, runQueueMs, gcMs float64
	// lateMs is the part at the end of a stretch in which the thread did not run, for
	// which it was ready to: see carryBack. lateVariance is that of the estimate.
	lateMs, lateVariance float64
}

// tally is the time by class with the variance of the estimate.
type tally struct {
	ms, variance map[Class]float64
	hiddenMs     float64
	// queued is the share of time in the run queue where it is known: how much of the
	// rest may be in it as well.
	queued float64
}

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

// estimate splits the time of a transaction among classes.
//
// Between two samples the time on a processor is exact where the JVM counts it;
// what is left belongs to the classes at both ends: to one of them if they agree,
// else half to each, for the moment of change is equally likely anywhere (the
// midpoint estimator; the error of one boundary has the variance d²/12). Time that
// neither waiting nor the processor explains is the collector's, then the run
// queue's.
func estimate(parts []stretch) tally {
	sum := tally{ms: map[Class]float64{}, variance: map[Class]float64{}, queued: queuedShare(parts)}
	carryBack(parts)
	for _, p := range parts {
		sum.add(p)
	}
	return sum
}

// carryBack moves time in the run queue to where it was spent. The system counts it
// only when the thread runs again: where that is more than the stretch has room for, the
// thread was ready before, in stretches in which it seemed to go on waiting.
func carryBack(parts []stretch) {
	for i, p := range parts {
		over := p.runQueueMs - p.ms
		if !p.edge && !math.IsNaN(p.cpuMs) {
			over += p.cpuMs
		}
		for j := i - 1; j >= 0 && parts[j].same && over > 0; j-- { // false for NaN
			before := &parts[j]
			before.lateMs = min(over, before.ms)
			if p.edge && j == i-1 { // some of it may be of the thread's next request
				before.lateVariance = sq(before.lateMs) / edgeVariance
			}
			over -= before.lateMs
		}
	}
}

func (t *tally) give(c Class, ms, variance float64) {
	if ms > 0 || variance > 0 {
		t.ms[c] += max(0, ms)
		t.variance[c] += variance
	}
}

func (t *tally) add(p stretch) {
	if p.ms <= 0 {
		return
	}
	if p.same { // nothing happened: exact
		t.give(p.a, p.ms-p.lateMs, p.lateVariance)
		t.give(ClassRunQueue, p.lateMs, p.lateVariance)
		return
	}
	t.hiddenMs = max(t.hiddenMs, p.ms)
	rest := p.ms
	if !math.IsNaN(p.cpuMs) {
		cpu, variance := min(p.cpuMs, rest), 0.0
		if p.edge { // some of it may be of the thread's other requests, and less of the rest
			variance = sq(cpu) / edgeVariance
			t.doubt(p, variance)
		}
		t.give(ClassCPU, cpu, variance)
		rest -= cpu
	}
	t.split(p, rest)
}

// The variances of what a look cannot tell, as the length squared over these. A
// boundary that is somewhere in a stretch has the variance of an even spread, 12.
// The other two were set by the truth test: they cover what it met.
const (
	boundaryVariance = 12
	edgeVariance     = 4.8
	insideVariance   = 60
)

// split gives the time of a stretch that was not on a processor to its classes.
func (t *tally) split(p stretch, rest float64) {
	if !math.IsNaN(p.blockedMs) && (p.a == ClassLock || p.b == ClassLock) {
		blocked := min(p.blockedMs, rest)
		t.give(ClassLock, blocked, 0)
		rest -= blocked
		p.a, p.b = without(p.a, p.b, ClassLock), without(p.b, p.a, ClassLock)
	}
	// Where nobody knows the run queue, it may have had any part of a stretch that work
	// begins or ends.
	blind := math.IsNaN(p.runQueueMs) && p.a != p.b && (p.a == ClassCPU || p.b == ClassCPU)
	if !math.IsNaN(p.cpuMs) {
		rest = t.stalls(p, rest)
		p.a, p.b = without(p.a, p.b, ClassCPU), without(p.b, p.a, ClassCPU)
	}
	if rest <= 0 {
		return
	}
	if blind {
		t.give(ClassRunQueue, 0, rest*rest/edgeVariance)
	} else if math.IsNaN(p.runQueueMs) {
		t.give(p.a, 0, sq(t.queued*rest))
		t.give(ClassRunQueue, 0, sq(t.queued*rest))
	}
	switch {
	case p.a != p.b:
		t.give(p.a, rest/2, rest*rest/boundaryVariance)
		t.give(p.b, rest/2, rest*rest/boundaryVariance)
	case p.edge, blind:
		// Something else may have been there before the first look, or after the last.
		t.give(p.a, rest, rest*rest/edgeVariance)
	default:
		t.give(p.a, rest, rest*rest/insideVariance)
	}
}

// doubt adds to the variance of a stretch's own class, as far as that is no time on a
// processor: what is taken from it for sure may be too much.
func (t *tally) doubt(p stretch, variance float64) {
	if p.a != ClassCPU {
		t.give(p.a, 0, variance)
	}
}

// stalls gives away the time in which a thread that had work to do did not run: the
// run queue's where the system tells it, and the collector's, which has its threads
// wait elsewhere. It returns what is left.
func (t *tally) stalls(p stretch, rest float64) float64 {
	ends := 0
	for _, c := range []Class{p.a, p.b} {
		if c == ClassCPU {
			ends++
		}
	}
	if !math.IsNaN(p.runQueueMs) {
		queue, variance := min(p.runQueueMs, rest), 0.0
		if p.edge {
			variance = sq(queue) / edgeVariance
			t.doubt(p, variance)
		}
		t.give(ClassRunQueue, queue, variance)
		rest -= queue
	}
	if p.gcMs > 0 && ends > 0 {
		gc := min(p.gcMs*float64(ends)/2, rest)
		t.give(ClassGC, gc, sq(min(p.gcMs, rest))/boundaryVariance)
		rest -= gc
	}
	if ends < 2 {
		return rest
	}
	// At work at both ends, not on a processor: the JVM had stopped it for longer than
	// its collectors tell, or, where nobody knows the run queue, it was in that.
	stopped := ClassGC
	if math.IsNaN(p.runQueueMs) {
		stopped = ClassRunQueue
	}
	variance := rest * rest / boundaryVariance
	if p.edge {
		variance = rest * rest / edgeVariance
	}
	t.give(stopped, rest, variance)
	return 0
}

// without is a, or b where a is the class that has its share already.
func without(a, b, settled Class) Class {
	if a == settled {
		return b
	}
	return a
}

func sq(x float64) float64 { return x * x }

// times are the classes with their error bars, most time first, scaled so that the
// whole is total.
func (t *tally) times(total time.Duration) []ClassTime {
	sum := 0.0
	for _, ms := range t.ms {
		sum += ms
	}
	out := []ClassTime{}
	// What nobody looked at may belong to any class.
	unseen := t.ms[ClassUnknown]
	t.hiddenMs = max(t.hiddenMs, unseen)
	for c, ms := range t.ms {
		if sum > 0 {
			ms *= float64(total.Milliseconds()) / sum
		}
		whole := int64(math.Round(ms))
		bar := int64(math.Ceil(min(1.96*math.Sqrt(t.variance[c])+unseen, float64(total.Milliseconds()))))
		if whole > 0 {
			out = append(out, ClassTime{Class: c, Ms: whole, ErrorMs: bar})
		}
	}
	slices.SortFunc(out, func(a, b ClassTime) int { return cmp.Or(cmp.Compare(b.Ms, a.Ms), cmp.Compare(a.Class, b.Class)) })
	left := total.Milliseconds()
	for _, c := range out {
		left -= c.Ms
	}
	if len(out) > 0 {
		out[0].Ms += left // rounding
	}
	return out
}

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
	// edge says that only one end was looked at, head that this was the later one.
	edge, head bool
	// same says that the thread did not run at all.
	same bool
	// cpuMs is the time on a processor, exact, at the ends of the transaction at most;
	// NaN where nobody knows. blockedMs, waitedMs, runQueueMs and gcMs likewise.
	cpuMs, blockedMs, waitedMs, runQueueMs, gcMs float64
	// aWaits and bWaits say that the thread was parked at the ends, asleep, or waited to be
	// notified: what waitedMs counts.
	aWaits, bWaits bool
	// outerMs is for how long those at the ends of the transaction went on being
	// counted outside of it.
	outerMs float64
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
	// strayed is the variance of what a class was given that may be another's.
	strayed map[Class]float64
	// leaning is the error at both ends of the transaction, which as a rule have the same
	// sign: what the thread did for others.
	leaning map[Class]float64
}

// estimate splits the time of a transaction among classes.
//
// Between two samples the time on a processor is exact where the JVM counts it;
// what is left belongs to the classes at both ends: to one of them if they agree,
// else half to each, for the moment of change is equally likely anywhere (the
// midpoint estimator; the error of one boundary has the variance d²/12). Time that
// neither waiting nor the processor explains is the run queue's, then the collector's;
// what is left of it nobody knows.
func estimate(parts []stretch) tally {
	sum := tally{ms: map[Class]float64{}, variance: map[Class]float64{}, strayed: map[Class]float64{}, leaning: map[Class]float64{}, queued: queuedShare(parts)}
	carryBack(parts)
	for _, p := range parts {
		sum.add(p)
	}
	sum.spread()
	for c, deviation := range sum.leaning {
		sum.variance[c] += sq(deviation)
	}
	return sum
}

// spread has the classes that a transaction was seen in share the doubt about what
// others were given, in proportion to their time.
func (t *tally) spread() {
	total := 0.0
	for c, ms := range t.ms {
		if !counted(c) {
			total += ms
		}
	}
	for from, variance := range t.strayed {
		for c, ms := range t.ms {
			if c != from && !counted(c) && total > t.ms[from] {
				t.variance[c] += variance * ms / (total - t.ms[from])
			}
		}
	}
}

// counted tells the classes whose time is counted, not seen.
func counted(c Class) bool { return c == ClassCPU || c == ClassRunQueue || c == ClassGC }

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
		rest -= t.count(p, ClassCPU, p.cpuMs, rest)
	} else {
		t.give(ClassCPU, 0, rest*rest/insideVariance)
	}
	t.split(p, rest)
}

// sureDeviations is how many standard deviations an error bar is to each side.
const sureDeviations = 1.96

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
	seen := p
	if !math.IsNaN(p.blockedMs) && (p.a == ClassLock || p.b == ClassLock) {
		blocked := min(p.blockedMs, rest)
		t.give(ClassLock, blocked, 0)
		rest -= blocked
		p.a, p.b = without(p.a, p.b, ClassLock), without(p.b, p.a, ClassLock)
	}
	// Where nobody knows the run queue, it may have had any part of a stretch that work
	// begins or ends.
	mixed := p.a != p.b
	blind := math.IsNaN(p.runQueueMs) && mixed && (p.a == ClassCPU || p.b == ClassCPU)
	if !math.IsNaN(p.cpuMs) {
		rest = t.stalls(p, rest)
		p.a, p.b = without(p.a, p.b, ClassCPU), without(p.b, p.a, ClassCPU)
	}
	if rest = t.waited(p, seen, rest); rest <= 0 {
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
		t.doubt(p.a, rest, rest*rest/edgeVariance)
	case mixed: // the time on a processor is known, and who knows what else was between the two
		t.doubt(p.a, rest, rest*rest/boundaryVariance)
	default:
		t.doubt(p.a, rest, rest*rest/insideVariance)
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
		rest -= t.count(p, ClassRunQueue, p.runQueueMs, rest)
	}
	if p.gcMs > 0 && ends > 0 {
		gc := min(p.gcMs*float64(ends)/2, rest)
		t.give(ClassGC, gc, sq(min(p.gcMs, rest))/boundaryVariance)
		rest -= gc
	}
	if ends < 2 {
		return rest
	}
	// At work at both ends, not on a processor: where nobody knows the run queue, it was
	// in that; where the collectors stopped it, for longer than they tell; else it did
	// what nobody saw.
	stopped := ClassUnknown
	switch {
	case math.IsNaN(p.runQueueMs):
		stopped = ClassRunQueue
	case p.gcMs > 0 || math.IsNaN(p.gcMs):
		stopped = ClassGC
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
		bar := int64(math.Ceil(min(sureDeviations*math.Sqrt(t.variance[c])+unseen, float64(total.Milliseconds()))))
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

package tx

import (
	"cmp"
	"slices"
	"time"
	"unique"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// maxSamples bounds the samples of one transaction: at one a second ten minutes.
// From there on every second one is dropped, and the looks become rarer.
const maxSamples = 600

// sample is one look at the thread of a transaction.
type sample struct {
	at    time.Time
	class Class
	// stack has the innermost call first; app is the index of the innermost call of
	// the application, -1 without one.
	stack []unique.Handle[jvm.Frame]
	app   int
	// same says that the thread had not run since the sample before: so had it been
	// all the time between them.
	same bool
	mark mark
	lock string
	// owner is the thread that has the lock, 0 without one.
	owner     int64
	ownerName string
	// sight is what it waited for, nil where nobody saw.
	sight *sight
}

// mark is what a thread has used up, as of a moment. Equal marks mean that the
// thread has not run between them.
type mark struct {
	cpuNs, allocated    jvm.Opt[int64]
	blockedMs, waitedMs jvm.Opt[int64]
	runQueueNs          jvm.Opt[int64]
	blocks, waits       int64
	state               jvm.ThreadState
	lock                string
}

// markOf takes the mark of a thread.
func markOf(th *jvm.Thread) mark {
	return mark{
		cpuNs: th.CPUNs, runQueueNs: th.RunQueueNs, allocated: th.AllocatedBytes, blockedMs: th.BlockedMs, waitedMs: th.WaitedMs,
		blocks: th.BlockedCount, waits: th.WaitedCount, state: th.State, lock: th.Lock,
	}
}

// waiting tells whether the thread was in what its waited time counts.
func (m mark) waiting() bool { return m.state == jvm.Waiting || m.state == jvm.TimedWaiting }

// unmoved tells whether a thread with these marks has not run in between. Without
// its CPU time nobody knows.
func (m mark) unmoved(next mark) bool {
	return m.cpuNs.Known() && m.cpuNs == next.cpuNs && m.blocks == next.blocks && m.waits == next.waits &&
		m.state == next.state && m.lock == next.lock
}

// Wanted is a transaction in flight whose thread is to be looked at.
type Wanted struct {
	Key Key
	// Thread is the worker's name, ThreadID its id where it is known from before.
	Thread   string
	ThreadID int64
	Age      time.Duration
	// Estimated says that its worker's stack alone showed it.
	Estimated bool
	// Candidate says that it may turn out slow before the next look.
	Candidate bool
	// Sampled says that there is a sample, so that its state alone may tell that
	// there is no need for another stack.
	Sampled bool
}

// InFlight are the transactions on a thread now, the oldest first.
func (t *Tracker) InFlight(now time.Time) []Wanted {
	t.mu.Lock()
	defer t.mu.Unlock()
	var wanted []Wanted
	for _, p := range t.processors {
		o := p.open
		if o == nil || o.thread == "" || o.gone > 0 {
			continue
		}
		age := o.age(now)
		wanted = append(wanted, Wanted{
			Key: o.key, Thread: o.thread, ThreadID: o.threadID, Age: age, Estimated: o.source == SourceThreads,
			Candidate: age >= CandidateAfter(o.threshold, t.opts.Interval, t.latency),
			Sampled:   len(o.samples) > 0,
		})
	}
	slices.SortFunc(wanted, func(a, b Wanted) int {
		return cmp.Or(cmp.Compare(b.Age, a.Age), cmp.Compare(a.Key.Processor, b.Key.Processor))
	})
	return wanted
}

// Unlisted says that the thread of a transaction is in no list of the JVM's.
func (t *Tracker) Unlisted(key Key) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o := t.openOf(key); o != nil {
		o.unlisted = true
	}
}

// InHand tells whether a request processor has that transaction in hand, on that thread.
func InHand(row jvm.RequestProcessor, w Wanted) bool {
	return row.Count == w.Key.Count && row.Stage >= jvm.StageService && row.Stage <= jvm.StageEndOutput && row.Thread == w.Thread
}

// Unmoved takes what a transaction's thread has used up at a time. It is true where that
// is what it had used at its last sample: then it has not run since, and the sample stands
// for this moment too. Else its stack is worth a look.
func (t *Tracker) Unmoved(key Key, at time.Time, used jvm.Used) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.openOf(key)
	if o == nil || len(o.samples) == 0 {
		return false
	}
	last := o.samples[len(o.samples)-1]
	if !used.CPUNs.Known() || last.mark.cpuNs != used.CPUNs {
		return false
	}
	// What it has waited for a processor is counted when it runs: a growth is from
	// after this moment.
	last.at, last.same = at, true
	if !last.mark.runQueueNs.Known() {
		last.mark.runQueueNs = used.RunQueueNs
	}
	o.take(last)
	t.stats.Samples++
	t.stats.Spared++
	return true
}

// Sample takes the stack of a transaction's thread. before is its state as of right
// before; both must have the same id. The caller has made sure that the thread had the
// transaction in hand: see InHand.
func (t *Tracker) Sample(key Key, at time.Time, before, th *jvm.Thread) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.openOf(key)
	if o == nil {
		return
	}
	t.stats.Samples++
	if idle(th.Stack) || len(th.Stack) == 0 {
		t.stats.Foreign++
		return
	}
	o.threadID = th.ID
	class, app := t.classifier.classify(th)
	s := sample{at: at, class: class, app: app, mark: markOf(before), lock: th.Lock, owner: th.LockOwnerID, ownerName: th.LockOwnerName}
	s.stack = make([]unique.Handle[jvm.Frame], len(th.Stack))
	for i, f := range th.Stack {
		s.stack[i] = unique.Make(f)
	}
	if earlier, ok := o.earlier(s); ok {
		o.take(earlier)
		t.stats.Samples++
		t.stats.Spared++
		s.same = true
	}
	o.take(s)
}

// earlier is the sample that would have been taken at a look before this one, whose stacks
// were too many: the thread has not run since. What the JVM counts of waits goes on while it
// does not run, so that the marks would differ.
func (o *open) earlier(s sample) (sample, bool) {
	n := len(o.samples)
	if !o.still.CPUNs.Known() || o.still.CPUNs != s.mark.cpuNs || s.mark.waitedMs.Known() || !o.still.at.Before(s.at) ||
		n > 0 && !o.samples[n-1].at.Before(o.still.at) {
		return s, false
	}
	s.at, s.mark.runQueueNs = o.still.at, o.still.RunQueueNs
	return s, true
}

// openOf is the transaction of that key in flight, nil without one.
func (t *Tracker) openOf(key Key) *open {
	p := t.processors[key.Processor]
	if p == nil || p.open == nil || p.open.key != key {
		return nil
	}
	return p.open
}

// take appends a sample.
func (o *open) take(s sample) {
	if len(o.samples) >= maxSamples {
		kept := o.samples[:0]
		for i, old := range o.samples {
			if i%2 == 0 {
				old.same = old.same && o.samples[max(0, i-1)].same // and not since the one that goes
				kept = append(kept, old)
			}
		}
		o.samples = kept
		if !s.same {
			o.samples = append(o.samples, s)
		}
		return
	}
	o.samples = append(o.samples, s)
}

package tx_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

// phase is a part of a request that spends its time on one thing.
type phase struct {
	class tx.Class
	ms    int64
	// queuedMs is the part of it for which the thread waited for a processor.
	queuedMs int64
}

// script is a request made of phases, from startMs on.
type script struct {
	startMs int64
	phases  []phase
	// blind leaves out what only the same host knows.
	blind bool
	// shared has the thread serve others before and after it: half of that time it is
	// on a processor, a quarter it waits for one.
	shared bool
}

func (s script) ms() (total int64) {
	for _, p := range s.phases {
		total += p.ms
	}
	return total
}

// thread is its thread at a time.
func (s script) thread(ms int64) *jvm.Thread {
	th := &jvm.Thread{ID: 9, Name: "p-thread", State: jvm.Runnable}
	left, cpu, queued := ms-s.startMs, int64(1e6), int64(0)
	if s.shared {
		foreign := min(ms, s.startMs) + max(0, left-s.ms())
		cpu, queued = cpu+foreign*5e5, queued+foreign*25e4
	}
	for _, p := range s.phases {
		part := max(0, min(left, p.ms))
		if p.class == tx.ClassCPU {
			q := part * p.queuedMs / p.ms
			cpu, queued = cpu+(part-q)*1e6, queued+q*1e6
		}
		cpu += 1000 * boolInt(left > 0) // the thread ran to come here
		if left >= 0 && left < p.ms || left >= 0 && part > 0 {
			th.Stack = stack(map[tx.Class]string{
				tx.ClassCPU: "shop.A.compute", tx.ClassSQL: "sun.nio.ch.Net.poll! org.postgresql.core.PGStream.receiveChar",
				tx.ClassHTTP: "sun.nio.ch.Net.poll! sun.net.www.http.HttpClient.parseHTTP",
			}[p.class] + servlet)
		}
		left -= p.ms
	}
	th.CPUNs = jvm.Some(cpu)
	if !s.blind {
		th.RunQueueNs = jvm.Some(queued)
	}
	return th
}

// used is what a thread has used up.
func used(th *jvm.Thread) jvm.Used { return jvm.Used{CPUNs: th.CPUNs, RunQueueNs: th.RunQueueNs} }

func boolInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// follow has a tracker follow a request and look at its thread once a second, and
// returns its record.
func follow(t *testing.T, s script) *tx.Record {
	t.Helper()
	tracker := newTracker(3 * time.Second)
	w := worker{"p", []request{{start: s.startMs, end: s.startMs + s.ms(), path: "/x"}}}
	for at := int64(0); at < s.startMs+s.ms()+3000; at += 1000 {
		r := look(at, 0, w)
		th := s.thread(at)
		r.Workers = map[string]jvm.Used{"p-thread": {CPUNs: th.CPUNs, RunQueueNs: th.RunQueueNs}}
		if records := tracker.Requests(r); len(records) > 0 && records[0].State != tx.StateActive {
			return records[0]
		}
		for _, w := range tracker.InFlight(r.Received) {
			state := *th
			state.Stack = nil
			if !w.Sampled || !tracker.Unmoved(w.Key, r.Received, used(th)) {
				tracker.Sample(w.Key, r.Received, &state, th)
			}
		}
	}
	require.Fail(t, "no record")
	return nil
}

// TestErrorBarsHold: over random requests, the truth is within the error bars in 95
// of 100 cases.
func TestErrorBarsHold(t *testing.T) {
	t.Parallel()
	dice := rand.New(rand.NewPCG(1, 2)) // the same requests each time: of others it is one in a hundred more or less
	classes := []tx.Class{tx.ClassCPU, tx.ClassSQL, tx.ClassHTTP}
	for _, world := range []script{{}, {blind: true}, {shared: true}, {blind: true, shared: true}} {
		name := fmt.Sprintf("blind %v, shared %v", world.blind, world.shared)
		n, within, bars := 0, 0, 0.0
		for range 1000 {
			s := world
			s.startMs = 1000 + dice.Int64N(1000)
			for left := 3000 + dice.Int64N(2000); left > 0; {
				p := phase{class: classes[dice.IntN(3)], ms: min(left, 100+dice.Int64N(2500))}
				if p.class == tx.ClassCPU {
					p.queuedMs = p.ms / 3
				}
				s.phases = append(s.phases, p)
				left -= p.ms
			}
			rec := follow(t, s)
			truth := map[tx.Class]float64{}
			for _, p := range s.phases {
				truth[p.class] += float64(p.ms - p.queuedMs)
				truth[tx.ClassRunQueue] += float64(p.queuedMs)
			}
			sum := int64(0)
			for _, c := range rec.Classes {
				sum += c.Ms
			}
			require.Equal(t, rec.Elapsed.Ms, sum)
			for _, class := range append(classes, tx.ClassRunQueue) {
				said, bar := 0.0, float64(rec.HiddenMs)
				for _, c := range rec.Classes {
					if c.Class == class {
						said, bar = float64(c.Ms), float64(c.ErrorMs)
					}
				}
				if truth[class] == 0 && said == 0 {
					continue
				}
				n++
				bars += bar
				if math.Abs(truth[class]-said) <= bar+2 {
					within++
				}
			}
		}
		t.Logf("%s: %.1f%% of %d within, bars %.0f ms on average", name, 100*float64(within)/float64(n), n, bars/float64(n))
		assert.GreaterOrEqual(t, float64(within)/float64(n), 0.95, name)
	}
}

// TestNothingOfTheBeginningIsLost: stacks from the first look on count, not only those
// past the threshold.
func TestNothingOfTheBeginningIsLost(t *testing.T) {
	t.Parallel()
	rec := follow(t, script{startMs: 1900, phases: []phase{{tx.ClassHTTP, 1500, 0}, {tx.ClassSQL, 3000, 0}}})
	assert.Equal(t, int64(4500), rec.Elapsed.Ms)
	require.Len(t, rec.Segments, 2)
	assert.Equal(t, tx.ClassHTTP, rec.Segments[0].Class)
	assert.InDelta(t, 1500, rec.Segments[0].ToMs, 501)
	assert.Equal(t, 5, rec.Samples)
	assert.Equal(t, 5, rec.Stacks.Samples)
	assert.Equal(t, int64(4500), rec.Stacks.Ms)
}

// TestAThreadThatDoesNotMoveIsExact: one wait from the first look to the last.
func TestAThreadThatDoesNotMoveIsExact(t *testing.T) {
	t.Parallel()
	tracker := newTracker(3 * time.Second)
	w := worker{"p", []request{{start: 990, end: 8010, path: "/x"}}}
	th := &jvm.Thread{ID: 9, State: jvm.Runnable, CPUNs: jvm.Some[int64](5), Stack: stack("sun.nio.ch.Net.poll! org.postgresql.core.PGStream.receiveChar" + servlet)}
	for at := int64(1000); ; at += 1000 {
		if records := tracker.Requests(look(at, 0, w)); len(records) > 0 {
			require.Len(t, records[0].Classes, 1)
			assert.LessOrEqual(t, records[0].Classes[0].ErrorMs, int64(15), "but for the ends")
			assert.LessOrEqual(t, records[0].HiddenMs, int64(11))
			return
		}
		for _, w := range tracker.InFlight(epoch()) {
			if !w.Sampled || !tracker.Unmoved(w.Key, epoch().Add(time.Duration(at)*time.Millisecond), used(th)) {
				tracker.Sample(w.Key, epoch().Add(time.Duration(at)*time.Millisecond), th, th)
			}
		}
	}
}

// TestOneThatTakesLong: of more samples than are kept every second one goes, and with it what
// the next one said of the time since.
func TestOneThatTakesLong(t *testing.T) {
	t.Parallel()
	s := script{startMs: 900, phases: []phase{{tx.ClassSQL, 1080, 0}}} // changes right before a look, and right after one
	sql := int64(1080)
	for s.ms() < 720_000 {
		s.phases = append(s.phases, phase{tx.ClassHTTP, 2040, 0}, phase{tx.ClassSQL, 3960, 0})
		sql += 3960
	}
	rec := follow(t, s)
	assert.Equal(t, s.ms(), rec.Elapsed.Ms)
	assert.Less(t, rec.Samples, 600)
	said := map[tx.Class]int64{}
	for _, c := range rec.Classes {
		said[c.Class] = c.Ms
	}
	assert.InEpsilon(t, sql, said[tx.ClassSQL], 0.05, "%v", said)
}

// TestAThreadThatStandsWasThereBefore: where there are more requests than stacks at a look, the
// first stack of a thread that has not run since an earlier look is that of this one, too.
func TestAThreadThatStandsWasThereBefore(t *testing.T) {
	t.Parallel()
	for name, ran := range map[string]bool{"it stood": false, "it ran": true} {
		tracker := newTracker(3 * time.Second)
		w := worker{"p", []request{{start: 1000, end: 6000, path: "/x"}}}
		th := &jvm.Thread{ID: 9, Name: "p-thread", State: jvm.Runnable, CPUNs: jvm.Some[int64](5e6), Stack: stack("sun.nio.ch.Net.poll! org.postgresql.core.PGStream.receiveChar" + servlet)}
		var rec *tx.Record
		for at := int64(1200); rec == nil; at += 1000 {
			if ran && at == 3200 {
				th.CPUNs = jvm.Some[int64](6e6)
			}
			r := look(at, 0, w)
			r.Workers = map[string]jvm.Used{"p-thread": used(th)}
			if records := tracker.Requests(r); len(records) > 0 {
				rec = records[0]
				break
			}
			wanted := tracker.InFlight(r.Received)
			require.Len(t, wanted, 1)
			if at == 4200 {
				tracker.Sample(wanted[0].Key, r.Received, th, th)
			}
		}
		assert.Equal(t, 2, rec.Samples, name)
		assert.Equal(t, 1, rec.SamplesSpared, name)
		assert.Equal(t, tx.ClassSQL, rec.Class, name)
		if ran {
			assert.GreaterOrEqual(t, rec.HiddenMs, int64(2000), name)
		} else {
			assert.LessOrEqual(t, rec.HiddenMs, int64(1800), name)
		}
	}
}

// TestTheRunQueueOfOneLookIsUnknown: what was counted around it is not lost.
func TestTheRunQueueOfOneLookIsUnknown(t *testing.T) {
	t.Parallel()
	tracker := newTracker(3 * time.Second)
	w := worker{"p", []request{{start: 1000, end: 4500, path: "/x"}}}
	// The thread had been in the run queue for long before it got the request.
	queued := map[int64]jvm.Opt[int64]{200: jvm.Some[int64](0), 1200: jvm.Some[int64](1000e6), 2200: {}, 3200: jvm.Some[int64](1800e6), 4200: jvm.Some[int64](1800e6), 5200: jvm.Some[int64](1800e6)}
	for at := int64(200); ; at += 1000 {
		th := &jvm.Thread{ID: 9, Name: "p-thread", State: jvm.Runnable, CPUNs: jvm.Some(5e6 + at), RunQueueNs: queued[at]}
		th.Stack = stack("sun.nio.ch.Net.poll! org.postgresql.core.PGStream.receiveChar" + servlet)
		r := look(at, 0, w)
		r.Workers = map[string]jvm.Used{"p-thread": used(th)}
		if records := tracker.Requests(r); len(records) > 0 {
			said := map[tx.Class]tx.ClassTime{}
			for _, c := range records[0].Classes {
				said[c.Class] = c
			}
			assert.InDelta(t, 800, said[tx.ClassRunQueue].Ms, float64(said[tx.ClassRunQueue].ErrorMs))
			assert.Less(t, said[tx.ClassRunQueue].ErrorMs, int64(300))
			assert.InDelta(t, 2700, said[tx.ClassSQL].Ms, 220)
			return
		}
		for _, w := range tracker.InFlight(r.Received) {
			tracker.Sample(w.Key, r.Received, th, th)
		}
	}
}

// TestTheRunQueueIsCountedLate: the system counts time in the run queue when the thread
// runs again. A thread that seemed to wait for its answer was ready long before.
func TestTheRunQueueIsCountedLate(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]int64{"between looks": 5500, "at the end": 4500} {
		tracker := newTracker(3 * time.Second)
		w := worker{"p", []request{{start: 1000, end: end, path: "/x"}}}
		var rec *tx.Record
		for at := int64(1200); rec == nil; at += 1000 {
			th := &jvm.Thread{ID: 9, Name: "p-thread", State: jvm.Runnable, CPUNs: jvm.Some[int64](5e6), RunQueueNs: jvm.Some[int64](0)}
			th.Stack = stack("sun.nio.ch.Net.poll! org.postgresql.core.PGStream.receiveChar" + servlet)
			if at > 4200 { // it got the answer at 1700, and a processor at 4400
				th.CPUNs, th.RunQueueNs = jvm.Some[int64](10e6), jvm.Some[int64](2700e6)
			}
			r := look(at, 0, w)
			r.Workers = map[string]jvm.Used{"p-thread": {CPUNs: th.CPUNs, RunQueueNs: th.RunQueueNs}}
			if records := tracker.Requests(r); len(records) > 0 {
				rec = records[0]
				break
			}
			for _, w := range tracker.InFlight(r.Received) {
				if !w.Sampled || !tracker.Unmoved(w.Key, r.Received, used(th)) {
					tracker.Sample(w.Key, r.Received, th, th)
				}
			}
		}
		for _, c := range rec.Classes {
			if c.Class == tx.ClassRunQueue {
				assert.InDelta(t, 2700, c.Ms, float64(c.ErrorMs)+1, name)
				assert.Less(t, c.ErrorMs, int64(1000), name)
			}
			if c.Class == tx.ClassSQL {
				assert.InDelta(t, end-1000-2705, c.Ms, float64(c.ErrorMs)+1, name)
			}
		}
		assert.Equal(t, tx.ClassRunQueue, rec.Class, name)
	}
}

// TestBlockedTimeIsExact: where the JVM counts for how long threads are blocked, the time
// of a lock is not estimated.
func TestBlockedTimeIsExact(t *testing.T) {
	t.Parallel()
	tracker := newTracker(3 * time.Second)
	const begin, got, end = 1000, 5400, 8000
	w := worker{"p", []request{{start: begin, end: end, path: "/x"}}}
	for at := int64(1200); ; at += 1000 {
		th := &jvm.Thread{ID: 9, Name: "p-thread", State: jvm.Blocked, Lock: "a.B@1", CPUNs: jvm.Some[int64](5e6), RunQueueNs: jvm.Some[int64](0)}
		th.BlockedMs = jvm.Some(min(at, got) - begin)
		th.Stack = stack("shop.A.locked" + servlet)
		if at > got {
			th.State, th.Lock, th.CPUNs = jvm.Runnable, "", jvm.Some[int64](6e6)
			th.Stack = stack("sun.nio.ch.Net.poll! org.postgresql.core.PGStream.receiveChar" + servlet)
		}
		r := look(at, 0, w)
		r.Workers = map[string]jvm.Used{"p-thread": used(th)}
		if records := tracker.Requests(r); len(records) > 0 {
			for _, c := range records[0].Classes {
				if c.Class == tx.ClassLock {
					assert.InDelta(t, got-begin, c.Ms, 20)
				}
			}
			assert.Equal(t, tx.ClassLock, records[0].Class)
			return
		}
		for _, w := range tracker.InFlight(r.Received) {
			if !w.Sampled || !tracker.Unmoved(w.Key, r.Received, used(th)) {
				tracker.Sample(w.Key, r.Received, th, th)
			}
		}
	}
}

// TestWaitedTimeIsExact: where the JVM counts for how long threads wait, that tells when
// they went over from a wait to a socket, and that they waited where no look saw it.
func TestWaitedTimeIsExact(t *testing.T) {
	t.Parallel()
	tracker := newTracker(3 * time.Second)
	const begin, slept, woken, end = 1000, 2900, 4350, 8000 // SQL, asleep, SQL, 100 ms of it in a park
	w := worker{"p", []request{{start: begin, end: end, path: "/x"}}}
	for at := int64(1200); ; at += 1000 {
		th := &jvm.Thread{ID: 9, Name: "p-thread", State: jvm.Runnable, RunQueueNs: jvm.Some[int64](0), BlockedMs: jvm.Some[int64](0)}
		th.WaitedMs = jvm.Some(max(0, min(at, woken)-slept) + 100*boolInt(at > 6000))
		th.CPUNs = jvm.Some(5e6 + 1000*(boolInt(at > slept)+boolInt(at > woken)+boolInt(at > 6000)))
		th.Stack = stack("sun.nio.ch.Net.poll! org.postgresql.core.PGStream.receiveChar" + servlet)
		if at > slept && at < woken {
			th.State, th.Stack = jvm.TimedWaiting, stack("java.lang.Thread.sleep! shop.A.nap"+servlet)
		}
		r := look(at, 0, w)
		r.Workers = map[string]jvm.Used{"p-thread": used(th)}
		if records := tracker.Requests(r); len(records) > 0 {
			said := map[tx.Class]int64{}
			for _, c := range records[0].Classes {
				said[c.Class] = c.Ms
			}
			assert.InDelta(t, woken-slept+100, said[tx.ClassWait], 20, "%v", said)
			assert.InDelta(t, end-begin-(woken-slept)-100, said[tx.ClassSQL], 20, "%v", said)
			return
		}
		for _, w := range tracker.InFlight(r.Received) {
			if !w.Sampled || !tracker.Unmoved(w.Key, r.Received, used(th)) {
				tracker.Sample(w.Key, r.Received, th, th)
			}
		}
	}
}

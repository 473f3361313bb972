package tx_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

// epoch is the start of time in these tests.
func epoch() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

// request is one that a worker handles, in milliseconds since the epoch.
type request struct {
	start, end int64
	path       string
	failed     bool
}

// worker is a processor that handles requests one after the other.
type worker struct {
	name     string
	requests []request
}

// rowAt is what its MBean says at a time.
func (w worker) rowAt(ms int64) jvm.RequestProcessor {
	row := jvm.RequestProcessor{Name: w.name, Connector: "http-nio-1", Stage: jvm.StageEnded}
	for _, r := range w.requests {
		switch {
		case ms >= r.end:
			row.Count++
			row.ProcessingMs += r.end - r.start
			row.LastMs = r.end - r.start
			if r.failed {
				row.Errors++
			}
		case ms >= r.start:
			row.Stage, row.ElapsedMs, row.Path, row.Method, row.Thread = jvm.StageService, ms-r.start, r.path, "GET", w.name+"-thread"
		}
	}
	return row
}

// look is a look at the workers that takes latency, the answer made at a random
// moment of it.
func look(ms, latency int64, workers ...worker) *jvm.Requests {
	at := ms
	if latency > 0 {
		at += rand.Int64N(latency + 1)
	}
	r := &jvm.Requests{
		Sent:     epoch().Add(time.Duration(ms) * time.Millisecond),
		Received: epoch().Add(time.Duration(ms+latency) * time.Millisecond),
		StartMs:  jvm.Some[int64](77), UptimeMs: jvm.Some(at + 100_000), PauseMs: jvm.Some[int64](0),
	}
	for _, w := range workers {
		r.Processors = append(r.Processors, w.rowAt(at))
	}
	return r
}

func newTracker(threshold time.Duration) *tx.Tracker {
	return tx.New(tx.Options{Target: "shop/a:1", Thresholds: tx.NewThresholds(threshold), Interval: time.Second, IgnorePath: "/jolokia/"})
}

// TestWhichOfTwoFailed: of two that ended between two looks one is known to have failed only
// where both have.
func TestWhichOfTwoFailed(t *testing.T) {
	t.Parallel()
	for second, want := range map[bool]tx.State{true: tx.StateFailed, false: tx.StateFinished} {
		tracker := newTracker(3 * time.Second)
		w := worker{"p", []request{{start: 500, end: 5700, path: "/x", failed: true}, {start: 5750, end: 5800, path: "/y", failed: second}}}
		var records []*tx.Record
		for at := int64(1000); at <= 6000; at += 1000 {
			records = append(records, tracker.Requests(look(at, 0, w))...)
		}
		require.Len(t, records, 1)
		assert.Equal(t, want, records[0].State)
	}
}

// TestEverySlowTransactionIsCaught: whatever the moments of requests and looks, all
// over the threshold are on record with their own path, and their duration lies in
// the stated range; nothing comes twice.
func TestEverySlowTransactionIsCaught(t *testing.T) {
	t.Parallel()
	tracker := newTracker(3 * time.Second)
	var workers []worker
	for w := range 60 {
		one := worker{name: fmt.Sprintf("p%d", w)}
		for at, n := rand.Int64N(2000), 0; at < 300_000; n++ {
			length := []int64{1, 20, 400, 2900, 3000, 3001, 4500, 20_000}[rand.IntN(8)]
			one.requests = append(one.requests, request{start: at, end: at + length, path: fmt.Sprintf("/w%d/%d", w, n)})
			at += length + []int64{0, 1, 2500}[rand.IntN(3)]
		}
		workers = append(workers, one)
	}
	got := map[string]*tx.Record{}
	for at := int64(0); at < 330_000; at += 990 + rand.Int64N(30) {
		for _, rec := range tracker.Requests(look(at, 30, workers...)) {
			require.NotContains(t, got, rec.Path, "twice, or unseen")
			got[rec.Path] = rec
		}
	}
	slow, exact := 0, 0
	for _, w := range workers {
		for _, r := range w.requests {
			rec, length := got[r.path], r.end-r.start
			if length < 3000 {
				if rec != nil {
					assert.Greater(t, rec.Elapsed.MaxMs, int64(2999), "%s took %d ms: %+v", r.path, length, rec.Elapsed)
				}
				continue
			}
			slow++
			require.NotNil(t, rec, "%s of %d ms is missing", r.path, length)
			assert.LessOrEqual(t, rec.Elapsed.MinMs, length+1)
			assert.GreaterOrEqual(t, rec.Elapsed.MaxMs, length-1)
			assert.InDelta(t, r.start, rec.Start.Sub(epoch()).Milliseconds(), 1100, "start of %s", r.path)
			if rec.Elapsed.Certainty == tx.Exact {
				exact++
				assert.Equal(t, length, rec.Elapsed.Ms)
			}
		}
	}
	assert.Greater(t, slow, 300)
	assert.Greater(t, exact, slow/2)
}

func TestARecordTellsWhatTheServerDid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		request request
		want    func(t *testing.T, rec *tx.Record)
	}{
		{"finished", request{start: 500, end: 5700, path: "/orders/17;jsessionid=ABC?q=1"}, func(t *testing.T, rec *tx.Record) {
			t.Helper()
			assert.Equal(t, tx.StateFinished, rec.State)
			assert.Equal(t, "/orders/{id}", rec.Route)
			assert.Equal(t, "/orders/17", rec.Path)
			assert.Equal(t, tx.Elapsed{Ms: 5200, MinMs: 5200, MaxMs: 5200, Certainty: tx.Exact}, rec.Elapsed)
		}},
		{"failed", request{start: 500, end: 5700, path: "/x", failed: true}, func(t *testing.T, rec *tx.Record) {
			t.Helper()
			assert.Equal(t, tx.StateFailed, rec.State)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tracker := newTracker(3 * time.Second)
			var records []*tx.Record
			for at := int64(0); at < 9000; at += 1000 {
				records = append(records, tracker.Requests(look(at, 0, worker{"p", []request{c.request}}))...)
			}
			require.Len(t, records, 1)
			c.want(t, records[0])
		})
	}
}

// TestLooksTooFarApart: what began and ended between two looks is on record with its
// duration alone.
func TestLooksTooFarApart(t *testing.T) {
	t.Parallel()
	tracker := newTracker(3 * time.Second)
	w := worker{"p", []request{{start: 0, end: 5000, path: "/a"}, {start: 6000, end: 10_000, path: "/b"}, {start: 11_000, end: 15_000, path: "/c"}, {start: 15_000, end: 18_500, path: "/d"}}}
	require.Empty(t, tracker.Requests(look(1000, 0, w)))
	records := tracker.Requests(look(10_500, 0, w))
	require.Len(t, records, 2)
	assert.Empty(t, records[0].Path)
	assert.Equal(t, int64(4000), records[0].Elapsed.Ms)
	assert.Equal(t, "/a", records[1].Path)
	assert.Equal(t, tx.Elapsed{Ms: 5000, MinMs: 5000, MaxMs: 5000, Certainty: tx.Exact}, records[1].Elapsed, "the other one is known")
	records = tracker.Requests(look(19_000, 0, w))
	require.Len(t, records, 2)
	assert.ElementsMatch(t, []int64{4000, 3500}, []int64{records[0].Elapsed.Ms, records[1].Elapsed.Ms})
	assert.NotEqual(t, records[0].ID, records[1].ID)
}

// TestNewProcessorBetweenLooks: what a processor did that is new since the last look is on
// record too; what one did before the first look is not.
func TestNewProcessorBetweenLooks(t *testing.T) {
	t.Parallel()
	tracker := newTracker(3 * time.Second)
	p := worker{"p", []request{{start: 0, end: 5000, path: "/a"}}}
	q := worker{"q", []request{{start: 6500, end: 10_500, path: "/b"}}}
	require.Empty(t, tracker.Requests(look(6000, 0, p)))
	records := tracker.Requests(look(11_000, 0, p, q))
	require.Len(t, records, 1)
	assert.Equal(t, tx.Elapsed{Ms: 4000, MinMs: 4000, MaxMs: 4000, Certainty: tx.Exact}, records[0].Elapsed)
	assert.Empty(t, tracker.Requests(look(16_000, 0, p, q)), "once")
}

// TestEndedButNotCleanedUp: a row that was read when its request had been counted already, but
// still shows it, is none of the next one, whether a look had shown it before or not.
func TestEndedButNotCleanedUp(t *testing.T) {
	t.Parallel()
	slow := request{start: 4100, end: 6600, path: "/orders/0"}
	next := request{start: 6700, end: 9900, path: "/jolokia/"}
	for name, looks := range map[string][]int64{"seen before": {4000, 5000}, "not seen before": {4000}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tracker := newTracker(2 * time.Second)
			w := worker{"p", []request{{start: 0, end: 10, path: "/a"}, slow, next}}
			for _, at := range looks {
				require.Empty(t, tracker.Requests(look(at, 0, w)))
			}
			leftover := look(6605, 0, w)
			row := &leftover.Processors[0]
			row.Stage, row.ElapsedMs, row.Path, row.Method, row.Thread = jvm.StageEndOutput, 2505, slow.path, "GET", "p-thread"
			records := tracker.Requests(leftover)
			require.Len(t, records, 1)
			assert.Equal(t, int64(2500), records[0].Elapsed.Ms)
			for _, at := range []int64{7500, 8500, 9500, 10_500} {
				for _, rec := range tracker.Requests(look(at, 0, w)) {
					assert.NotEqual(t, slow.path, rec.Path, "%+v", rec.Elapsed)
				}
			}
		})
	}
}

func TestTheAgentsOwnRequestsAreLeftOut(t *testing.T) {
	t.Parallel()
	tracker := newTracker(3 * time.Second)
	own := worker{"p", []request{{start: 0, end: 9000, path: "/jolokia/"}}}
	for at := int64(100); at < 12_000; at += 1000 {
		assert.Empty(t, tracker.Requests(look(at, 0, own)))
		assert.Empty(t, tracker.Active(epoch()))
	}
}

// TestOwnRequestsThatNoLookShowed: a look that took long is known by the row that showed it, and
// another request to the agent by how long we waited; what is left is the application's.
func TestOwnRequestsThatNoLookShowed(t *testing.T) {
	t.Parallel()
	agent := worker{"p", []request{{start: 1000, end: 5000, path: "/jolokia/"}, {start: 5010, end: 8600, path: "/jolokia/"}, {start: 9000, end: 9100, path: "/jolokia/"}}}
	shop := worker{"q", []request{{start: 10, end: 20, path: "/a"}, {start: 5050, end: 8550, path: "/b"}}}
	for name, c := range map[string]struct {
		others []time.Duration
		want   []int64
	}{
		"a poll":                  {[]time.Duration{3610 * time.Millisecond}, []int64{3500}},
		"answered before its end": {[]time.Duration{20 * time.Millisecond, 2900 * time.Millisecond}, []int64{3590}},
		"quick ones":              {[]time.Duration{20 * time.Millisecond, 30 * time.Millisecond}, []int64{3590, 3500}},
		"two":                     {[]time.Duration{3610 * time.Millisecond, 3700 * time.Millisecond}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tracker := newTracker(3 * time.Second)
			require.Empty(t, tracker.Requests(look(1001, 0, agent, shop)), "the look itself takes four seconds")
			r := look(9001, 0, agent, shop)
			r.Others = c.others
			var got []int64
			for _, rec := range tracker.Requests(r) {
				got = append(got, rec.Elapsed.Ms)
				assert.Empty(t, rec.Path)
			}
			assert.ElementsMatch(t, c.want, got)
			assert.Empty(t, tracker.Requests(look(9500, 0, agent, shop)))
		})
	}
}

func TestARestartLosesThoseInFlight(t *testing.T) {
	t.Parallel()
	tracker := newTracker(3 * time.Second)
	long := worker{"p", []request{{start: 0, end: 90_000, path: "/x"}}}
	require.Empty(t, tracker.Requests(look(1000, 0, long)))
	require.Empty(t, tracker.Requests(look(4000, 0, long)))
	after := look(6000, 0, worker{"p", nil})
	after.StartMs = jvm.Some[int64](5000)
	records := tracker.Requests(after)
	require.Len(t, records, 1)
	assert.Equal(t, tx.StateLost, records[0].State)
	assert.Equal(t, int64(4000), records[0].Elapsed.Ms)
	assert.Contains(t, records[0].Notes, "its end was not seen: the JVM was restarted")
}

// TestARestartedJVMHasOtherThreads: what one of the old JVM had used up says nothing of its
// namesake.
func TestARestartedJVMHasOtherThreads(t *testing.T) {
	t.Parallel()
	tracker := newTracker(3 * time.Second)
	w := worker{"p", []request{{start: 4200, end: 8200, path: "/x"}}}
	usedMs := map[int64]int64{4000: 50, 5000: 1050, 6000: 1060, 7000: 1070, 8000: 1080, 9000: 1090}
	var records []*tx.Record
	for at := int64(4000); at <= 9000; at += 1000 {
		th := &jvm.Thread{ID: 9, Name: "p-thread", State: jvm.Runnable, CPUNs: jvm.Some(usedMs[at] * 1e6), Stack: stack("sun.nio.ch.Net.poll! org.postgresql.core.PGStream.receiveChar" + servlet)}
		r := look(at, 0, w)
		r.Workers = map[string]jvm.Used{"p-thread": used(th)}
		if at > 4000 {
			r.StartMs = jvm.Some[int64](4100)
		}
		records = append(records, tracker.Requests(r)...)
		for _, wanted := range tracker.InFlight(r.Received) {
			tracker.Sample(wanted.Key, r.Received, th, th)
		}
	}
	require.Len(t, records, 1)
	for _, c := range records[0].Classes {
		if c.Class == tx.ClassCPU {
			assert.Less(t, c.Ms, int64(100))
		}
	}
}

// TestWhatWasInFlightWhenTheJVMFellSilent: behind a JVM that is stuck requests go on; those of
// one that is dead were no older than at the last look.
func TestWhatWasInFlightWhenTheJVMFellSilent(t *testing.T) {
	t.Parallel()
	for dead, want := range map[bool]int{true: 1, false: 2} {
		tracker := newTracker(3 * time.Second)
		require.Empty(t, tracker.Requests(look(4000, 0, worker{"p", []request{{start: 500, end: 90_000, path: "/old"}}}, worker{"q", []request{{start: 3900, end: 90_000, path: "/young"}}})))
		records := tracker.Gone(epoch().Add(9*time.Second), dead)
		require.Len(t, records, want, "dead: %v", dead)
		assert.Equal(t, "/old", records[0].Path)
		assert.Equal(t, tx.StateLost, records[0].State)
		assert.Empty(t, tracker.Gone(epoch().Add(10*time.Second), dead), "once")
	}
}

func TestAVanishedWorkerLosesItsRequest(t *testing.T) {
	t.Parallel()
	tracker := newTracker(3 * time.Second)
	long := worker{"p", []request{{start: 0, end: 90_000, path: "/x"}}}
	require.Empty(t, tracker.Requests(look(1000, 0, long)))
	require.Empty(t, tracker.Requests(look(4000, 0, long)))
	records := tracker.Requests(look(5000, 0))
	require.Len(t, records, 1)
	assert.Equal(t, tx.StateLost, records[0].State)
}

func TestResetCountersEndNothing(t *testing.T) {
	t.Parallel()
	tracker := newTracker(3 * time.Second)
	w := worker{"p", []request{{start: 0, end: 10, path: "/a"}, {start: 20, end: 6000, path: "/b"}}}
	require.Empty(t, tracker.Requests(look(1000, 0, w)))
	for at := int64(2000); at < 6000; at += 1000 {
		r := look(at, 0, w)
		r.Processors[0].Count, r.Processors[0].ProcessingMs = 0, 0
		require.Empty(t, tracker.Requests(r))
	}
	r := look(7000, 0, w)
	r.Processors[0].Count, r.Processors[0].ProcessingMs = 1, 5980
	records := tracker.Requests(r)
	require.Len(t, records, 1)
	assert.Equal(t, tx.Elapsed{Ms: 5980, MinMs: 5980, MaxMs: 5980, Certainty: tx.Exact}, records[0].Elapsed)
	assert.Equal(t, "/b", records[0].Path)
}

// TestAsynchronous: a request that left its thread has the stage of an ended one and
// no age, but a path.
func TestAsynchronous(t *testing.T) {
	t.Parallel()
	tracker := newTracker(3 * time.Second)
	row := jvm.RequestProcessor{Name: "p", Stage: jvm.StageEnded, Path: "/async"}
	at := func(ms int64, row jvm.RequestProcessor) []*tx.Record {
		r := look(ms, 0)
		r.Processors = []jvm.RequestProcessor{row}
		return tracker.Requests(r)
	}
	require.Empty(t, at(1000, row))
	require.Empty(t, at(2000, row))
	active := tracker.Active(epoch().Add(4 * time.Second))
	require.Len(t, active, 1)
	assert.True(t, active[0].Async)
	assert.Equal(t, tx.ClassAsync, active[0].Class)
	assert.Empty(t, tracker.InFlight(epoch().Add(4*time.Second)), "no thread to look at")
	require.Empty(t, at(4000, row))
	records := at(5000, jvm.RequestProcessor{Name: "p", Stage: jvm.StageEnded, Count: 1, ProcessingMs: 4200})
	require.Len(t, records, 1)
	assert.Equal(t, int64(4200), records[0].Elapsed.Ms)
	assert.Equal(t, tx.Exact, records[0].Elapsed.Certainty)
	assert.Equal(t, []tx.ClassTime{{Class: tx.ClassAsync, Ms: 4200, ErrorMs: records[0].Classes[0].ErrorMs}}, records[0].Classes)
	assert.Equal(t, []tx.Segment{{FromMs: 0, ToMs: 4200, Class: tx.ClassAsync}}, records[0].Segments)
}

// TestLeavesItsThread: what a stack showed lasts no longer than until a request left the
// thread.
func TestLeavesItsThread(t *testing.T) {
	t.Parallel()
	tracker := newTracker(3 * time.Second)
	at := func(ms int64, row jvm.RequestProcessor) []*tx.Record {
		r := look(ms, 0)
		r.Processors = []jvm.RequestProcessor{row}
		return tracker.Requests(r)
	}
	on := jvm.RequestProcessor{Name: "p", Stage: jvm.StageService, Path: "/async", Thread: "exec-1", ElapsedMs: 500}
	require.Empty(t, at(1000, on))
	th := &jvm.Thread{ID: 7, Name: "exec-1", State: jvm.TimedWaiting, Stack: []jvm.Frame{{Class: "java.lang.Thread", Method: "sleep"}, {Class: "shop.Orders", Method: "find"}}}
	tracker.Sample(tracker.InFlight(epoch().Add(time.Second))[0].Key, epoch().Add(time.Second), th, th)
	require.Empty(t, at(2000, jvm.RequestProcessor{Name: "p", Stage: jvm.StageEnded, Path: "/async"}))
	records := at(5000, jvm.RequestProcessor{Name: "p", Stage: jvm.StageEnded, Count: 1, ProcessingMs: 4200})
	require.Len(t, records, 1)
	assert.Equal(t, []tx.Segment{
		{FromMs: 0, ToMs: 1000, Class: tx.ClassWait, Frame: "shop.Orders.find"},
		{FromMs: 1000, ToMs: 4200, Class: tx.ClassAsync},
	}, records[0].Segments)
	assert.Equal(t, int64(1000), records[0].Stacks.Ms)
	assert.Equal(t, "exec-1", records[0].Thread, "it began there")
	assert.Equal(t, int64(7), records[0].ThreadID)
}

// TestAnAsynchronousOneMayBeOlderThanItsFirstSight: nothing tells its age, and where the
// processor ended others since, nothing its exact duration.
func TestAnAsynchronousOneMayBeOlderThanItsFirstSight(t *testing.T) {
	t.Parallel()
	tracker := newTracker(3 * time.Second)
	at := func(ms int64, row jvm.RequestProcessor) []*tx.Record {
		row.Name, row.Stage = "p", jvm.StageEnded
		r := look(ms, 0)
		r.Processors = []jvm.RequestProcessor{row}
		return tracker.Requests(r)
	}
	require.Empty(t, at(0, jvm.RequestProcessor{}))
	for ms := int64(1000); ms <= 3000; ms += 1000 { // it began at 100
		require.Empty(t, at(ms, jvm.RequestProcessor{Path: "/async"}))
	}
	records := at(3900, jvm.RequestProcessor{Count: 3, ProcessingMs: 3400, LastMs: 50})
	require.Len(t, records, 1)
	assert.Equal(t, "/async", records[0].Path)
	assert.GreaterOrEqual(t, records[0].Elapsed.MaxMs, int64(3134))
	assert.LessOrEqual(t, records[0].Elapsed.MinMs, int64(3134))
}

// TestImpossibleAges: Tomcat before 8.5.6 tells the time since 1970 at times.
func TestImpossibleAges(t *testing.T) {
	t.Parallel()
	tracker := newTracker(3 * time.Second)
	r := look(1000, 0, worker{"p", []request{{start: 900, end: 9000, path: "/x"}}})
	r.Processors[0].ElapsedMs = 1_700_000_000_000
	require.Empty(t, tracker.Requests(r))
	assert.Equal(t, int64(0), tracker.Active(r.Received)[0].ElapsedMs)
}

func TestThresholdsOfRoutes(t *testing.T) {
	t.Parallel()
	th := tx.NewThresholds(3*time.Second, tx.RouteThreshold{Pattern: "/report/*", Threshold: time.Minute}, tx.RouteThreshold{Pattern: "/report/quick", Threshold: time.Second})
	assert.Equal(t, 3*time.Second, th.Of("/order", "/order"))
	assert.Equal(t, time.Minute, th.Of("/report/{id}", "/report/7"))
	assert.Equal(t, time.Second, th.Of("/report/quick", "/report/quick"))
	assert.Equal(t, time.Second, th.Least())
	assert.Equal(t, 1900*time.Millisecond, tx.CandidateAfter(3*time.Second, time.Second, 100*time.Millisecond))
}

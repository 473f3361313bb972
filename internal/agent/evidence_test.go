package agent_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/agent"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// leaking is a JVM whose old region fills by a hundredth a poll; its timer holds
// finalizable statements, and nothing is pending.
func leaking() *fakeClient {
	share := 0.0
	return &fakeClient{
		poll: func(context.Context) (*jvm.Snapshot, error) {
			share = min(1, share+0.01)
			s := filled(share)
			s.Memory.PendingFinalizers = jvm.Some[int64](0)
			s.Memory.Heap.Used = jvm.Some(int64(share * 1e9))
			return s, nil
		},
		histogram: func(context.Context) (*jvm.ClassHistogram, error) {
			return &jvm.ClassHistogram{Time: time.Now(), Took: 100 * time.Millisecond, Bytes: 1e9, Classes: []jvm.ClassUsage{
				{Class: "a.Statement", Objects: 30_000}, {Class: "java.lang.ref.Finalizer", Objects: 30_001},
				{Class: "a.Statement$1", Objects: 30_000}, {Class: "java.util.TimerTask[]", Objects: 1, Bytes: 131_088},
			}}, nil
		},
	}
}

// runEvidence runs an agent over one JVM for so many polls a second apart.
func runEvidence(t *testing.T, polls int, opts agent.EvidenceOptions, c agent.Client) (*agent.Agent, *sink) {
	t.Helper()
	s := &sink{}
	a := agent.New(agent.Options{Interval: time.Second, SlowInterval: time.Minute, Evidence: opts, Sink: s, Logger: slog.New(slog.DiscardHandler),
		Watched: []agent.Watched{{Target: jvm.Target{Job: "test", Instance: "a:1"}, Client: c}}})
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(polls)*time.Second-time.Millisecond)
	defer cancel()
	require.NoError(t, a.Run(ctx))
	return a, s
}

// TestEvidenceIsTakenOnTheWayUp: at the OutOfMemoryError it would be too late.
func TestEvidenceIsTakenOnTheWayUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "evidence")
		a, s := runEvidence(t, 200, agent.EvidenceOptions{Directory: dir, MaxPause: time.Second}, leaking())
		list := a.Evidence()["test/a:1"]
		var reasons []string
		for _, r := range list {
			reasons = append(reasons, r.Reason)
		}
		assert.Equal(t, []string{"the old region is 50 % full after a collection", "the old region is 75 % full after a collection",
			"the old region is 85 % full after a collection", "the old region is 95 % full after a collection"}, reasons, "at most one a minute below three quarters")
		require.NotNil(t, list[0].Pending)
		assert.Zero(t, *list[0].Pending, "pending alone shows nothing")
		assert.Equal(t, int64(30_001), list[0].Finalizers)
		assert.Contains(t, list[0].Suspicion, "a.Statement in its queue (java.util.TimerTask[])")
		assert.Equal(t, []float64{30_001, 30_001, 30_001, 30_001}, s.values("apm_scheduler_held_finalizers", "a:1"))

		again, _ := runEvidence(t, 2, agent.EvidenceOptions{Directory: dir}, &fakeClient{})
		assert.Len(t, again.Evidence()["test/a:1"], len(list), "it outlives the sidecar")

		files := filesIn(t, dir)
		require.Len(t, files, 1)
		kept := filepath.Join(dir, files[0])
		require.NoError(t, os.Rename(kept, filepath.Join(dir, "test-a_1.json")))
		again, _ = runEvidence(t, 2, agent.EvidenceOptions{Directory: dir}, &fakeClient{})
		assert.Len(t, again.Evidence()["test/a:1"], len(list), "and its earlier builds' name")

		require.NoError(t, os.Rename(filepath.Join(dir, "test-a_1.json"), kept))
		require.NoError(t, os.WriteFile(kept, []byte("{"), 0o600))
		again, _ = runEvidence(t, 2, agent.EvidenceOptions{Directory: dir}, &fakeClient{})
		assert.Empty(t, again.Evidence(), "damage is no obstacle")
	})
}

// TestEvidenceIsOfOneMoment: what waited for the Finalizer thread a while ago is no evidence where
// nothing waits any more, and what waits now is asked for now.
func TestEvidenceIsOfOneMoment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := leaking()
		before, waiting := c.poll, int64(0)
		polls := 0
		c.poll = func(ctx context.Context) (*jvm.Snapshot, error) {
			s, err := before(ctx)
			polls++
			if waiting = int64(20_000 + polls); polls >= 45 && polls < 60 {
				waiting = 0
			}
			s.Memory.PendingFinalizers = jvm.Some(waiting)
			return s, err
		}
		c.queue = func(context.Context) (*jvm.FinalizerQueue, error) {
			return &jvm.FinalizerQueue{Classes: []jvm.ClassCount{{Class: "a.Statement", Count: waiting}}}, nil
		}
		a, _ := runEvidence(t, 120, agent.EvidenceOptions{}, c)
		list := a.Evidence()["test/a:1"]
		require.GreaterOrEqual(t, len(list), 2)
		assert.Empty(t, list[0].Queue, "at half of the old region nothing waits")
		assert.Equal(t, *list[1].Pending, list[1].Queue[0].Count)
	})
}

// TestTheLogCountsNoFinalizersThatNobodyCounted: without a histogram there is no number, and 0 is one.
func TestTheLogCountsNoFinalizersThatNobodyCounted(t *testing.T) {
	t.Parallel()
	f := func(maxPause time.Duration, want, without string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			var log strings.Builder
			a := agent.New(agent.Options{Interval: time.Second, SlowInterval: time.Minute, Evidence: agent.EvidenceOptions{MaxPause: maxPause}, Sink: &sink{},
				Logger:  slog.New(slog.NewTextHandler(&log, nil)),
				Watched: []agent.Watched{{Target: jvm.Target{Job: "test", Instance: "a:1"}, Client: leaking()}}})
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Second)
			defer cancel()
			require.NoError(t, a.Run(ctx))
			assert.Contains(t, log.String(), want)
			assert.NotContains(t, log.String(), without)
		})
	}
	f(time.Second, "finalizers=30001 suspicion=", "no_histogram")
	f(0, `no_histogram="it would stop the JVM for about`, "finalizers=")
}

// TestGarbageOfG1IsNoEvidence: its young collections leave garbage in the old region, which
// piles up to half of it and is emptied, again and again. A histogram stops the JVM.
func TestGarbageOfG1IsNoEvidence(t *testing.T) {
	t.Parallel()
	f := func(name string, share func(poll int) float64, want []string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				polls := 0
				c := &fakeClient{poll: func(context.Context) (*jvm.Snapshot, error) {
					polls++
					return ofG1(share(polls)), nil
				}}
				a, _ := runEvidence(t, 300, agent.EvidenceOptions{}, c)
				var reasons []string
				for _, r := range a.Evidence()["test/a:1"] {
					reasons = append(reasons, r.Reason)
				}
				assert.Equal(t, want, reasons)
			})
		})
	}
	f("in health", func(poll int) float64 { return 0.2 + 0.01*float64(poll%38) }, nil)
	f("with a leak", func(poll int) float64 { return min(0.7, 0.01*float64(poll)) },
		[]string{"the old region is 60 % full after a collection", "the old region is 70 % full after a collection"})
}

// ofG1 is a snapshot whose last young collection left the given share of the old region in use.
func ofG1(share float64) *jvm.Snapshot {
	s := healthy()
	s.Pools = []jvm.Pool{{Name: "G1 Old Gen", Heap: true, Kind: jvm.PoolOld, Usage: jvm.Usage{Max: jvm.Some[int64](1000)}}}
	s.GCs = []jvm.GC{{Name: jvm.G1Young, Generation: jvm.GenerationYoung, Last: &jvm.LastGC{
		EndMs: jvm.Some[int64](1), Pools: []jvm.PoolChange{{Pool: "G1 Old Gen", AfterBytes: int64(share * 1000)}}}}}
	return s
}

// TestEvidenceBeforeTheFirstCollection of the old region, which may be the last. What
// is registered is asked anew for each record.
func TestEvidenceBeforeTheFirstCollection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		used, asked := int64(0), 0
		c := &fakeClient{
			poll: func(context.Context) (*jvm.Snapshot, error) {
				used++
				s := filled(0)
				s.Pools[0].AfterGC = nil
				s.Pools[0].Usage = jvm.Usage{Used: jvm.Some(used), Max: jvm.Some[int64](100)}
				return s, nil
			},
			registered: func(context.Context) (*jvm.RegisteredFinalizers, error) {
				asked++
				return &jvm.RegisteredFinalizers{Classes: []jvm.RegisteredClass{{Class: "a.Statement", Objects: used}}}, nil
			},
		}
		a, s := runEvidence(t, 100, agent.EvidenceOptions{MaxPause: time.Second}, c)
		list := a.Evidence()["test/a:1"]
		require.Len(t, list, 1, "once")
		assert.Equal(t, "the old region is 75 % full and has not been collected yet", list[0].Reason)
		assert.Equal(t, []jvm.RegisteredClass{{Class: "a.Statement", Objects: 75}}, list[0].Registered)
		assert.Equal(t, 2, asked, "once at its own pace, once for the record")
		assert.Contains(t, s.values("jvm_finalizers_registered_objects", "a:1"), 75.0)
	})
}

// TestAHistogramThatCostsTooMuchIsNotTaken, and the record says so.
func TestAHistogramThatCostsTooMuchIsNotTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := leaking()
		c.histogram = nil
		a, _ := runEvidence(t, 60, agent.EvidenceOptions{MaxPause: 100 * time.Millisecond}, c)
		list := a.Evidence()["test/a:1"]
		require.Len(t, list, 1)
		assert.Empty(t, list[0].Histogram)
		assert.Contains(t, list[0].HistogramNote, "it would stop the JVM for about 200ms")
	})
}

// TestAStuckFinalizerIsEvidence, once until it goes on.
func TestAStuckFinalizerIsEvidence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pending := int64(200)
		c := &fakeClient{
			poll: func(context.Context) (*jvm.Snapshot, error) {
				s := healthy()
				pending++
				s.Memory = &jvm.Memory{PendingFinalizers: jvm.Some(pending)}
				return s, nil
			},
			finalizer: func(context.Context) (*jvm.FinalizerThread, error) {
				return &jvm.FinalizerThread{Time: time.Now(), Owner: &jvm.Thread{Name: "http-1", Stack: []jvm.Frame{{Class: "java.net.Socket", Method: "read"}}},
					Thread: jvm.Thread{ID: 3, Name: "Finalizer", State: "BLOCKED", Lock: "a.Conn@7f",
						Stack: []jvm.Frame{{Class: "a.Conn", Method: "close", Line: 7}, {Class: "a.Conn", Method: "finalize"}}}}, nil
			},
			queue: func(context.Context) (*jvm.FinalizerQueue, error) {
				return &jvm.FinalizerQueue{Classes: []jvm.ClassCount{{Class: "a.Conn", Count: 200}}}, nil
			},
		}
		a, s := runEvidence(t, 600, agent.EvidenceOptions{}, c)
		list := a.Evidence()["test/a:1"]
		require.Len(t, list, 1)
		assert.Equal(t, "the Finalizer thread stands still in a.Conn.finalize", list[0].Reason)
		assert.Equal(t, []string{"a.Conn.close:7", "a.Conn.finalize"}, list[0].Thread.Stack)
		assert.Equal(t, "http-1", list[0].Thread.Owner)
		assert.Equal(t, []string{"java.net.Socket.read"}, list[0].Thread.OwnerStack)
		assert.Equal(t, []jvm.ClassCount{{Class: "a.Conn", Count: 200}}, list[0].Queue)
		assert.GreaterOrEqual(t, s.values("jvm_finalizer_thread_stuck_seconds", "a:1")[59], 580.0)
	})
}

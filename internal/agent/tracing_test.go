package agent_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/agent"
	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
	"github.com/apm-sidecar/apm-sidecar/internal/tx"
	"github.com/apm-sidecar/apm-sidecar/internal/tx/ring"
)

// fakeRequests is a server with one worker, thread 7, under a test's control.
type fakeRequests struct {
	row func() jvm.RequestProcessor
	// after is the row once stacks were taken, where that is another one.
	after  func() jvm.RequestProcessor
	thread func() jvm.Thread
	// costNs is what each look costs the JVM.
	costNs int64
	// registers is what tells an idle Tomcat from a server without processors.
	registers bool
	stacks    int
	err       error
}

func (f *fakeRequests) Requests(_ context.Context, workers map[string]int64) (*jvm.Requests, error) {
	if f.err != nil {
		return nil, f.err
	}
	r := &jvm.Requests{Sent: time.Now(), Received: time.Now(), StartMs: jvm.Some[int64](1), PauseMs: jvm.Some[int64](0), CPUNs: jvm.Some(f.costNs), Registers: f.registers}
	r.Workers = map[string]jvm.Used{}
	for name := range workers {
		r.Workers[name] = jvm.Used{CPUNs: f.thread().CPUNs}
	}
	if f.row != nil {
		r.Processors = []jvm.RequestProcessor{f.row()}
	}
	return r, nil
}

func (f *fakeRequests) ThreadIDs(context.Context) ([]int64, error) { return []int64{1, 7}, nil }

func (f *fakeRequests) Threads(_ context.Context, states, stacks []int64, _ int, processors ...string) (*jmx.ThreadLook, error) {
	f.stacks += len(stacks)
	look := &jmx.ThreadLook{
		At: time.Now(), States: map[int64]*jvm.Thread{}, Stacks: map[int64]*jvm.Thread{},
		Processors: map[string]jvm.RequestProcessor{}, CPUNs: jvm.Some(f.costNs),
	}
	for _, name := range processors {
		look.Processors[name] = f.row()
		if f.after != nil {
			look.Processors[name] = f.after()
		}
	}
	for _, id := range append(append([]int64{}, states...), stacks...) {
		look.States[id] = &jvm.Thread{ID: id, Name: "other"}
		if id == 7 && f.thread != nil {
			th := f.thread()
			th.Stack = nil
			look.States[id] = &th
		}
	}
	for _, id := range stacks {
		if id == 7 && f.thread != nil {
			th := f.thread()
			look.Stacks[id] = &th
		}
	}
	return look, nil
}

// tracing keeps records in a folder of the test.
func tracing(t *testing.T, interval time.Duration) *agent.TracingOptions {
	t.Helper()
	records, err := ring.Open(ring.Options{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, records.Close()) })
	return &agent.TracingOptions{Interval: interval, Thresholds: tx.NewThresholds(3 * time.Second), Records: records}
}

// waiting is thread 7 in a call of the database driver.
func waiting() jvm.Thread {
	return jvm.Thread{
		ID: 7, Name: "http-nio-1-exec-1", State: jvm.Runnable, CPUNs: jvm.Some[int64](5e6),
		Stack: []jvm.Frame{
			{Class: "sun.nio.ch.Net", Method: "poll", Native: true}, {Class: "org.postgresql.core.PGStream", Method: "receiveChar"},
			{Class: "shop.Orders", Method: "find", File: "Orders.java", Line: 12}, {Class: "javax.servlet.http.HttpServlet", Method: "service"},
		},
	}
}

// oneSlow is a worker whose first request takes 5 s from the given time on.
func oneSlow(from time.Time) func() jvm.RequestProcessor {
	return func() jvm.RequestProcessor {
		row := jvm.RequestProcessor{Name: "p", Connector: "http-nio-1", Stage: jvm.StageEnded}
		switch age := time.Since(from); {
		case age >= 5*time.Second:
			row.Count, row.ProcessingMs = 1, 5000
		case age >= 0:
			row.Stage, row.ElapsedMs = jvm.StageService, age.Milliseconds()
			row.Path, row.Method, row.Thread = "/orders/12345", "GET", "http-nio-1-exec-1"
		}
		return row
	}
}

func TestASlowTransactionIsPutOnRecord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeRequests{row: oneSlow(time.Now().Add(300 * time.Millisecond)), thread: waiting}
		s := &sink{}
		a := agent.New(agent.Options{
			Interval: time.Second, Sink: s, Logger: slog.New(slog.DiscardHandler), Tracing: tracing(t, time.Second),
			Watched: []agent.Watched{{Target: jvm.Target{Job: "shop", Instance: "a:1"}, Client: &fakeClient{}, Requests: f}},
		})
		ctx, cancel := context.WithTimeout(t.Context(), 8500*time.Millisecond)
		defer cancel()
		board := make(chan *tx.Board, 1)
		time.AfterFunc(4400*time.Millisecond, func() { board <- a.Transactions().Active(time.Now(), "") })
		require.NoError(t, a.Run(ctx))

		b := <-board
		require.Len(t, b.Transactions, 1)
		row := b.Transactions[0]
		assert.Equal(t, tx.ClassSQL, row.Class)
		assert.Equal(t, "shop.Orders.find", row.Frame)
		assert.InDelta(t, 4100, row.ElapsedMs, 2)
		assert.InDelta(t, 3400, row.StuckMs, 2, "since the first look at its thread")
		assert.True(t, row.Slow)
		assert.Equal(t, tx.BucketCount{Bucket: "3-8", Count: 1, Classes: []tx.ClassCount{{Class: tx.ClassSQL, Count: 1}}}, b.Buckets[2])
		assert.Equal(t, "following", b.Targets[0].State)

		found, total := a.Transactions().List(ring.Query{})
		require.Equal(t, 1, total)
		rec, err := a.Transactions().Record(found[0].ID, time.Now())
		require.NoError(t, err)
		assert.Equal(t, tx.Elapsed{Ms: 5000, MinMs: 5000, MaxMs: 5000, Certainty: tx.Exact}, rec.Elapsed)
		assert.Equal(t, "/orders/{id}", rec.Route)
		assert.Equal(t, tx.StateFinished, rec.State)
		require.Len(t, rec.Classes, 1)
		assert.Equal(t, tx.ClassTime{Class: tx.ClassSQL, Ms: 5000, ErrorMs: rec.Classes[0].ErrorMs}, rec.Classes[0])
		assert.Equal(t, 5, rec.Samples)
		assert.Equal(t, 4, rec.SamplesSpared, "the thread did not run")
		assert.Equal(t, 1, f.stacks)

		assert.Contains(t, s.values(series.NameSlow, "a:1"), 1.0)
		assertCatalogued(t, s)
	})
}

// restarting is a server that is restarted at a time: its worker is thread 8 then, and thread 7
// another one.
type restarting struct {
	fakeRequests
	at      time.Time
	strange int
}

func (f *restarting) Requests(ctx context.Context, workers map[string]int64) (*jvm.Requests, error) {
	r, err := f.fakeRequests.Requests(ctx, workers)
	if time.Now().After(f.at) {
		r.StartMs = jvm.Some[int64](2)
	}
	return r, err
}

func (f *restarting) ThreadIDs(context.Context) ([]int64, error) { return []int64{1, 7, 8}, nil }

func (f *restarting) Threads(ctx context.Context, states, stacks []int64, depth int, processors ...string) (*jmx.ThreadLook, error) {
	if time.Now().Before(f.at) {
		return f.fakeRequests.Threads(ctx, states, stacks, depth, processors...)
	}
	if slices.Contains(stacks, 7) {
		f.strange++
	}
	swap := func(ids []int64) (out []int64) {
		for _, id := range ids {
			out = append(out, map[int64]int64{7: 8, 8: 7}[id])
		}
		return out
	}
	look, err := f.fakeRequests.Threads(ctx, swap(states), swap(stacks), depth, processors...)
	for _, of := range []map[int64]*jvm.Thread{look.States, look.Stacks} {
		of[7], of[8] = of[8], of[7]
		maps.DeleteFunc(of, func(_ int64, th *jvm.Thread) bool { return th == nil })
	}
	return look, err
}

// TestARestartedJVMHasThreadsOfOtherNumbers: nobody looks at the old one's.
func TestARestartedJVMHasThreadsOfOtherNumbers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &restarting{at: time.Now().Add(7500 * time.Millisecond)}
		f.thread = waiting
		before, after := oneSlow(time.Now()), oneSlow(f.at.Add(time.Second))
		f.row = func() jvm.RequestProcessor {
			if time.Now().Before(f.at) {
				return before()
			}
			return after()
		}
		a := agent.New(agent.Options{
			Interval: time.Second, Sink: &sink{}, Logger: slog.New(slog.DiscardHandler), Tracing: tracing(t, time.Second),
			Watched: []agent.Watched{{Target: jvm.Target{Job: "shop", Instance: "a:1"}, Client: &fakeClient{}, Requests: f}},
		})
		ctx, cancel := context.WithTimeout(t.Context(), 18*time.Second)
		defer cancel()
		require.NoError(t, a.Run(ctx))
		_, total := a.Transactions().List(ring.Query{})
		assert.Equal(t, 2, total)
		assert.Zero(t, f.strange)
	})
}

// What the sink does not take is counted, whoever made it.
func TestSamplesOfTransactionsThatAreRefusedAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &sink{err: errors.New("disk full")}
		a := agent.New(agent.Options{
			Interval: time.Second, Sink: s, Logger: slog.New(slog.DiscardHandler), Tracing: tracing(t, time.Second),
			Watched: []agent.Watched{{
				Target: jvm.Target{Job: "shop", Instance: "a:1"}, Client: &fakeClient{},
				Requests: &fakeRequests{row: oneSlow(time.Now()), thread: waiting},
			}},
		})
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		require.NoError(t, a.Run(ctx))
		require.NotEmpty(t, s.values(series.NameInFlightMax, "a:1"))
		var text strings.Builder
		a.WriteMetrics(&text)
		assert.Contains(t, text.String(), fmt.Sprintf("apm_sidecar_samples_lost_total{job=\"shop\",instance=\"a:1\"} %d\n", len(s.samples)))
	})
}

// TestAnIdleTomcatShowsAll: it has no request processor before its first request, and nothing
// hidden for all that.
func TestAnIdleTomcatShowsAll(t *testing.T) {
	t.Parallel()
	for registers, notes := range map[bool]int{true: 0, false: 1} {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeRequests{registers: registers}
			a := agent.New(agent.Options{
				Interval: time.Second, Sink: &sink{}, Logger: slog.New(slog.DiscardHandler), Tracing: tracing(t, time.Second),
				Watched: []agent.Watched{{Target: jvm.Target{Job: "shop", Instance: "a:1"}, Client: &fakeClient{}, Requests: f}},
			})
			ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
			defer cancel()
			board := make(chan *tx.Board, 1)
			time.AfterFunc(2*time.Second, func() { board <- a.Transactions().Active(time.Now(), "") })
			require.NoError(t, a.Run(ctx))
			said := (<-board).Targets[0].Notes
			assert.Len(t, said, notes, "registers: %v", registers)
			if !registers {
				assert.Contains(t, said[0], "no request was seen yet")
			}
		})
	}
}

// TestAThreadOfAnyNameIsFound: a server's pool may be called anything.
func TestAThreadOfAnyNameIsFound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		f := &fakeRequests{thread: func() jvm.Thread {
			th := waiting()
			th.Name, th.CPUNs = "front desk 1", jvm.Some(int64(min(time.Since(began), 6*time.Second))) // stands still, then
			return th
		}}
		a := agent.New(agent.Options{
			Interval: time.Second, Sink: &sink{}, Logger: slog.New(slog.DiscardHandler), Tracing: tracing(t, time.Second),
			Watched: []agent.Watched{{Target: jvm.Target{Job: "shop", Instance: "a:1"}, Client: &fakeClient{}, Requests: f}},
		})
		ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
		defer cancel()
		board := make(chan *tx.Board, 1)
		time.AfterFunc(11*time.Second, func() { board <- a.Transactions().Active(time.Now(), "") })
		require.NoError(t, a.Run(ctx))
		b := <-board
		require.Len(t, b.Transactions, 1)
		assert.Equal(t, "front desk 1", b.Transactions[0].Thread)
		assert.Contains(t, b.Targets[0].Notes[0], "others are estimated from the stacks of their threads")
	})
}

// idlers are threads of no server that run all the time.
type idlers struct {
	crowd
	// most are the most stacks asked for at once, in the first minute and later.
	most [2]int
}

func (c *idlers) Requests(context.Context, map[string]int64) (*jvm.Requests, error) {
	return &jvm.Requests{Sent: time.Now(), Received: time.Now(), StartMs: jvm.Some[int64](1)}, nil
}

func (c *idlers) Threads(ctx context.Context, states, stacks []int64, depth int, processors ...string) (*jmx.ThreadLook, error) {
	late := 0
	if time.Since(c.begin) > 62*time.Second {
		late = 1
	}
	c.most[late] = max(c.most[late], len(stacks))
	look, err := c.crowd.Threads(ctx, states, stacks, depth, processors...)
	for _, th := range slices.Concat(slices.Collect(maps.Values(look.States)), slices.Collect(maps.Values(look.Stacks))) {
		th.Name, th.Stack = strings.Repeat("w", int(th.ID-99)), nil
	}
	return look, err
}

// TestThreadsOfNoServerCostLittle: they are looked at by turns, for all that they may turn out to be.
func TestThreadsOfNoServerCostLittle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &idlers{crowd: crowd{begin: time.Now(), n: 30}}
		a := agent.New(agent.Options{
			Interval: time.Second, Sink: &sink{}, Logger: slog.New(slog.DiscardHandler), Tracing: tracing(t, time.Second),
			Watched: []agent.Watched{{Target: jvm.Target{Job: "shop", Instance: "a:1"}, Client: &fakeClient{}, Requests: c}},
		})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
		defer cancel()
		require.NoError(t, a.Run(ctx))
		assert.Equal(t, [2]int{4, 1}, c.most)
		seen := map[int64]bool{}
		for _, ids := range c.asked {
			for _, id := range ids {
				seen[id] = true
			}
		}
		assert.Len(t, seen, 30)
	})
}

// TestAStackOfAnotherRequestIsNone: the thread may have gone over to another request
// between the look at requests and that at stacks.
func TestAStackOfAnotherRequestIsNone(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*jvm.RequestProcessor){
		"it ended":              func(row *jvm.RequestProcessor) { row.Count++ },
		"it went on without":    func(row *jvm.RequestProcessor) { row.Stage, row.Thread = jvm.StageEnded, "" },
		"another thread has it": func(row *jvm.RequestProcessor) { row.Thread = "http-nio-1-exec-2" },
		"it is gone":            func(row *jvm.RequestProcessor) { *row = jvm.RequestProcessor{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fakeRequests{row: oneSlow(time.Now()), thread: waiting}
				f.after = func() jvm.RequestProcessor {
					row := f.row()
					change(&row)
					return row
				}
				a := agent.New(agent.Options{
					Interval: time.Second, Sink: &sink{}, Logger: slog.New(slog.DiscardHandler), Tracing: tracing(t, time.Second),
					Watched: []agent.Watched{{Target: jvm.Target{Job: "shop", Instance: "a:1"}, Client: &fakeClient{}, Requests: f}},
				})
				ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
				defer cancel()
				require.NoError(t, a.Run(ctx))
				assert.Positive(t, f.stacks)
				found, _ := a.Transactions().List(ring.Query{})
				require.Len(t, found, 1)
				rec, err := a.Transactions().Record(found[0].ID, time.Now())
				require.NoError(t, err)
				assert.Zero(t, rec.Samples)
			})
		})
	}
}

// assertCatalogued checks the names and labels of the samples of transactions.
func assertCatalogued(t *testing.T, s *sink) {
	t.Helper()
	want := map[string][]string{}
	for _, m := range series.Catalogue() {
		want[m.Name] = m.Labels
	}
	for _, sample := range s.samples {
		var own []string
		for _, l := range sample.Labels {
			if l.Name != "job" && l.Name != "instance" {
				own = append(own, l.Name)
			}
		}
		require.Contains(t, want, sample.Name)
		assert.Equal(t, want[sample.Name], own, sample.Name)
	}
}

func TestLooksAreRarerWhereTheyCostTooMuch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeRequests{costNs: 200e6, row: oneSlow(time.Now().Add(time.Hour)), thread: waiting}
		o := tracing(t, time.Second)
		a := agent.New(agent.Options{
			Interval: time.Second, Sink: &sink{}, Logger: slog.New(slog.DiscardHandler), Tracing: o,
			Watched: []agent.Watched{{Target: jvm.Target{Job: "shop", Instance: "a:1"}, Client: &fakeClient{}, Requests: f}},
		})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		require.NoError(t, a.Run(ctx))
		assert.Equal(t, "off", a.Transactions().Active(time.Now(), "").Targets[0].Sampling)
	})
}

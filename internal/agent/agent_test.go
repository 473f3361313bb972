package agent_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/apm-sidecar/apm-sidecar/internal/agent"
	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// bench runs an agent over fake JVMs in virtual time.
type bench struct {
	agent *agent.Agent
	sink  *sink
	log   bytes.Buffer
}

// runFor runs an agent over the clients, named a, b, c, ..., for the given
// virtual time and waits for its end. It must run inside synctest.Test.
func runFor(t *testing.T, d, interval time.Duration, clients ...agent.Client) *bench {
	t.Helper()
	b := &bench{sink: &sink{}}
	opts := agent.Options{Interval: interval, Sink: b.sink, Logger: slog.New(slog.NewTextHandler(&b.log, nil))}
	for i, c := range clients {
		opts.Watched = append(opts.Watched, agent.Watched{Target: jvm.Target{Job: "test", Instance: string(rune('a' + i))}, Client: c})
	}
	b.agent = agent.New(opts)
	require.Error(t, b.agent.Ready())
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	require.NoError(t, b.agent.Run(ctx))
	return b
}

// metric is the value of a self metric as written.
func (b *bench) metric(name string) string {
	var out bytes.Buffer
	b.agent.WriteMetrics(&out)
	for line := range strings.Lines(out.String()) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

func TestPollsEachTargetOncePerInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var moments []time.Duration
		second := &fakeClient{poll: func(context.Context) (*jvm.Snapshot, error) {
			moments = append(moments, time.Since(start))
			return healthy(), nil
		}}
		b := runFor(t, 34*time.Second, 10*time.Second, &fakeClient{}, second)
		assert.Equal(t, []float64{1, 1, 1, 1}, b.sink.values("up", "a"), "at 0, 10, 20 and 30 s")
		assert.Equal(t, []time.Duration{5 * time.Second, 15 * time.Second, 25 * time.Second}, moments, "spread over the interval")
		assert.Equal(t, []float64{3, 3, 3}, b.sink.values("jvm_threads_current", "b"))
		assert.NoError(t, b.agent.Ready())
		assert.Equal(t, "1", b.metric(`apm_sidecar_target_up{job="test",instance="a"}`))
	})
}

// TestOneHungTargetDelaysNoOther and is polled on as soon as it answers, with the
// moments it missed counted.
func TestOneHungTargetDelaysNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		running, most, polls := 0, 0, 0
		hung := &fakeClient{poll: func(ctx context.Context) (*jvm.Snapshot, error) {
			running++
			most = max(most, running)
			polls++
			defer func() { running-- }()
			timer := time.NewTimer(3500 * time.Millisecond)
			defer timer.Stop()
			select {
			case <-timer.C:
				return healthy(), nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}}
		b := runFor(t, 10400*time.Millisecond, time.Second, hung, &fakeClient{})
		assert.Len(t, b.sink.values("up", "b"), 10)
		assert.Equal(t, 1, most, "polls of one target never overlap")
		assert.Equal(t, 3, polls, "at 0, 4 and 8 s")
		assert.Equal(t, "8", b.metric(`apm_sidecar_poll_skipped_total{job="test",instance="a",reason="busy"}`), "1 to 3, 5 to 7, 9 and 10 s")
		assert.Equal(t, []float64{1, 1}, b.sink.values("up", "a"), "the poll cut by our own end is no failure")
	})
}

func TestADeadTargetSendsItsDeathAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := 0
		c := &fakeClient{poll: func(context.Context) (*jvm.Snapshot, error) {
			if n++; n > 2 && n < 6 {
				return nil, &jmx.Error{Reason: jmx.ReasonDial, Err: errors.New("connection refused")}
			}
			return healthy(), nil
		}}
		b := runFor(t, 6500*time.Millisecond, time.Second, c)
		assert.Equal(t, []float64{1, 1, 0, 0, 0, 1, 1}, b.sink.values("up", "a"))
		assert.Equal(t, []float64{1, 1, 0, 0, 0, 1, 1}, b.sink.values("apm_sidecar_target_up", "a"))
		assert.Len(t, b.sink.values("jvm_threads_current", "a"), 4, "no value is repeated for a dead target")
		assert.Equal(t, "3", b.metric(`apm_sidecar_poll_errors_total{job="test",instance="a",reason="dial"}`))
		assert.Equal(t, 1, strings.Count(b.log.String(), "target is down"), "changes are logged, not states")
		assert.Equal(t, 2, strings.Count(b.log.String(), "target is up"))
		status := b.agent.Targets()[0]
		assert.Equal(t, "up", status.State)
		assert.Empty(t, status.Error)
		assert.Contains(t, status.LastError, "connection refused", "it stays to be seen")
		assert.WithinDuration(t, time.Now(), status.LastErrorAt, 3*time.Second)
	})
}

func TestFinalizerQueueIsAskedSparingly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pending := int64(5000)
		asked := 0
		c := &fakeClient{
			poll: func(context.Context) (*jvm.Snapshot, error) {
				s := healthy()
				s.Memory = &jvm.Memory{PendingFinalizers: jvm.Some(pending)}
				return s, nil
			},
			queue: func(context.Context) (*jvm.FinalizerQueue, error) {
				asked++
				return &jvm.FinalizerQueue{Classes: []jvm.ClassCount{{Class: "A", Count: 5000}}}, nil
			},
		}
		b := runFor(t, 59*time.Second, time.Second, c)
		assert.Equal(t, 2, asked, "once every 30 s")
		assert.Equal(t, []float64{5000, 5000}, b.sink.values("jvm_finalizer_queue_objects", "a"))

		pending, asked = 99, 0
		runFor(t, 59*time.Second, time.Second, c)
		assert.Zero(t, asked, "not for a few")

		pending, asked = 5000, 0
		c.queue = func(context.Context) (*jvm.FinalizerQueue, error) {
			asked++
			return nil, &jmx.Error{Reason: jmx.ReasonOperation, Err: jmx.ErrUnsupported}
		}
		b = runFor(t, 10*time.Minute-time.Millisecond, time.Second, c)
		assert.Equal(t, 1, asked, "not again of a JVM that cannot")
		assert.Len(t, b.sink.values("up", "a"), 600)
	})
}

func TestRestartsAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := int64(0)
		c := &fakeClient{poll: func(context.Context) (*jvm.Snapshot, error) {
			n++
			s := healthy()
			s.Runtime.StartMs = jvm.Some(1 + n/3)
			return s, nil
		}}
		b := runFor(t, 6500*time.Millisecond, time.Second, c)
		assert.Equal(t, "2", b.metric(`apm_sidecar_target_restarts_total{job="test",instance="a"}`))
	})
}

// TestATargetDownForLongIsSpared: it is asked less and less, and its series goes on
// saying that it is down.
func TestATargetDownForLongIsSpared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var asked []time.Duration
		back := false
		c := &fakeClient{poll: func(context.Context) (*jvm.Snapshot, error) {
			asked = append(asked, time.Since(start))
			if time.Since(start) > 20*time.Minute {
				back = true
				return healthy(), nil
			}
			return nil, &jmx.Error{Reason: jmx.ReasonTimeout, Err: errors.New("no answer")}
		}}
		b := runFor(t, 22*time.Minute-time.Millisecond, time.Second, c)
		assert.Equal(t, 4*time.Second, asked[4], "not at once: it may be restarting")
		var gaps []time.Duration
		for i := 5; asked[i] < 20*time.Minute; i++ {
			gaps = append(gaps, asked[i]-asked[i-1])
		}
		assert.LessOrEqual(t, slices.Max(gaps), time.Minute)
		assert.GreaterOrEqual(t, slices.Min(gaps[6:]), 30*time.Second)
		assert.Greater(t, len(slices.Compact(slices.Sorted(slices.Values(gaps[6:])))), 3, "jitter")
		assert.True(t, back)
		assert.Len(t, b.sink.values("up", "a"), 22*60, "one sample each second all the same")
		assert.NotEqual(t, "0", b.metric(`apm_sidecar_poll_skipped_total{job="test",instance="a",reason="backoff"}`))
		assert.Equal(t, "0", b.metric(`apm_sidecar_poll_skipped_total{job="test",instance="a",reason="busy"}`))
		assert.Len(t, slices.DeleteFunc(asked, func(at time.Duration) bool { return at < 21*time.Minute }), 60, "back to normal at once")
	})
}

func TestSamplesTheSinkRefusesAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{sink: &sink{err: errors.New("disk full")}}
		b.agent = agent.New(agent.Options{
			Interval: time.Second, Sink: b.sink, Logger: slog.New(slog.NewTextHandler(&b.log, nil)),
			Watched: []agent.Watched{{Target: jvm.Target{Job: "test", Instance: "a"}, Client: &fakeClient{}}},
		})
		time.AfterFunc(1500*time.Millisecond, func() {
			b.sink.mu.Lock()
			defer b.sink.mu.Unlock()
			b.sink.err = nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		require.NoError(t, b.agent.Run(ctx))
		assert.Equal(t, "21", b.metric(`apm_sidecar_samples_lost_total{job="test",instance="a"}`))
		assert.Equal(t, "5", b.metric(`apm_sidecar_samples_total{job="test",instance="a"}`))
		assert.NotContains(t, b.log.String(), "disk full", "the sink says so, once for all targets")
	})
}

// TestOwnMetricsAreListed: what /metrics shows is documented, and the other way
// round.
func TestOwnMetricsAreListed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := 0
		c := &fakeClient{
			poll: func(context.Context) (*jvm.Snapshot, error) {
				if n++; n == 1 {
					return nil, errors.New("no")
				}
				return filled(1), nil
			},
			dump: func(context.Context, string, bool) error { return errors.New("no") },
		}
		capture, err := agent.NewCapture(agent.CaptureOptions{Directory: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		a := agent.New(agent.Options{
			Interval: time.Second, Sink: &sink{}, Logger: slog.New(slog.DiscardHandler), Capture: capture,
			Trigger: agent.TriggerOptions{OldAfterGCRatio: 0.5, CoolDown: time.Hour},
			Tracing: tracing(t, time.Second),
			Watched: []agent.Watched{{Target: jvm.Target{Job: "test", Instance: "a"}, Client: c, Requests: &fakeRequests{}}},
		})
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		require.NoError(t, a.Run(ctx))

		var out bytes.Buffer
		a.WriteMetrics(&out)
		written := map[string]bool{}
		for line := range strings.Lines(out.String()) {
			name, _, _ := strings.Cut(line, "{")
			for _, part := range []string{"_bucket", "_sum", "_count"} {
				name = strings.TrimSuffix(name, part)
			}
			written[name] = true
		}
		listed := map[string]bool{}
		for _, m := range agent.OwnMetrics() {
			listed[m.Name] = true
		}
		assert.Equal(t, listed, written)
	})
}

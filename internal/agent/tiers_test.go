package agent_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// aged is a poll of a JVM that has run for so long since the test began.
func aged(start time.Time) func(context.Context) (*jvm.Snapshot, error) {
	return func(context.Context) (*jvm.Snapshot, error) {
		s := healthy()
		s.Runtime.UptimeMs = jvm.Some(time.Since(start).Milliseconds())
		return s, nil
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// TestAColdJVMIsAskedLittle: for half a minute the fast tier alone.
func TestAColdJVMIsAskedLittle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var asked []time.Duration
		c := &fakeClient{poll: aged(start), details: func(context.Context) (*jvm.Details, error) {
			asked = append(asked, time.Since(start))
			return &jvm.Details{Time: time.Now()}, nil
		}}
		b := runFor(t, 99500*time.Millisecond, time.Second, c)
		assert.Equal(t, []time.Duration{30 * time.Second, 90 * time.Second}, asked)
		assert.Len(t, b.sink.values("up", "a"), 100)
		assert.Equal(t, "30", b.metric(`apm_sidecar_tier_skipped_total{job="test",instance="a",reason="cold"}`))
	})
}

// TestWhatIsSlowIsAskedSeldom: an answer that takes two seconds comes every 200.
func TestWhatIsSlowIsAskedSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		c := &fakeClient{details: func(ctx context.Context) (*jvm.Details, error) {
			asked++
			pause(ctx, 2*time.Second)
			return &jvm.Details{Time: time.Now()}, nil
		}}
		runFor(t, 1000*time.Second-time.Millisecond, 10*time.Second, c)
		assert.Equal(t, 5, asked)
	})
}

// TestASlowJVMIsSparedAllButThePoll.
func TestASlowJVMIsSparedAllButThePoll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		c := &fakeClient{
			poll: func(ctx context.Context) (*jvm.Snapshot, error) {
				pause(ctx, 1500*time.Millisecond)
				return healthy(), ctx.Err()
			},
			details: func(context.Context) (*jvm.Details, error) {
				asked++
				return &jvm.Details{Time: time.Now()}, nil
			},
		}
		b := runFor(t, 5*time.Minute, 10*time.Second, c)
		assert.Zero(t, asked)
		assert.Len(t, b.sink.values("up", "a"), 30)
	})
}

// TestManyThreadsAreCountedNotLookedAt.
func TestManyThreadsAreCountedNotLookedAt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &fakeClient{
			details: func(context.Context) (*jvm.Details, error) {
				return &jvm.Details{Time: time.Now(), ThreadIDs: make([]int64, 2001)}, nil
			},
			states: func(context.Context, []int64) (*jvm.ThreadStates, error) {
				assert.Fail(t, "asked")
				return nil, errors.New("no")
			},
		}
		b := runFor(t, 90*time.Second, time.Second, c)
		assert.Equal(t, "2", b.metric(`apm_sidecar_tier_skipped_total{job="test",instance="a",reason="threads"}`))
	})
}

// startedAt is what a healthy JVM says that began at a time.
func startedAt(ms *atomic.Int64) *jvm.Snapshot {
	s := healthy()
	s.Runtime.StartMs = jvm.Some(ms.Load())
	return s
}

// TestWhatAJVMCannotTellIsAskedOnce until it restarts.
func TestWhatAJVMCannotTellIsAskedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked, startMs := 0, &atomic.Int64{}
		startMs.Store(1)
		c := &fakeClient{
			poll: func(context.Context) (*jvm.Snapshot, error) {
				return startedAt(startMs), nil
			},
			registered: func(context.Context) (*jvm.RegisteredFinalizers, error) {
				asked++
				return nil, &jmx.Error{Reason: jmx.ReasonOperation, Err: jmx.ErrUnsupported}
			},
		}
		time.AfterFunc(30*time.Minute, func() { startMs.Store(2) })
		runFor(t, time.Hour, 10*time.Second, c)
		assert.Equal(t, 2, asked)
	})
}

// TestARecordingOfAYoungJVMMayHaveNothingYet: who has none is asked seldom, but a JVM that
// just began as often as one that has.
func TestARecordingOfAYoungJVMMayHaveNothingYet(t *testing.T) {
	t.Parallel()
	for age, want := range map[time.Duration]int{time.Minute: 7, 10 * time.Hour: 2} {
		synctest.Test(t, func(t *testing.T) {
			asked, began := 0, time.Now()
			c := &fakeClient{
				poll: func(context.Context) (*jvm.Snapshot, error) {
					s := healthy()
					s.Runtime.UptimeMs = jvm.Some((age + time.Since(began)).Milliseconds())
					return s, nil
				},
				registered: func(context.Context) (*jvm.RegisteredFinalizers, error) {
					asked++
					return nil, nil //nolint:nilnil // no recording
				},
			}
			runFor(t, 59*time.Minute, 10*time.Second, c)
			assert.Equal(t, want, asked, "of age %s", age)
		})
	}
}

// TestTheLimitOfDirectMemoryIsAskedForOnce until the JVM restarts; where it has none of its
// own, it is the heap's.
func TestTheLimitOfDirectMemoryIsAskedForOnce(t *testing.T) {
	t.Parallel()
	for said, want := range map[int64]float64{96 << 20: 96 << 20, 0: 64 << 20} {
		synctest.Test(t, func(t *testing.T) {
			asked, startMs := 0, &atomic.Int64{}
			startMs.Store(1)
			c := &fakeClient{
				poll: func(context.Context) (*jvm.Snapshot, error) {
					s := startedAt(startMs)
					s.Memory = &jvm.Memory{Heap: jvm.Usage{Max: jvm.Some[int64](64 << 20)}}
					return s, nil
				},
				details: func(context.Context) (*jvm.Details, error) {
					return &jvm.Details{Time: time.Now(), Buffers: []jvm.BufferPool{{Name: "direct"}, {Name: "mapped"}}}, nil
				},
				direct: func(context.Context) (int64, error) {
					asked++
					return said, nil
				},
			}
			time.AfterFunc(30*time.Minute, func() { startMs.Store(2) })
			s := runFor(t, time.Hour, 10*time.Second, c)
			assert.Equal(t, 2, asked)
			got := s.sink.values("jvm_buffer_pool_max_bytes", "a")
			assert.InDelta(t, 60, len(got), 1, "of one pool, in each poll of the details")
			assert.Equal(t, want, got[0])
		})
	}
}

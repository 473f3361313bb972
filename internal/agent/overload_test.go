package agent_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/agent"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// narrowSink takes samples of one poll after the other.
type narrowSink struct {
	sink
	takes time.Duration
	turn  chan struct{}
	// waiting is how many wait for it, most the most that ever did.
	waiting, most atomic.Int64
}

func (s *narrowSink) Append(samples []series.Sample) error {
	n := s.waiting.Add(1)
	defer s.waiting.Add(-1)
	for most := s.most.Load(); n > most && !s.most.CompareAndSwap(most, n); most = s.most.Load() {
	}
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	time.Sleep(s.takes)
	return s.sink.Append(samples)
}

// counted adds up a self metric of all targets.
func counted(t *testing.T, a *agent.Agent, metric, reason string) (total int) {
	t.Helper()
	var out bytes.Buffer
	a.WriteMetrics(&out)
	for line := range strings.Lines(out.String()) {
		if strings.HasPrefix(line, metric+"{") && strings.Contains(line, `reason="`+reason+`"`) {
			var n int
			_, err := fmt.Sscan(line[strings.LastIndexByte(line, ' '):], &n)
			require.NoError(t, err)
			total += n
		}
	}
	return total
}

// TestMoreTargetsThanTheMachineCanBear: what is under way is bounded, all targets have
// their turn, questions beside the poll give way, and what is left out is counted.
func TestMoreTargetsThanTheMachineCanBear(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const targets = 3 * agent.MaxAtWork
		s := &narrowSink{takes: 40 * time.Millisecond, turn: make(chan struct{}, 1)}
		opts := agent.Options{Interval: 10 * time.Second, Sink: s, Logger: slog.New(slog.DiscardHandler)}
		for i := range targets {
			opts.Watched = append(opts.Watched, agent.Watched{Target: jvm.Target{Job: "test", Instance: fmt.Sprint(i)}, Client: &fakeClient{}})
		}
		a := agent.New(opts)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.NoError(t, a.Run(ctx))
		require.NoError(t, a.Ready(), "everybody was polled")
		assert.Equal(t, int64(agent.MaxAtWork), s.most.Load())
		late := counted(t, a, "apm_sidecar_poll_skipped_total", "late")
		assert.Greater(t, late, targets)
		assert.Zero(t, counted(t, a, "apm_sidecar_poll_skipped_total", "dump"))
		assert.Greater(t, counted(t, a, "apm_sidecar_tier_skipped_total", "late"), targets/3)
	})
}

// TestManyHungTargetsDelayNoOther: those that are waited for are not at work.
func TestManyHungTargetsDelayNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asking atomic.Int64
		hung := &fakeClient{poll: func(ctx context.Context) (*jvm.Snapshot, error) {
			asking.Add(1)
			defer asking.Add(-1)
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		s := &sink{}
		opts := agent.Options{Interval: 10 * time.Second, Sink: s, Logger: slog.New(slog.DiscardHandler), Asking: func() int { return int(asking.Load()) }}
		for i := range 4 * agent.MaxAtWork {
			opts.Watched = append(opts.Watched, agent.Watched{Target: jvm.Target{Job: "test", Instance: fmt.Sprint("hung", i)}, Client: hung})
		}
		opts.Watched = append(opts.Watched, agent.Watched{Target: jvm.Target{Job: "test", Instance: "well"}, Client: &fakeClient{}})
		a := agent.New(opts)
		ctx, cancel := context.WithTimeout(t.Context(), 59500*time.Millisecond)
		defer cancel()
		require.NoError(t, a.Run(ctx))
		assert.Len(t, s.values("up", "well"), 6, "at 9, 19, ... 59 s")
		assert.Zero(t, counted(t, a, "apm_sidecar_tier_skipped_total", "late"))
	})
}

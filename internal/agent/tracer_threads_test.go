package agent_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/agent"
	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// crowd is a server whose workers, threads 100 and up, all have a request in hand that
// does not end: each began 10 ms after the one before.
type crowd struct {
	begin time.Time
	n     int64
	// asked are the threads whose stacks were asked for, by look.
	asked [][]int64
}

func (c *crowd) row(i int64) jvm.RequestProcessor {
	return jvm.RequestProcessor{
		Name: fmt.Sprintf("p%02d", i), Stage: jvm.StageService, Path: "/x", Thread: fmt.Sprintf("w-%d", 100+i),
		ElapsedMs: time.Since(c.begin).Milliseconds() - 10*i,
	}
}

func (c *crowd) Requests(context.Context, map[string]int64) (*jvm.Requests, error) {
	r := &jvm.Requests{Sent: time.Now(), Received: time.Now(), StartMs: jvm.Some[int64](1), Workers: map[string]jvm.Used{}}
	for i := range c.n {
		r.Processors = append(r.Processors, c.row(i))
	}
	return r, nil
}

func (c *crowd) ThreadIDs(context.Context) (ids []int64, err error) {
	for i := range c.n {
		ids = append(ids, 100+i)
	}
	return ids, nil
}

func (c *crowd) Threads(_ context.Context, states, stacks []int64, _ int, _ ...string) (*jmx.ThreadLook, error) {
	look := &jmx.ThreadLook{At: time.Now(), States: map[int64]*jvm.Thread{}, Stacks: map[int64]*jvm.Thread{}, Processors: map[string]jvm.RequestProcessor{}}
	for _, id := range append(append([]int64{}, states...), stacks...) {
		look.States[id] = &jvm.Thread{ID: id, Name: fmt.Sprintf("w-%d", id)}
	}
	for _, id := range stacks {
		th := waiting()
		th.ID = id
		look.Stacks[id] = &th
		look.Processors[c.row(id-100).Name] = c.row(id - 100)
	}
	if len(stacks) > 0 {
		c.asked = append(c.asked, stacks)
	}
	return look, nil
}

// TestStacksOfACrowd: most requests that began since the last look are gone at the next
// one, so only the oldest of them are looked at; those that are still there then all are.
func TestStacksOfACrowd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &crowd{begin: time.Now().Add(-300 * time.Millisecond), n: 10}
		a := agent.New(agent.Options{
			Interval: time.Minute, Sink: &sink{}, Logger: slog.New(slog.DiscardHandler), Tracing: tracing(t, time.Second),
			Watched: []agent.Watched{{Target: jvm.Target{Job: "shop", Instance: "a:1"}, Client: &fakeClient{}, Requests: c}},
		})
		ctx, cancel := context.WithTimeout(t.Context(), 1900*time.Millisecond)
		defer cancel()
		require.NoError(t, a.Run(ctx))
		require.Len(t, c.asked, 2)
		assert.Equal(t, []int64{100, 101, 102, 103}, c.asked[0])
		assert.Subset(t, c.asked[1], []int64{104, 105, 106, 107, 108, 109})
	})
}

package agent_test

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/agent"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// connections counts clients opened and closed, by instance.
type connections struct {
	mu             sync.Mutex
	opened, closed map[string]int
}

func (c *connections) connect(t jvm.Target) agent.Watched {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opened[t.Instance]++
	return agent.Watched{Target: t, Client: &fakeClient{}, Close: func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.closed[t.Instance]++
	}}
}

func (c *connections) counts() (opened, closed map[string]int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.opened), maps.Clone(c.closed)
}

func named(instances ...string) []jvm.Target {
	var targets []jvm.Target
	for _, i := range instances {
		targets = append(targets, jvm.Target{Job: "test", Instance: i})
	}
	return targets
}

// last is the last sample of up for an instance.
func (s *sink) last(instance string) (series.Sample, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sample := range slices.Backward(s.samples) {
		if sample.Name == "up" && slices.Contains(sample.AllLabels(), series.Label{Name: "instance", Value: instance}) {
			return sample, true
		}
	}
	return series.Sample{}, false
}

func TestTargetsComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &connections{opened: map[string]int{}, closed: map[string]int{}}
		s := &sink{}
		a := agent.New(agent.Options{Interval: 10 * time.Second, Sink: s, Connect: c.connect, Logger: slog.New(slog.DiscardHandler)})
		a.Follow(named("a", "b"))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		time.Sleep(36 * time.Second)
		assert.Len(t, s.values("up", "a"), 4)

		a.Follow(named("a", "c"))
		synctest.Wait()
		end, ok := s.last("b")
		require.True(t, ok)
		assert.True(t, series.IsStale(end.Value), "a vanished target ends")
		var text bytes.Buffer
		a.WriteMetrics(&text)
		assert.NotContains(t, text.String(), `instance="b"`)

		time.Sleep(30 * time.Second)
		assert.Len(t, s.values("up", "a"), 7, "others go on in their rhythm")
		assert.Len(t, s.values("up", "b"), 4)
		assert.NotEmpty(t, s.values("up", "c"))

		quick := named("a", "c")
		quick[0].Interval = time.Second
		a.Follow(quick)
		synctest.Wait()
		end, _ = s.last("a")
		assert.False(t, series.IsStale(end.Value), "another interval ends no series")
		time.Sleep(10 * time.Second)
		assert.GreaterOrEqual(t, len(s.values("up", "a")), 7+10)

		cancel()
		require.NoError(t, <-done)
		opened, closed := c.counts()
		assert.Equal(t, map[string]int{"a": 2, "b": 1, "c": 1}, opened)
		assert.Equal(t, opened, closed)
		end, _ = s.last("c")
		assert.False(t, series.IsStale(end.Value), "the end of the sidecar is no end of the target")
	})
}

// TestFollowWhileTheAgentEnds: whoever finds targets does not know that it does.
func TestFollowWhileTheAgentEnds(t *testing.T) {
	t.Parallel()
	for range 20 {
		c := &connections{opened: map[string]int{}, closed: map[string]int{}}
		a := agent.New(agent.Options{Interval: time.Second, Sink: &sink{}, Connect: c.connect, Logger: slog.New(slog.DiscardHandler)})
		a.Follow(named("a", "b"))
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { assert.NoError(t, a.Run(ctx)) })
		wg.Go(cancel)
		wg.Go(func() { a.Follow(named("b")) })
		wg.Wait()
		_, closed := c.counts()
		assert.LessOrEqual(t, closed["a"], 1)
		assert.LessOrEqual(t, closed["b"], 1)
	}
}

func TestFollowBeforeRunClosesWhatItReplaces(t *testing.T) {
	c := &connections{opened: map[string]int{}, closed: map[string]int{}}
	a := agent.New(agent.Options{Interval: time.Second, Sink: &sink{}, Connect: c.connect, Logger: slog.New(slog.DiscardHandler)})
	a.Follow(named("a"))
	a.Follow(named("b"))
	_, closed := c.counts()
	assert.Equal(t, map[string]int{"a": 1}, closed)
	assert.ErrorContains(t, a.Ready(), "test/b")
}

// TestManyTargetsHaveOneLine: a thousand that come together say no more than their number.
func TestManyTargetsHaveOneLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &connections{opened: map[string]int{}, closed: map[string]int{}}
		var log bytes.Buffer
		a := agent.New(agent.Options{Interval: 10 * time.Second, Sink: &sink{}, Connect: c.connect, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		var many []string
		for i := range 1000 {
			many = append(many, strconv.Itoa(i))
		}
		a.Follow(named(many...))
		a.Follow(nil) // all are gone before they were polled
		a.Follow(named(many...))
		a.Follow(named(many[1:]...)) // and one
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		time.Sleep(25 * time.Second)
		a.Follow(named(append(many[1:], "x")...))
		time.Sleep(25 * time.Second)
		cancel()
		require.NoError(t, <-done)

		text := log.String()
		assert.Equal(t, 1, strings.Count(text, "for the first time"), text)
		assert.Contains(t, text, `msg="targets were polled for the first time" up=999 down=0`)
		assert.Equal(t, 1, strings.Count(text, "target is up"), "that of the one that came alone")
		assert.Less(t, strings.Count(text, "\n"), 8, text)
	})
}

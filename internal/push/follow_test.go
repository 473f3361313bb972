package push

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// has waits until the destination accepted the value.
func has(t *testing.T, d *scripted, value float64) {
	t.Helper()
	require.Eventually(t, func() bool {
		for _, v := range acceptedOf(d) {
			if v == value {
				return true
			}
		}
		return false
	}, time.Minute, 5*time.Millisecond, "%s has not got %v", d.Info().Label, value)
}

// TestDestinationsComeAndGo under a stream of samples: each gets all that was appended
// while it was there, whatever happens to the others.
func TestDestinationsComeAndGo(t *testing.T) {
	var logs bytes.Buffer
	dir := t.TempDir()
	always, first := &scripted{id: "always"}, &scripted{id: "other", window: time.Hour}
	p, err := Open(Options{Dir: dir, Destinations: []Destination{always, first}, Logger: slog.New(slog.NewTextHandler(&logs, nil))})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	next := 0.0
	put := func(n int) (last float64) {
		for range n {
			next++
			require.NoError(t, p.Append([]series.Sample{testSample(next)}))
		}
		return next
	}
	has(t, first, put(10))

	second := &scripted{id: "other"} // the same receiver by other settings
	put(10)
	require.NoError(t, p.Follow([]Destination{always, second}))
	has(t, second, put(10))
	assert.Equal(t, upTo(1, 30), acceptedOf(second), "what the first had not confirmed goes out again")

	hung := answer{hang: true}
	second.answerNext(hung, hung, hung)
	kept := put(10)
	require.NoError(t, p.Follow([]Destination{always}), "a hung receiver must not hold it up")
	put(10)
	assert.Contains(t, logs.String(), "its queue stays on disk")
	assert.NotContains(t, writtenMetrics(p), "scriptedother")

	back := &scripted{id: "other"}
	require.NoError(t, p.Follow([]Destination{always, back}))
	has(t, back, put(10))
	got := acceptedOf(back)
	assert.Subset(t, got, upTo(31, kept), "what was left is delivered")
	assert.NotContains(t, got, kept+5, "it was not there")
	assert.Contains(t, writtenMetrics(p), "scriptedother")

	for _, wrong := range [][]Destination{{}, {always, always}} {
		require.Error(t, p.Follow(wrong))
	}
	has(t, always, put(1))
	cancel()
	require.NoError(t, <-ended)
	assert.Equal(t, upTo(1, next), acceptedOf(always), "each once and in order")
	require.NoError(t, p.Close())
}

// TestFollowThatFailsChangesNothing: a queue that cannot be opened.
func TestFollowThatFailsChangesNothing(t *testing.T) {
	dir := t.TempDir()
	d := &scripted{}
	p, stop := startPusher(t, dir, d)
	require.NoError(t, os.WriteFile(filepath.Join(dir, queueFolder("scriptedx")), nil, 0o600))
	require.Error(t, p.Follow([]Destination{&scripted{id: "y"}, &scripted{id: "x"}}))
	require.NoError(t, p.Append([]series.Sample{testSample(1)}))
	stop()
	assert.Equal(t, []float64{1}, d.accepted)
}

// A destination that goes before it was begun with is not begun with by a Run that comes just then:
// two would read one queue.
func TestAHaltedWorkerIsNeverStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &scripted{}
		p, err := Open(Options{Dir: t.TempDir(), Destinations: []Destination{d}})
		require.NoError(t, err)
		p.halt(p.workers[0])
		appendValues(t, p, 1)
		stop := run(t, p)
		pass(time.Minute)
		assert.Empty(t, acceptedOf(d))
		stop()
	})
}

// upTo are the whole numbers from first to last.
func upTo(first, last float64) []float64 {
	var out []float64
	for v := first; v <= last; v++ {
		out = append(out, v)
	}
	return out
}

func writtenMetrics(p *Pusher) string {
	var text bytes.Buffer
	p.WriteMetrics(&text)
	return text.String()
}

package push

import (
	"context"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// backlog is a Pusher with the values 1 to 200 in a queue of many small files.
func backlog(t *testing.T, d *scripted) (*Pusher, *queue) {
	t.Helper()
	p, err := Open(Options{Dir: t.TempDir(), Destinations: []Destination{d}})
	require.NoError(t, err)
	q := p.workers[0].queue
	q.opts.maxBytes = minMaxBytes / 16
	appendValues(t, p, upTo(1, 200)...)
	require.Greater(t, len(q.segments), 2)
	return p, q
}

// runs has a Pusher deliver until stop is called, which closes it.
func runs(t *testing.T, p *Pusher) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	return func() {
		cancel()
		require.NoError(t, <-done)
		require.NoError(t, p.Close())
	}
}

// A file that cannot be opened for a while, for want of descriptors, holds up its records
// and those behind it. None is lost, not even of the batch that ends before them.
func TestAFileThatCannotBeOpenedForAWhileLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &scripted{}
		p, q := backlog(t, d)
		second, before := q.segments[1].path, q.segments[0].samples
		require.NoError(t, os.Rename(second, second+".away"))
		require.NoError(t, os.Symlink(second, second)) // leads to itself
		stop := runs(t, p)
		pass(time.Second / 2)
		assert.Equal(t, upTo(1, float64(before)), acceptedOf(d))
		require.NoError(t, os.Remove(second))
		require.NoError(t, os.Rename(second+".away", second))
		pass(5 * time.Second)
		assert.Equal(t, upTo(1, 200), acceptedOf(d))
		stop()
	})
}

// Whoever removes or cuts a file of a queue that is at work loses what was in it, which is
// counted, and holds up nothing else.
func TestAFileThatIsGoneHoldsUpNothing(t *testing.T) {
	remove := os.Remove
	cut := func(path string) error { return os.Truncate(path, 0) }
	f := func(name string, which int, harm func(path string) error) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &scripted{}
				p, q := backlog(t, d)
				s := q.segments[(which+len(q.segments))%len(q.segments)]
				lost := s.samples
				require.NoError(t, harm(s.path))
				stop := runs(t, p)
				pass(time.Second)
				assert.Len(t, acceptedOf(d), 200-lost)
				appendValues(t, p, upTo(201, 300)...)
				pass(time.Second)
				assert.Len(t, acceptedOf(d), 300-lost)
				assert.InDelta(t, lost, metric(t, p, `apm_sidecar_push_dropped_samples_total{url="scripted",reason="damaged"}`), 0)
				stop()
			})
		})
	}
	f("removed", 1, remove)
	f("removed while it is written to", -1, remove)
	f("cut", 1, cut)
}

package push

import (
	"bytes"
	"log/slog"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestWhatTheReceiverHasIsNotLostWithItsFile: of what is given up for want of room only
// that is lost which the receiver has not, or may have lost itself.
func TestWhatTheReceiverHasIsNotLostWithItsFile(t *testing.T) {
	const disk, n, taken = 64 << 10, 200, 150
	one := record{timeMs: 7, samples: 3, payload: make([]byte, 1000)}
	for name, limit := range map[string]func(dir string, o *queueOptions){
		"the disk is full":  func(dir string, o *queueOptions) { o.maxBytes = 1 << 20; onDisk(dir, disk)(o) },
		"the queue is full": func(_ string, o *queueOptions) { o.maxBytes = disk },
	} {
		for _, restarts := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				dir := t.TempDir()
				q := testQueue(t, dir, func(o *queueOptions) { limit(dir, o) })
				due := time.Now().Add(time.Minute)
				for range taken {
					require.NoError(t, q.append(one))
					r, _, end, ok, err := q.next(false)
					require.NoError(t, err)
					require.True(t, ok)
					q.delivered([]delivery{{end: end, samples: r.samples, ackAt: due}}, false)
				}
				lost := func() int { d := q.stats().dropped; return d.disk + d.full }
				assert.Zero(t, lost(), "the receiver has all of it")
				for range n - taken {
					require.NoError(t, q.append(one))
				}
				assert.Zero(t, lost(), "and what it has goes first")
				assert.True(t, q.awaited())
				assert.False(t, q.due(due.Add(-1)))
				assert.True(t, q.due(due), "the receiver is to be asked whether it is still there")
				if restarts {
					q.rewind()
					assert.Positive(t, lost())
				} else {
					q.ackDue(due)
					q.rewind()
					assert.Zero(t, lost())
				}
				left := 3 * len(take(t, q))
				if restarts {
					assert.Equal(t, 3*n, left+lost())
				} else {
					assert.Equal(t, 3*(n-taken), left)
				}
			})
		}
	}
}

func TestAReceiverIsAskedWhereAllItHasIsOnTrust(t *testing.T) {
	q, due := testQueue(t, t.TempDir()), time.Now()
	lost := 0
	q.onTrust = []trusted{{delivery{samples: 1, ackAt: due}, &lost}}
	assert.False(t, q.due(due.Add(-1)))
	assert.True(t, q.due(due))
	assert.True(t, q.awaited(), "it may have to be counted yet")
	q.ackDue(due)
	assert.False(t, q.due(due))
	assert.False(t, q.awaited())
	assert.Zero(t, lost)
}

// TestTheLastWordOnDroppedSamplesIsWhole: the log tells how many there were, though it is told
// seldom.
func TestTheLastWordOnDroppedSamplesIsWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		q := testQueue(t, t.TempDir(), func(o *queueOptions) { o.maxBytes, o.logger = 64<<10, slog.New(slog.NewTextHandler(&log, nil)) })
		one := record{timeMs: 7, samples: 3, payload: make([]byte, 1000)}
		for range 200 {
			require.NoError(t, q.append(one))
		}
		take(t, q)
		require.True(t, q.ackDue(time.Now()))
		dropped := q.stats().dropped.full
		for range 3 {
			time.Sleep(sayEvery)
			require.NoError(t, q.append(record{timeMs: 7, samples: 3}))
		}
		lines := bytes.Split(bytes.TrimSpace(log.Bytes()), []byte("\n"))
		require.Len(t, lines, 2)
		assert.Contains(t, string(lines[1]), "samples_in_all="+strconv.Itoa(dropped))
	})
}

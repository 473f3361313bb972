package push

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestAStoppedProcessAcknowledgesNothing: what the receiver was to write to its disk while
// both were stopped is not there when they go on, and may be lost by a kill.
func TestAStoppedProcessAcknowledgesNothing(t *testing.T) {
	q := testQueue(t, t.TempDir())
	w := &worker{queue: q}
	began := time.Now()
	w.wake(began)
	put(t, q, "a")
	r, _, end, ok, err := q.next(false)
	require.NoError(t, err)
	require.True(t, ok)
	q.delivered([]delivery{{end: end, samples: r.samples, ackAt: began.Add(20 * time.Second)}}, false)

	w.wake(began.Add(time.Second))
	on := began.Add(41 * time.Second)
	w.wake(on)
	assert.False(t, q.ackDue(on), "of the twenty seconds it has run for one")
	w.wake(on.Add(time.Second))
	assert.False(t, q.ackDue(began.Add(59*time.Second)))
	assert.True(t, q.ackDue(began.Add(60*time.Second)))
}

// Whatever waits for its acknowledgement waits longer: what overtook a backlog, and what the
// receiver alone has.
func TestANapPostponesAllThatWaits(t *testing.T) {
	q := testQueue(t, t.TempDir())
	due := time.Now()
	one := delivery{end: 1, samples: 1, ackAt: due}
	q.waiting, q.fresh.waiting, q.onTrust = []delivery{one}, []delivery{one}, []trusted{{one, new(int)}}
	q.postpone(time.Hour)
	later := due.Add(time.Hour)
	assert.Equal(t, []time.Time{later, later, later}, []time.Time{q.waiting[0].ackAt, q.fresh.waiting[0].ackAt, q.onTrust[0].ackAt})
}

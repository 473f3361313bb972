package push

import "time"

// napTime is from when on a pause between two looks at the clock is one of the process.
const napTime = 3 * tickInterval

// wake notices that the process did not run for a while: it was stopped, or its machine
// suspended. A receiver in it, or beside it, has written nothing to its disk in that time.
func (w *worker) wake(now time.Time) {
	if pause := now.Sub(w.awake); !w.awake.IsZero() && pause > napTime {
		w.queue.postpone(pause)
	}
	w.awake = now
}

// postpone has deliveries wait for their acknowledgement for longer.
func (q *queue) postpone(d time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, list := range [][]delivery{q.waiting, q.fresh.waiting} {
		for i := range list {
			list[i].ackAt = list[i].ackAt.Add(d)
		}
	}
	for i := range q.onTrust {
		q.onTrust[i].ackAt = q.onTrust[i].ackAt.Add(d)
	}
}

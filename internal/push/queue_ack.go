package push

import (
	"log/slog"
	"slices"
	"time"
)

// delivered notes that the receiver accepted records that next(fresh) gave; they
// are acknowledged when their time comes. Records dropped meanwhile are ignored.
func (q *queue) delivered(ds []delivery, fresh bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, d := range ds {
		switch {
		case d.end <= q.ack:
		case fresh:
			q.fresh.waiting = append(q.fresh.waiting, d)
		default:
			q.waiting = append(q.waiting, d)
		}
	}
}

// due tells whether the time of a delivery's acknowledgement has come.
func (q *queue) due(now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting) > 0 && !now.Before(q.waiting[0].ackAt) || q.trustIsDue(now)
}

// ackDue acknowledges the deliveries whose time had come at now and removes
// segments that are not needed any more. It reports whether something moved.
func (q *queue) ackDue(now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.keepTrust(now)
	n := 0
	for n < len(q.waiting) && !now.Before(q.waiting[n].ackAt) {
		d := q.waiting[n]
		q.ack = d.end
		n++
		if s := q.segmentAt(d.end - 1); s != nil {
			s.done += d.samples
		}
	}
	if n == 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, 0, n)
	q.saveCursor()
	for len(q.segments) > 1 && q.segments[0].end() <= q.ack {
		q.dropped.damaged += q.segments[0].pending()
		q.removeOldest()
	}
	return true
}

// awaited tells whether deliveries wait for their acknowledgement.
func (q *queue) awaited() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)+len(q.fresh.waiting)+len(q.onTrust) > 0
}

// rewind makes next hand out everything not acknowledged again. What of it was given up is
// lost by now.
func (q *queue) rewind() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.breakTrust()
	q.waiting = q.waiting[:0]
	q.fresh.waiting = q.fresh.waiting[:0]
	q.read, q.fresh.read = q.ack, q.fresh.base
}

// stepBack makes next(fresh) hand out the records from off on again. Deliveries
// before off stay delivered.
func (q *queue) stepBack(off uint64, fresh bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	at, _ := q.reading(fresh)
	*at = max(off, q.ack) // files may have been given up meanwhile
}

// saveCursor writes the cursor; when that fails, more is replayed after a crash.
func (q *queue) saveCursor() {
	if err := writeCursor(q.opts.dir, q.ack); err != nil && q.sayCursor.time() {
		q.opts.logger.Warn("queue cursor not written", slog.Any("error", err))
	}
}

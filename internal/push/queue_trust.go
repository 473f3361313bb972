package push

import (
	"slices"
	"time"
)

// trusted is a delivery whose record was given up for want of room before it was
// acknowledged: its samples are lost if the receiver may have lost them by then, and not else.
type trusted struct {
	delivery
	// lost counts the samples that were lost for the same want of room.
	lost *int
}

// trustIsDue tells whether the time of a trusted delivery has come. mu is held.
func (q *queue) trustIsDue(now time.Time) bool {
	return slices.ContainsFunc(q.onTrust, func(t trusted) bool { return !now.Before(t.ackAt) })
}

// keepTrust forgets the deliveries that the receiver has on disk at now. mu is held.
func (q *queue) keepTrust(now time.Time) {
	q.onTrust = slices.DeleteFunc(q.onTrust, func(t trusted) bool { return !now.Before(t.ackAt) })
}

// breakTrust counts what the receiver may have lost and cannot get again. mu is held.
func (q *queue) breakTrust() {
	samples := 0
	for _, t := range q.onTrust {
		*t.lost += t.samples
		samples += t.samples
	}
	q.onTrust = nil
	if samples > 0 {
		q.sayDropped("the receiver may have restarted, and there was no room to keep them until it had them on disk", q.dropped.full+q.dropped.disk)
	}
}

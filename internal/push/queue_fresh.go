package push

// overtaking is the part of a queue that is handed out before a backlog: after an
// outage an operator wants to see now first, and the hour that is missing then.
//
//	ack ──── read ──── base ──── fresh.read ──── write
//	 waiting   backlog    fresh.waiting   to be handed out first
//
// On disk nothing tells of it: the cursor stays at ack, so a process that is
// killed meanwhile hands everything out again.
type overtaking struct {
	on bool
	// base is where the backlog ends; base <= read.
	base, read uint64
	// waiting are the deliveries between base and read, in order.
	waiting []delivery
}

// mark notes when the record at an offset was appended.
type mark struct {
	offset uint64
	timeMs int64
}

// The marks reach back two minutes at least while samples keep coming.
const (
	markIntervalMs = 30_000
	maxMarks       = 5
)

// note remembers an append at the end, now and then, and at once where the clock was set back.
func (q *queue) note(timeMs int64) {
	if n := len(q.marks); n > 0 {
		if since := timeMs - q.marks[n-1].timeMs; since >= 0 && since < markIntervalMs {
			return
		}
	}
	q.marks = append(q.marks, mark{q.write, timeMs})
	if len(q.marks) > maxMarks {
		q.marks = q.marks[1:]
	}
}

// overtake makes what was appended within the last minutes, and later, go before
// the rest. What had overtaken the rest before, and has become old itself, is
// handed out again.
func (q *queue) overtake() {
	q.mu.Lock()
	defer q.mu.Unlock()
	base := q.write
	if len(q.marks) > 0 {
		base = max(q.marks[0].offset, q.read)
	}
	q.fresh = overtaking{on: true, base: base, read: base}
}

// overtakes tells whether next(true) may have something. It ends the overtaking
// when the backlog has been handed out; call it between batches.
func (q *queue) overtakes() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.fresh.on && q.read >= q.fresh.base {
		q.waiting = append(q.waiting, q.fresh.waiting...)
		q.read = q.fresh.read
		q.fresh = overtaking{}
	}
	return q.fresh.on
}

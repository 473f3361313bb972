package push

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/apm-sidecar/apm-sidecar/internal/host"
)

// sayEvery is the least time between two lines of a log on the same trouble.
const sayEvery = time.Minute

// seldom is when something was last said.
type seldom struct{ last time.Time }

// time tells whether it is to be said again.
func (s *seldom) time() bool {
	now := time.Now()
	if now.Sub(s.last) < sayEvery {
		return false
	}
	s.last = now
	return true
}

// dropOverLimit gives up whole segments until the files fit maxBytes.
func (q *queue) dropOverLimit() {
	total := int64(0)
	for _, s := range q.segments {
		total += s.size
	}
	before := q.dropped.full
	for total > q.opts.maxBytes && len(q.segments) > 1 {
		total -= q.segments[0].size
		q.dropOldest(&q.dropped.full)
	}
	if q.dropped.full > before {
		q.sayDropped("the queue is full", q.dropped.full, slog.Int64("max_bytes", q.opts.maxBytes))
	}
}

// giveWay drops the oldest segment of a queue whose disk is full; false when
// there is nothing to drop that would make room on it.
func (q *queue) giveWay() bool {
	if q.segments[0].memory != nil {
		return false
	}
	if len(q.segments) == 1 {
		// Room comes from deleting a file: the records go on in another one.
		if q.segments[0].size == 0 || q.roll() != nil {
			return false
		}
	}
	if q.dropOldest(&q.dropped.disk) {
		q.sayDropped("the disk is full", q.dropped.disk, slog.String("dir", q.opts.dir))
	}
	return true
}

// leaveSpace keeps the queue from growing where the disk is nearly full: a new
// segment is begun only in place of an old one.
func (q *queue) leaveSpace() {
	if q.opts.minFreeBytes == 0 {
		return
	}
	free, err := host.FreeBytes(q.opts.dir)
	if err != nil || free >= q.opts.minFreeBytes {
		return
	}
	if q.dropOldest(&q.dropped.disk) {
		q.sayDropped("the disk is nearly full", q.dropped.disk,
			slog.Int64("free_bytes", free), slog.Int64("min_free_bytes", q.opts.minFreeBytes))
	}
}

// sayDropped logs that samples were given up, at most once in sayEvery: that goes on for as
// long as its cause. total counts all since the start.
func (q *queue) sayDropped(cause string, total int, detail ...slog.Attr) {
	q.unsaid = append(detail, slog.String("cause", cause), slog.Int("samples_in_all", total))
	q.sayUnsaid()
}

// sayUnsaid logs what sayDropped has not yet, when its time has come.
func (q *queue) sayUnsaid() {
	if q.unsaid != nil && q.sayDrops.time() {
		q.opts.logger.LogAttrs(context.Background(), slog.LevelWarn, "oldest samples dropped", q.unsaid...)
		q.unsaid = nil
	}
}

// dropOldest gives up the first of at least two segments, delivered or not. The samples that
// the receiver has not are added to lost, and it tells whether there are any.
func (q *queue) dropOldest(lost *int) bool {
	dropped := q.segments[0].pending()
	q.removeOldest()
	if base := q.segments[0].base; q.ack < base {
		q.ack = base
		q.read = max(q.read, base)
		q.fresh.base = max(q.fresh.base, base)
		q.fresh.read = max(q.fresh.read, base)
		for _, list := range []*[]delivery{&q.waiting, &q.fresh.waiting} {
			kept := from(*list, base)
			for _, d := range (*list)[:len(*list)-len(kept)] {
				dropped -= d.samples
				q.onTrust = append(q.onTrust, trusted{d, lost})
			}
			*list = kept
		}
		q.saveCursor()
	}
	*lost += dropped
	return dropped > 0
}

// from are the deliveries that end behind base.
func from(ds []delivery, base uint64) []delivery {
	for len(ds) > 0 && ds[0].end <= base {
		ds = ds[1:]
	}
	return ds
}

// removeOldest deletes the first segment. A file that stays behind is deleted
// at the next open: it lies before the cursor.
func (q *queue) removeOldest() {
	s := q.segments[0]
	q.segments = q.segments[1:]
	q.forget(s)
}

// forget deletes what a segment has on the disk, and what is open of it.
func (q *queue) forget(s *segment) {
	if q.reader != nil && q.readerBase == s.base {
		q.reader.Close()
		q.reader = nil
	}
	if s.unsynced != nil {
		s.unsynced.Close()
	}
	if s.memory != nil {
		return
	}
	if err := os.Remove(s.path); err != nil {
		q.opts.logger.Warn("queue segment not removed", slog.Any("error", err))
	}
}

// isDiskFull tells the errors that deleting a file may cure.
func isDiskFull(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}

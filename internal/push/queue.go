package push

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// appendFile is the part of *os.File that the writing side uses.
type appendFile interface {
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Sync() error
}

// queueOptions are the settings of one queue.
type queueOptions struct {
	dir string
	// maxBytes bounds the files; the oldest segment goes when it is passed.
	maxBytes int64
	logger   *slog.Logger
	// minFreeBytes is the space on the disk that the queue leaves to others: with
	// less, it does not grow any more. Zero means none.
	minFreeBytes int64
	// openFile opens a segment for writing; nil means the real one.
	openFile func(path string) (appendFile, error)
}

// delivery is a record that was handed over and waits for its acknowledgement.
type delivery struct {
	// end is the logical offset behind the record.
	end     uint64
	samples int
	timeMs  int64
	// ackAt is when the receiver has it on disk, unless it restarted before.
	ackAt time.Time
}

// queue is the log of one destination: append, read, acknowledge. What append
// accepted is in the page cache of the system, so it outlives the process.
// Appending and reading may go on at once; there is one reader.
type queue struct {
	opts queueOptions
	// more has a value when something was appended since it was last taken.
	more chan struct{}

	mu     sync.Mutex
	closed bool
	// segments are sorted by base; the last one is written to.
	segments []*segment
	active   appendFile
	cursor   *os.File
	// ack <= read <= write, all logical offsets: acknowledged, handed out, written.
	ack, read, write uint64
	// waiting are the deliveries between ack and read, in order.
	waiting []delivery
	// fresh is what goes before the rest while there is a backlog.
	fresh overtaking
	// marks are places in the log of the last minutes, oldest first.
	marks []mark
	// dirty says that something was written since the last sync.
	dirty bool
	// reader is the open file of the segment that starts at readerBase.
	reader     *os.File
	readerBase uint64
	writeBuf   []byte
	readBuf    []byte
	dropped    drops
}

// append writes one record. When the disk is full, the oldest samples make room
// for it. On an error nothing of it remains and what was written before, and not
// given up, is untouched.
func (q *queue) append(r record) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	q.writeBuf = appendRecord(q.writeBuf[:0], r)
	if len(q.writeBuf) > headBytes+maxBodyBytes {
		return fmt.Errorf("record of %d bytes is longer than %d", len(q.writeBuf), headBytes+maxBodyBytes)
	}
	if q.segments[len(q.segments)-1].size >= q.segmentBytes() {
		if err := q.roll(); err != nil {
			return err
		}
		q.leaveSpace()
	}
	err := q.writeRecord()
	for isDiskFull(err) && q.giveWay() {
		err = q.writeRecord()
	}
	if err != nil {
		return fmt.Errorf("queue %s: %w", q.opts.dir, err)
	}
	q.note(r.timeMs)
	last := q.segments[len(q.segments)-1]
	last.size += int64(len(q.writeBuf))
	last.samples += r.samples
	q.write = last.end()
	q.dirty = true
	q.dropOverLimit()
	select {
	case q.more <- struct{}{}:
	default:
	}
	return nil
}

// writeRecord writes writeBuf behind the last record. After an error the next one
// goes to the same place; the cut only tidies up.
func (q *queue) writeRecord() error {
	size := q.segments[len(q.segments)-1].size
	_, err := q.active.WriteAt(q.writeBuf, size)
	if err != nil {
		return errors.Join(err, q.active.Truncate(size))
	}
	return nil
}

// segmentBytes is the size at which a new segment is begun: small enough that
// giving up one is a small loss.
func (q *queue) segmentBytes() int64 {
	return min(max(q.opts.maxBytes/16, 4<<10), 8<<20)
}

// roll begins a new segment.
func (q *queue) roll() error {
	next := &segment{path: segmentPath(q.opts.dir, q.write), base: q.write}
	f, err := q.opts.openFile(next.path)
	if err != nil {
		return fmt.Errorf("queue: new segment: %w", err)
	}
	if q.active != nil {
		if err := errors.Join(q.active.Sync(), q.active.Close()); err != nil {
			q.opts.logger.Warn("queue segment not closed cleanly", slog.Any("error", err))
		}
	}
	q.active = f
	q.segments = append(q.segments, next)
	return nil
}

// next hands out the record behind the last one handed out, of those that
// overtake or of the others. The payload is valid until the next call. ok is
// false when there is none. Damaged records are counted and skipped.
func (q *queue) next(fresh bool) (r record, start, end uint64, ok bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	at, until := &q.read, q.write
	if fresh {
		at = &q.fresh.read
	} else if q.fresh.on {
		until = q.fresh.base
	}
	for !q.closed {
		s := q.segmentAt(*at)
		if s == nil || *at >= until {
			return record{}, *at, *at, false, nil
		}
		*at = max(*at, s.base)
		if err := q.openReader(s); err != nil {
			return record{}, 0, 0, false, err
		}
		r, n, err := readRecord(q.reader, int64(*at-s.base), s.size, &q.readBuf)
		var d *damage
		if asDamage(err, &d) {
			q.opts.logger.Error("queue record damaged, skipped",
				slog.String("segment", s.path), slog.Uint64("offset", *at-s.base), slog.String("what", d.what))
			*at += uint64(d.extent)
			continue
		}
		if err != nil {
			return record{}, 0, 0, false, fmt.Errorf("queue %s: %w", s.path, err)
		}
		start = *at
		*at += uint64(n)
		return r, start, *at, true, nil
	}
	return record{}, 0, 0, false, ErrClosed
}

// end is the logical offset behind the last record.
func (q *queue) end() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.write
}

// segmentAt finds the segment that holds the record at off, or the first one
// behind it; nil when everything was read.
func (q *queue) segmentAt(off uint64) *segment {
	for _, s := range q.segments {
		if off < s.end() {
			return s
		}
	}
	return nil
}

// openReader makes q.reader the file of s.
func (q *queue) openReader(s *segment) error {
	if q.reader != nil && q.readerBase == s.base {
		return nil
	}
	f, err := os.Open(s.path)
	if err != nil {
		return fmt.Errorf("queue: %w", err)
	}
	if q.reader != nil {
		q.reader.Close()
	}
	q.reader, q.readerBase = f, s.base
	return nil
}

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
	return len(q.waiting) > 0 && !now.Before(q.waiting[0].ackAt)
}

// ackDue acknowledges the deliveries whose time had come at now and removes
// segments that are not needed any more. It reports whether something moved.
func (q *queue) ackDue(now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
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

// rewind makes next hand out everything not acknowledged again; it reports
// whether there was something accepted among it.
func (q *queue) rewind() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	again := len(q.waiting)+len(q.fresh.waiting) > 0
	q.waiting = q.waiting[:0]
	q.fresh.waiting = q.fresh.waiting[:0]
	q.read, q.fresh.read = q.ack, q.fresh.base
	return again
}

// stepBack makes next(fresh) hand out the records from off on again. Deliveries
// before off stay delivered.
func (q *queue) stepBack(off uint64, fresh bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if fresh {
		q.fresh.read = max(off, q.fresh.base)
		return
	}
	q.read = max(off, q.ack)
}

// saveCursor writes the cursor; when that fails, more is replayed after a crash.
func (q *queue) saveCursor() {
	if _, err := q.cursor.WriteAt(appendCursor(nil, q.ack), 0); err != nil {
		q.opts.logger.Warn("queue cursor not written", slog.Any("error", err))
	}
}

// sync brings what was written to the disk itself, against power cuts.
func (q *queue) sync() error {
	q.mu.Lock()
	f, dirty := q.active, q.dirty && !q.closed
	q.dirty = false
	q.mu.Unlock()
	if !dirty {
		return nil
	}
	// A segment closed meanwhile was synced by roll.
	if err := f.Sync(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("queue %s: %w", q.opts.dir, err)
	}
	return nil
}

// close closes the files; what is not acknowledged is replayed at the next open.
func (q *queue) close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil
	}
	q.closed = true
	if q.reader != nil {
		q.reader.Close()
	}
	return errors.Join(q.active.Sync(), q.active.Close(), q.cursor.Close())
}

// asDamage is errors.As for *damage.
func asDamage(err error, d **damage) bool { return errors.As(err, d) }

// openAppendFile is the real queueOptions.openFile.
func openAppendFile(path string) (appendFile, error) { return openOwn(path) }

// openOwn opens a file of the queue's own folder to write to, and makes it if need be. A link is
// refused: the sidecar may run as root, and would write over whatever it leads to.
func openOwn(path string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Clean(path), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o640)
	if errors.Is(err, unix.ELOOP) {
		return nil, fmt.Errorf("%s is a link, which the queue does not write through: remove it", path)
	}
	return f, err
}

package push

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
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
	// dirty says that something was written since the last sync.
	dirty bool
	// reader is the open file of the segment that starts at readerBase.
	reader     *os.File
	readerBase uint64
	writeBuf   []byte
	readBuf    []byte
	// droppedFull and droppedDamaged count samples given up since open.
	droppedFull, droppedDamaged int
}

// append writes one record. On an error nothing of it remains and everything
// written before is untouched.
func (q *queue) append(r record) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	q.writeBuf = appendRecord(q.writeBuf[:0], r)
	if len(q.writeBuf) > headBytes+maxRecordBytes {
		return fmt.Errorf("record of %d bytes is longer than %d", len(q.writeBuf), headBytes+maxRecordBytes)
	}
	if q.segments[len(q.segments)-1].size >= q.segmentBytes() {
		if err := q.roll(); err != nil {
			return err
		}
	}
	last := q.segments[len(q.segments)-1]
	if _, err := q.active.WriteAt(q.writeBuf, last.size); err != nil {
		// The next append writes at the same place; the cut only tidies up.
		return errors.Join(fmt.Errorf("queue %s: %w", q.opts.dir, err), q.active.Truncate(last.size))
	}
	last.size += int64(len(q.writeBuf))
	last.samples += r.samples
	q.write = last.end()
	q.dirty = true
	q.dropOldest()
	select {
	case q.more <- struct{}{}:
	default:
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

// dropOldest gives up whole segments until the files fit maxBytes.
func (q *queue) dropOldest() {
	total := int64(0)
	for _, s := range q.segments {
		total += s.size
	}
	dropped := 0
	for total > q.opts.maxBytes && len(q.segments) > 1 {
		oldest := q.segments[0]
		total -= oldest.size
		dropped += oldest.pending()
		q.removeOldest()
	}
	if dropped == 0 {
		return
	}
	q.droppedFull += dropped
	q.opts.logger.Warn("queue is full, oldest samples dropped",
		slog.Int("samples", dropped), slog.Int64("max_bytes", q.opts.maxBytes))
	if base := q.segments[0].base; q.ack < base {
		q.ack = base
		q.read = max(q.read, base)
		for len(q.waiting) > 0 && q.waiting[0].end <= base {
			q.waiting = q.waiting[1:]
		}
		q.saveCursor()
	}
}

// removeOldest deletes the first segment. A file that stays behind is deleted
// at the next open: it lies before the cursor.
func (q *queue) removeOldest() {
	s := q.segments[0]
	q.segments = q.segments[1:]
	if q.reader != nil && q.readerBase == s.base {
		q.reader.Close()
		q.reader = nil
	}
	if err := os.Remove(s.path); err != nil {
		q.opts.logger.Warn("queue segment not removed", slog.Any("error", err))
	}
}

// next hands out the record behind the last one handed out. The payload is
// valid until the next call. ok is false when there is none. Damaged records are
// counted and skipped.
func (q *queue) next() (r record, start, end uint64, ok bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.closed {
		s := q.segmentAt(q.read)
		if s == nil {
			return record{}, q.read, q.read, false, nil
		}
		q.read = max(q.read, s.base)
		if err := q.openReader(s); err != nil {
			return record{}, 0, 0, false, err
		}
		r, n, err := readRecord(q.reader, int64(q.read-s.base), s.size, &q.readBuf)
		var d *damage
		if asDamage(err, &d) {
			q.opts.logger.Error("queue record damaged, skipped",
				slog.String("segment", s.path), slog.Uint64("offset", q.read-s.base), slog.String("what", d.what))
			if q.read += uint64(d.extent); d.extent == 0 {
				q.read = s.end()
			}
			continue
		}
		if err != nil {
			return record{}, 0, 0, false, fmt.Errorf("queue %s: %w", s.path, err)
		}
		start = q.read
		q.read += uint64(n)
		return r, start, q.read, true, nil
	}
	return record{}, 0, 0, false, ErrClosed
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

// delivered notes that the receiver accepted records; they are acknowledged
// when their time comes. Records dropped meanwhile are ignored.
func (q *queue) delivered(ds []delivery) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, d := range ds {
		if d.end > q.ack {
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
	moved := false
	for len(q.waiting) > 0 && !now.Before(q.waiting[0].ackAt) {
		d := q.waiting[0]
		q.waiting = q.waiting[1:]
		q.ack = d.end
		moved = true
		if s := q.segmentAt(d.end - 1); s != nil {
			s.done += d.samples
		}
	}
	if !moved {
		return false
	}
	q.saveCursor()
	for len(q.segments) > 1 && q.segments[0].end() <= q.ack {
		q.droppedDamaged += q.segments[0].pending()
		q.removeOldest()
	}
	return true
}

// rewind makes next hand out everything not acknowledged again; it reports
// whether there was something accepted among it.
func (q *queue) rewind() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	again := len(q.waiting) > 0
	q.waiting = q.waiting[:0]
	q.read = q.ack
	return again
}

// stepBack makes next hand out the records from off on again. Deliveries before
// off stay delivered.
func (q *queue) stepBack(off uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
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

// queueStats are the values of a queue at one moment.
type queueStats struct {
	// bytes and samples are those not acknowledged.
	bytes   uint64
	samples int
	// oldestMs is the append time of the oldest one, 0 when there is none.
	oldestMs                    int64
	droppedFull, droppedDamaged int
}

func (q *queue) stats() queueStats {
	q.mu.Lock()
	defer q.mu.Unlock()
	st := queueStats{bytes: q.write - q.ack, droppedFull: q.droppedFull, droppedDamaged: q.droppedDamaged}
	for _, s := range q.segments {
		st.samples += s.pending()
	}
	if len(q.waiting) > 0 {
		st.oldestMs = q.waiting[0].timeMs
	} else if s := q.segmentAt(q.read); s != nil && !q.closed {
		st.oldestMs = q.peekTime(s)
	}
	return st
}

// peekTime reads the append time of the record to be handed out next, which is
// in s; 0 when it cannot be read.
func (q *queue) peekTime(s *segment) int64 {
	f, err := os.Open(s.path)
	if err != nil {
		return 0
	}
	defer f.Close()
	var buf []byte
	r, _, err := readRecord(f, int64(max(q.read, s.base)-s.base), s.size, &buf)
	if err != nil {
		return 0
	}
	return r.timeMs
}

// asDamage is errors.As for *damage.
func asDamage(err error, d **damage) bool { return errors.As(err, d) }

// openAppendFile is the real queueOptions.openFile.
func openAppendFile(path string) (appendFile, error) {
	return os.OpenFile(filepath.Clean(path), os.O_RDWR|os.O_CREATE, 0o640)
}

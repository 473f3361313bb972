package push

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
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
	// minFreeBytes is the space on the disk that the queue leaves to others: with
	// less, it does not grow any more. Zero means none.
	minFreeBytes int64
	// maxMemory bounds what waits in memory while the disk takes nothing; zero means none.
	maxMemory int64
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
	// rolled is when the last segment was begun, zero where that was before the start.
	rolled time.Time
	cursor *os.File
	// ack <= read <= write, all logical offsets: acknowledged, handed out, written.
	ack, read, write uint64
	// waiting are the deliveries between ack and read, in order.
	waiting []delivery
	// fresh is what goes before the rest while there is a backlog.
	fresh overtaking
	// marks are places in the log of the last minutes, oldest first.
	marks []mark
	// dirty says that something was written since the last sync.
	dirty   bool
	syncing syncing
	// reader is the open file of the segment that starts at readerBase.
	reader     readFile
	readerBase uint64
	writeBuf   []byte
	readBuf    []byte
	dropped    drops
	// What the log is told now and then: of samples given up, of a segment that could not be
	// begun, of a cursor that could not be written, of samples that wait in memory.
	sayDrops, sayFiles, sayCursor, sayShelter seldom
	// saidShelter is true since the log was told of the latter.
	saidShelter bool
	// unread is the place that cannot be read.
	unread unread
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
		if err := q.openReader(s); errors.Is(err, os.ErrNotExist) {
			if err := q.passOver(s); err != nil {
				return record{}, 0, 0, false, err
			}
			*at = s.end()
			continue
		} else if err != nil {
			return record{}, 0, 0, false, err
		}
		r, n, err := readRecord(q.reader, int64(*at-s.base), s.size, &q.readBuf)
		if q.unread.lost(*at, err, time.Now()) {
			err = notGivenBack(int64(*at-s.base), s.size)
		}
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

// passOver says that the file of s is gone, somebody removed it. Were it the one that is
// written to, what comes would be lost with it: that goes on in another one.
func (q *queue) passOver(s *segment) error {
	if s == q.segments[len(q.segments)-1] {
		if err := q.roll(); err != nil {
			return err
		}
	}
	q.opts.logger.Error("queue segment is gone, its samples are lost",
		slog.String("segment", s.path), slog.Int("samples", s.pending()))
	return nil
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
	f, err := openSegment(s)
	if err != nil {
		return fmt.Errorf("queue: %w", err)
	}
	if q.reader != nil {
		q.reader.Close()
	}
	q.reader, q.readerBase = f, s.base
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
	q.sayLeft()
	var errs []error
	for _, f := range append(q.takeUnsynced(), q.active) {
		errs = append(errs, f.Sync(), f.Close())
	}
	return errors.Join(append(errs, q.cursor.Close())...)
}

// asDamage is errors.As for *damage.
func asDamage(err error, d **damage) bool { return errors.As(err, d) }

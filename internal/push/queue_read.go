package push

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"time"
)

// place is where a record lies. It is good for as long as its segment is not given up.
type place struct {
	// segment is nil where there is no record.
	segment *segment
	// at is the logical offset of the record.
	at uint64
	// from is its offset in the segment, of which size bytes are in use.
	from, size int64
	// file is what the segment is read from, nil while that is not open.
	file io.ReaderAt
}

// next hands out the record behind the last one handed out, of those that
// overtake or of the others. The payload is valid until the next call. ok is
// false when there is none. Damaged records are counted and skipped.
//
// It asks the disk without the lock: one that takes its time must not hold up append.
// What append gives up meanwhile to make room is not handed out.
func (q *queue) next(fresh bool) (r record, start, end uint64, ok bool, err error) {
	for {
		p, err := q.toRead(fresh)
		if err != nil || p.segment == nil {
			return record{}, p.at, p.at, false, err
		}
		if p.file == nil {
			if err := q.openReader(p, fresh); err != nil {
				return record{}, 0, 0, false, err
			}
			continue
		}
		r, n, err := readRecord(p.file, p.from, p.size, &q.readBuf)
		if q.unread.lost(p.at, err, time.Now()) {
			err = notGivenBack(p.from, p.size)
		}
		d, damaged := errors.AsType[*damage](err)
		if damaged {
			n, err = d.extent, nil
		}
		end = p.at + uint64(n)
		switch left := q.leave(p, fresh, end); {
		case !left:
		case err != nil:
			return record{}, 0, 0, false, fmt.Errorf("queue %s: %w", p.segment.path, err)
		case damaged:
			q.opts.logger.Error("queue record damaged, skipped",
				slog.String("segment", p.segment.path), slog.Int64("offset", p.from), slog.String("what", d.what))
		default:
			return r, p.at, end, true, nil
		}
	}
}

// toRead is the place of the record that next(fresh) is to hand out.
func (q *queue) toRead(fresh bool) (place, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return place{}, ErrClosed
	}
	at, until := q.reading(fresh)
	s := q.segmentAt(*at)
	if s == nil || *at >= until {
		return place{at: *at}, nil
	}
	*at = max(*at, s.base)
	p := placeIn(s, *at)
	if p.file == nil && q.reader != nil && q.readerBase == s.base {
		p.file = q.reader
	}
	return p, nil
}

// reading is how far next(fresh) has come, and where its part of the log ends. mu is held.
func (q *queue) reading(fresh bool) (at *uint64, until uint64) {
	switch {
	case fresh:
		return &q.fresh.read, q.write
	case q.fresh.on:
		return &q.read, q.fresh.base
	}
	return &q.read, q.write
}

// placeIn is the place of the record at an offset, which is in s. The queue's mu is held.
func placeIn(s *segment, at uint64) place {
	p := place{segment: s, at: at, from: int64(at - s.base), size: s.size}
	if s.memory != nil { // the bytes in use never change
		p.file = bytes.NewReader(s.memory.data[:s.size])
	}
	return p
}

// leave moves what next(fresh) reads from a place to the offset end. It is false where that
// place was given up since: the next one is another.
func (q *queue) leave(p place, fresh bool, end uint64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	at, _ := q.reading(fresh)
	if q.closed || *at != p.at {
		return false
	}
	*at = end
	return true
}

// openReader opens the segment of a place for the next look. One whose file is gone is
// passed over.
func (q *queue) openReader(p place, fresh bool) error {
	f, err := q.opts.openRead(p.segment.path)
	q.mu.Lock()
	defer q.mu.Unlock()
	switch wanted := !q.closed && slices.Contains(q.segments, p.segment); {
	case !wanted && err == nil:
		return f.Close()
	case !wanted:
		return nil
	case errors.Is(err, os.ErrNotExist):
		at, _ := q.reading(fresh)
		return q.passOver(p.segment, at)
	case err != nil:
		return fmt.Errorf("queue: %w", err)
	}
	if q.reader != nil {
		q.reader.Close()
	}
	q.reader, q.readerBase = f, p.segment.base
	return nil
}

// passOver moves at behind s, whose file is gone: somebody removed it. Were it the one that
// is written to, what comes would be lost with it: that goes on in another one.
func (q *queue) passOver(s *segment, at *uint64) error {
	if s == q.segments[len(q.segments)-1] {
		if err := q.roll(); err != nil {
			return err
		}
	}
	q.opts.logger.Error("queue segment is gone, its samples are lost",
		slog.String("segment", s.path), slog.Int("samples", s.pending()))
	*at = s.end()
	return nil
}

// segmentAt finds the segment that holds the record at off, or the first one
// behind it; nil when everything was read. mu is held.
func (q *queue) segmentAt(off uint64) *segment {
	for _, s := range q.segments {
		if off < s.end() {
			return s
		}
	}
	return nil
}

// openReadFile is the real queueOptions.openRead.
func openReadFile(path string) (readFile, error) { return os.Open(path) }

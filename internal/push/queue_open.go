package push

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
)

// openQueue opens or creates the queue in opts.dir. A torn tail is cut, a bad
// cursor means that everything found is delivered again.
func openQueue(opts queueOptions) (*queue, error) {
	if opts.openFile == nil {
		opts.openFile = openAppendFile
	}
	if opts.openRead == nil {
		opts.openRead = openReadFile
	}
	if err := os.MkdirAll(opts.dir, 0o750); err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	q := &queue{opts: opts, more: make(chan struct{}, 1)}
	cursor, err := readCursor(opts.dir)
	if errors.Is(err, errBadCursor) {
		opts.logger.Warn("queue cursor damaged, everything is delivered again", slog.String("dir", opts.dir))
	} else if err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	if err := q.load(cursor); err != nil {
		return nil, fmt.Errorf("queue %s: %w", opts.dir, err)
	}
	if err := q.openActive(); err != nil {
		return nil, err
	}
	if err := writeCursor(opts.dir, q.ack); err != nil {
		q.active.Close()
		return nil, fmt.Errorf("queue: write cursor: %w", err)
	}
	return q, nil
}

// load reads the segments and places the offsets.
func (q *queue) load(cursor uint64) error {
	bases, err := listSegments(q.opts.dir)
	if err != nil {
		return err
	}
	first, known, err := q.find(bases, cursor)
	if err != nil {
		return err
	}
	if !known {
		q.opts.logger.Warn("queue cursor is not of these files, everything in them is delivered again", slog.String("dir", q.opts.dir))
		cursor = 0
	}
	q.ack, q.write = cursor, cursor
	for i, base := range bases {
		path := segmentPath(q.opts.dir, base)
		if len(q.segments) > 0 && base < q.write {
			q.opts.logger.Error("a file in the queue's folder is no part of the queue, and left alone",
				slog.String("segment", path))
			continue
		}
		if i < first {
			if err := os.Remove(path); err != nil { // acknowledged, left behind by a crash
				return err
			}
			continue
		}
		s, err := scanSegment(path, base, cursor, &q.readBuf)
		if err != nil {
			return err
		}
		bad := s.damaged
		if i+1 < len(bases) {
			bad = bad.and(s.tail)
		}
		if bad.count > 0 {
			q.opts.logger.Error("queue segment has damaged records",
				slog.String("segment", path), slog.Int("records", bad.count), slog.Int("samples_lost", bad.samples))
			q.dropped.damaged += bad.samples
		}
		q.segments = append(q.segments, &s.segment)
		q.write = s.end()
	}
	if len(q.segments) == 0 {
		q.segments = []*segment{{path: segmentPath(q.opts.dir, q.write), base: q.write}}
	}
	q.ack = min(max(q.ack, q.segments[0].base), q.write)
	q.read = q.ack
	return nil
}

// find is the index of the segment that the cursor lies in: those before it are acknowledged,
// left behind by a crash. It is not known where the cursor is neither at the start of a record nor
// at the end: it belongs to other files, or what it stood for is lost.
func (q *queue) find(bases []uint64, cursor uint64) (first int, known bool, err error) {
	behind, at := slices.BinarySearch(bases, cursor)
	if !at {
		behind--
	}
	if behind < 0 { // all files are younger
		return 0, true, nil
	}
	s, err := scanSegment(segmentPath(q.opts.dir, bases[behind]), bases[behind], cursor, &q.readBuf)
	if err != nil || !s.onBoundary {
		return 0, false, err
	}
	return behind, true, nil
}

// listSegments returns the bases of the segment files, sorted.
func listSegments(dir string) ([]uint64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var bases []uint64
	for _, e := range entries {
		if base, ok := parseSegmentName(e.Name()); ok {
			bases = append(bases, base)
		}
	}
	slices.Sort(bases)
	return bases, nil
}

// openActive opens the last segment for appending and cuts its torn tail.
func (q *queue) openActive() error {
	last := q.segments[len(q.segments)-1]
	f, err := q.opts.openFile(last.path)
	if err != nil {
		return fmt.Errorf("queue: %w", err)
	}
	info, err := os.Stat(last.path)
	if err == nil && info.Size() > last.size {
		q.opts.logger.Warn("queue: torn tail cut",
			slog.String("segment", last.path), slog.Int64("bytes", info.Size()-last.size))
	}
	if err := f.Truncate(last.size); err != nil {
		f.Close()
		return fmt.Errorf("queue: cut torn tail: %w", err)
	}
	q.active = f
	return nil
}

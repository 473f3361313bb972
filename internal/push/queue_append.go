package push

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// rollInterval is the least time between two segments that are smaller than they might be.
const rollInterval = 10 * time.Second

// append writes one record. When the disk is full, the oldest samples make room
// for it; when it takes nothing at all, memory does, which has little. On an error
// nothing of it remains and what was written before, and not given up, is untouched.
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
	err := q.extend()
	for isDiskFull(err) && q.giveWay() {
		err = q.extend()
	}
	if err != nil {
		err = q.shelter(err)
	}
	if err != nil {
		return fmt.Errorf("queue %s: %w", q.opts.dir, err)
	}
	if !q.inMemory() {
		q.leftShelter()
	}
	q.note(r.timeMs)
	last := q.segments[len(q.segments)-1]
	last.size += int64(len(q.writeBuf))
	last.samples += r.samples
	q.write = last.end()
	q.dirty = true
	q.dropOverLimit()
	q.sayUnsaid()
	select {
	case q.more <- struct{}{}:
	default:
	}
	return nil
}

// extend writes writeBuf into the last segment, or into a new one if that is full and
// another file can be opened.
func (q *queue) extend() error {
	last := q.segments[len(q.segments)-1]
	if last.size >= q.segmentBytes() || last.memory != nil && time.Since(q.rolled) >= rollInterval {
		switch err := q.roll(); {
		case err == nil:
			q.leaveSpace()
		case last.memory != nil:
			return q.shelter(err)
		case isDiskFull(err) || last.size >= q.opts.maxBytes:
			return err
		default: // too many open files, perhaps: the one that is open takes more
			if q.sayFiles.time() {
				q.opts.logger.Warn("queue cannot begin a new file, it goes on in the old one", slog.Any("error", err))
			}
		}
	}
	return q.writeRecord()
}

// writeRecord writes writeBuf behind the last record. After an error the next one
// goes to the same place; the cut only tidies up.
func (q *queue) writeRecord() error {
	if q.inMemory() && q.sheltered()+int64(len(q.writeBuf)) > q.opts.maxMemory {
		return errShelterFull
	}
	size := q.segments[len(q.segments)-1].size
	_, err := q.active.WriteAt(q.writeBuf, size)
	if err != nil {
		return errors.Join(err, q.active.Truncate(size))
	}
	return nil
}

// segmentBytes is the size at which a new segment is begun: small enough that
// giving up one is a small loss, of what is allowed to wait and of what does. As each costs
// the disk some work, small ones follow each other slowly.
func (q *queue) segmentBytes() int64 {
	most := min(max(q.opts.maxBytes/16, 4<<10), 8<<20)
	if time.Since(q.rolled) < rollInterval {
		return most
	}
	waiting := int64(q.write - q.ack)
	return min(max(waiting/16, 16<<10), most)
}

// roll begins a new segment. The one before is for sync: Append does not wait for the disk.
func (q *queue) roll() error {
	next := &segment{path: segmentPath(q.opts.dir, q.write), base: q.write}
	f, err := q.opts.openFile(next.path)
	if err != nil {
		return fmt.Errorf("new segment: %w", err)
	}
	q.retire(q.segments[len(q.segments)-1])
	q.active, q.rolled = f, time.Now()
	q.segments = append(q.segments, next)
	return nil
}

// retire leaves the file that was written to until now, that of s, to sync.
func (q *queue) retire(s *segment) {
	if s.memory == nil {
		s.unsynced = q.active
	}
}

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

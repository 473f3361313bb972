package push

import (
	"errors"
	"log/slog"
	"time"
)

// maxShelter bounds what of one queue waits in memory while the disk takes nothing, in bytes.
const maxShelter = 16 << 20

var errShelterFull = errors.New("the disk takes nothing, and there is no more room in memory")

// memoryFile is a segment where the disk takes none. It goes with the process. The queue's
// lock guards it.
type memoryFile struct{ data []byte }

// WriteAt implements appendFile; off is not behind the end.
func (m *memoryFile) WriteAt(p []byte, off int64) (int, error) {
	m.data = append(m.data[:off], p...)
	return len(p), nil
}

// Truncate implements appendFile; it never makes it longer.
func (m *memoryFile) Truncate(size int64) error {
	m.data = m.data[:size]
	return nil
}

// Sync implements appendFile: no disk is meant to have it.
func (*memoryFile) Sync() error { return nil }

// Close implements appendFile; what is in it can be read after that.
func (*memoryFile) Close() error { return nil }

// shelter writes writeBuf into memory, as the disk does not take it, for as long as there is
// room: what a receiver takes need not be lost for that. The disk is tried again each
// rollInterval. The error is the cause, where there is no room.
func (q *queue) shelter(cause error) error {
	if q.sheltered()+int64(len(q.writeBuf)) > q.opts.maxMemory {
		return cause
	}
	q.rollIntoMemory()
	if !q.saidShelter && q.sayShelter.time() {
		q.saidShelter = true
		q.opts.logger.Warn("the disk takes no samples, they wait in memory until it does, and would go with the process", slog.Any("error", cause))
	}
	return q.writeRecord()
}

// leftShelter notes that a record is on the disk again.
func (q *queue) leftShelter() {
	if q.saidShelter {
		q.saidShelter = false
		q.opts.logger.Info("the disk takes samples again")
	}
}

// rollIntoMemory begins a new segment in memory; an empty one gives way to it.
func (q *queue) rollIntoMemory() {
	n := len(q.segments) - 1
	if last := q.segments[n]; last.size > 0 {
		q.retire(last)
	} else {
		q.active.Close()
		q.forget(last)
		q.segments = q.segments[:n]
	}
	m := &memoryFile{}
	q.active, q.rolled = m, time.Now()
	q.segments = append(q.segments, &segment{base: q.write, memory: m})
}

// inMemory tells whether the segment that is written to is there.
func (q *queue) inMemory() bool { return q.segments[len(q.segments)-1].memory != nil }

// sheltered is the size of the segments in memory.
func (q *queue) sheltered() int64 {
	size := int64(0)
	for _, s := range q.segments {
		if s.memory != nil {
			size += s.size
		}
	}
	return size
}

// inMemoryAlone is how many samples the disk does not have.
func (q *queue) inMemoryAlone() int {
	samples := 0
	for _, s := range q.segments {
		if s.memory != nil {
			samples += s.pending()
		}
	}
	return samples
}

// sayLeft tells what goes with the process.
func (q *queue) sayLeft() {
	if samples := q.inMemoryAlone(); samples > 0 {
		q.opts.logger.Error("what waits in memory goes with the process, as the disk took none: it cannot be sent, nor sent again", slog.Int("samples", samples))
	}
}

package push

import (
	"log/slog"
	"time"
)

const (
	// batchBytes and batchSamples end a batch: a backlog goes in few requests.
	batchBytes   = 1 << 20
	batchSamples = 10000
	// freshAge is how old the next record is when later ones may overtake it: beyond
	// a replayed window, the longest pause between two attempts, and the marks.
	freshAge = 3 * retryMax
)

// pending is a batch with the records it was made of.
type pending struct {
	Batch
	// start is the logical offset of the first record.
	start   uint64
	records []delivery
	// fresh says that they overtook others.
	fresh bool
}

// nextBatch collects records up to the limits of a batch; there are none in it
// when the queue has no more. While there is a backlog, fresh ones go first, with
// receivers that take samples in any order.
func (w *worker) nextBatch() (pending, error) {
	overtaking := w.queue.overtakes()
	if overtaking {
		b, err := w.collect(true, true)
		if err != nil || len(b.records) > 0 {
			return b, err
		}
	}
	return w.collect(false, overtaking)
}

// collect makes a batch of records from one side of the queue, up to one that cannot be
// read. One that is alone in it
// goes out as it lies in the queue, several are unpacked and packed together.
func (w *worker) collect(fresh, overtaking bool) (pending, error) {
	b := pending{fresh: fresh}
	w.raw, w.frame = w.raw[:0], w.frame[:0]
	for len(b.records) == 0 || !w.alone(b.start) && b.Samples < batchSamples && len(w.raw) < batchBytes {
		r, start, end, ok, err := w.queue.next(fresh)
		if err != nil && len(b.records) == 0 {
			return b, err
		}
		if err != nil || !ok { // the error comes again when its record is the first
			break
		}
		switch len(b.records) {
		case 0:
			b.start = start
			if w.anyOrder && isOld(r, time.Now()) && fresh == overtaking {
				w.queue.overtake()
				if fresh { // it is part of the backlog now
					return pending{}, nil
				}
			}
			w.frame = append(w.frame, r.payload...)
			b.Samples = r.samples
		case 1:
			b.Samples = w.unpacked(w.frame, b.Samples) + w.unpacked(r.payload, r.samples)
		default:
			b.Samples += w.unpacked(r.payload, r.samples)
		}
		b.records = append(b.records, delivery{end: end, samples: r.samples, timeMs: r.timeMs})
	}
	if len(b.records) > 1 {
		// Messages of protobuf concatenate to one with the elements of both.
		w.frame = w.packing.pack(w.frame[:0], w.raw)
	} else {
		w.raw = nil // what a backlog needed goes with it
	}
	b.Batch = Batch{w.frame, b.Samples, w.packing}
	return b, nil
}

// isOld tells whether later records may overtake this one. One from the future is as old as it
// is ahead at least: the clock was set back since.
func isOld(r record, now time.Time) bool { return now.Sub(time.UnixMilli(r.timeMs)).Abs() > freshAge }

// unpacked appends the samples in a frame to raw and tells how many they are: what cannot
// be unpacked is dropped.
func (w *worker) unpacked(frame []byte, samples int) int {
	raw, err := w.packing.unpack(w.raw, frame)
	if err != nil {
		w.log.Error("queue record does not decode, dropped", slog.Any("error", err))
		w.metrics.undecodable.Add(samples)
		return 0
	}
	w.raw = raw
	return samples
}

// alone tells whether the record at off goes in a batch of its own.
func (w *worker) alone(off uint64) bool { return w.single.from <= off && off < w.single.until }

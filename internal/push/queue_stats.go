package push

// drops counts samples that a queue gave up.
type drops struct {
	// full: the queue had reached its limit. disk: the disk was full, or nearly.
	// damaged: the record could not be read.
	full, disk, damaged int
}

// queueStats are the values of a queue at one moment.
type queueStats struct {
	// bytes and samples are those not acknowledged.
	bytes   uint64
	samples int
	// inMemory is how many of them the disk does not have.
	inMemory int
	// dropped counts samples given up since open, by reason.
	dropped drops
}

func (q *queue) stats() queueStats {
	q.mu.Lock()
	defer q.mu.Unlock()
	st := queueStats{bytes: q.write - q.ack, inMemory: q.inMemoryAlone(), dropped: q.dropped}
	for _, s := range q.segments {
		st.samples += s.pending()
	}
	return st
}

// oldestMs is the append time of the oldest record that is not acknowledged, in milliseconds
// since the Unix epoch; 0 when there is none, or it cannot be read. As next, it asks the disk
// without the lock.
func (q *queue) oldestMs() int64 {
	waiting, p := q.oldest()
	switch {
	case waiting != nil:
		return waiting.timeMs
	case p.segment == nil:
		return 0
	case p.file == nil:
		f, err := q.opts.openRead(p.segment.path)
		if err != nil {
			return 0
		}
		defer f.Close()
		p.file = f
	}
	var buf []byte
	r, _, err := readRecord(p.file, p.from, p.size, &buf)
	if err != nil {
		return 0
	}
	return r.timeMs
}

// oldest is the oldest record: a delivery that waits, or else where it is in the log.
func (q *queue) oldest() (*delivery, place) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) > 0 {
		first := q.waiting[0]
		return &first, place{}
	}
	s := q.segmentAt(q.read)
	if s == nil || q.closed {
		return nil, place{}
	}
	return nil, placeIn(s, max(q.read, s.base))
}

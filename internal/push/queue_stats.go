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
	// oldestMs is the append time of the oldest one, 0 when there is none.
	oldestMs int64
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
	f, err := openSegment(s)
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

package heap

// numbers gives ids or addresses numbers from 0, in the order in which it meets them: open
// addressing, linear probing, at most half full. The zero value is empty. One goroutine at a time.
type numbers struct {
	slots []numbered
	mask  uint64
	n     int
	zero  uint32 // 1 + the number of the id 0, which marks free slots
}

// numbered is an id with its number.
type numbered struct {
	id     uint64
	number uint32
}

// of returns the id's number; fresh where it has got it just now.
func (t *numbers) of(id uint64) (number int, fresh bool) {
	if id == 0 {
		if fresh = t.zero == 0; fresh {
			t.n++
			t.zero = uint32(t.n)
		}
		return int(t.zero) - 1, fresh
	}
	if t.n*2 >= len(t.slots) {
		t.grow()
	}
	s := t.slot(id)
	if fresh = s.id == 0; fresh {
		*s = numbered{id, uint32(t.n)}
		t.n++
	}
	return int(s.number), fresh
}

// get returns the id's number, if it has one.
func (t *numbers) get(id uint64) (number int, ok bool) {
	switch {
	case id == 0:
		return int(t.zero) - 1, t.zero != 0
	case len(t.slots) == 0:
		return 0, false
	}
	s := t.slot(id)
	return int(s.number), s.id != 0
}

// slot returns the slot that has the id or that is free for it.
func (t *numbers) slot(id uint64) *numbered {
	for i := hash(id) & t.mask; ; i = (i + 1) & t.mask {
		if s := &t.slots[i]; s.id == id || s.id == 0 {
			return s
		}
	}
}

func (t *numbers) grow() {
	old := t.slots
	t.slots = make([]numbered, max(64, 2*len(old)))
	t.mask = uint64(len(t.slots) - 1)
	for _, s := range old {
		if s.id != 0 {
			*t.slot(s.id) = s
		}
	}
}

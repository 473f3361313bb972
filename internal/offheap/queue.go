package offheap

// Queue holds items that are taken off in the order in which they came. Its slabs are used
// again as they are emptied: it takes what its longest length does. The zero Queue is empty.
// One goroutine at a time.
type Queue[T Number] struct {
	slabs      []Array[T] // the items are in these, from first to last
	spare      []Array[T]
	begin, end int // of the items, counted from the first slab on
}

// Push adds an item at the end; m is what room is made from. Errors: no memory.
func (q *Queue[T]) Push(m *Memory, item T) error {
	if q.end == len(q.slabs)*slabItems {
		if err := q.grow(m); err != nil {
			return err
		}
	}
	q.slabs[q.end/slabItems].Items[q.end%slabItems] = item
	q.end++
	return nil
}

// grow adds a slab, one that was used before if there is any.
func (q *Queue[T]) grow(m *Memory) error {
	if n := len(q.spare); n > 0 {
		q.slabs, q.spare = append(q.slabs, q.spare[n-1]), q.spare[:n-1]
		return nil
	}
	slab, err := Reserve[T](m, slabItems)
	if err != nil {
		return err
	}
	q.slabs = append(q.slabs, slab)
	return nil
}

// Pop takes the first item off; ok is false where there is none.
func (q *Queue[T]) Pop() (item T, ok bool) {
	if q.begin == q.end {
		return item, false
	}
	item = q.slabs[0].Items[q.begin]
	if q.begin++; q.begin == slabItems {
		q.spare, q.slabs = append(q.spare, q.slabs[0]), q.slabs[1:]
		q.begin, q.end = 0, q.end-slabItems
	}
	return item, true
}

// Peek returns the n-th item from the front, counted from 0; ok is false where there are no more
// than n.
func (q *Queue[T]) Peek(n int) (item T, ok bool) {
	if n >= q.end-q.begin {
		return item, false
	}
	n += q.begin
	return q.slabs[n/slabItems].Items[n%slabItems], true
}

// Free gives the memory back; the queue is empty then.
func (q *Queue[T]) Free() {
	for _, slabs := range [][]Array[T]{q.slabs, q.spare} {
		for i := range slabs {
			slabs[i].Free()
		}
	}
	*q = Queue[T]{}
}

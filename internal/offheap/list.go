package offheap

// slabItems is how many items a List takes room for at once, a power of two.
const slabItems = 1 << 16

// List is an array that grows, in slabs that are never moved: no old copy waits for the
// garbage collector. The zero List is empty. One goroutine at a time.
type List[T Number] struct {
	slabs []Array[T]
	n     int
}

// Append adds an item; m is what room is made from. Errors: no memory.
func (l *List[T]) Append(m *Memory, item T) error {
	if l.n == len(l.slabs)*slabItems {
		slab, err := Reserve[T](m, slabItems)
		if err != nil {
			return err
		}
		l.slabs = append(l.slabs, slab)
	}
	l.slabs[l.n/slabItems].Items[l.n%slabItems] = item
	l.n++
	return nil
}

// AppendAll adds some items, each as Append does. Errors: no memory.
func (l *List[T]) AppendAll(m *Memory, items []T) error {
	for len(items) > 0 {
		if err := l.Append(m, items[0]); err != nil {
			return err
		}
		n := copy(l.slabs[len(l.slabs)-1].Items[(l.n-1)%slabItems+1:], items[1:])
		l.n, items = l.n+n, items[1+n:]
	}
	return nil
}

// Len returns the number of items.
func (l *List[T]) Len() int { return l.n }

// At returns item i.
func (l *List[T]) At(i int) T { return l.slabs[i/slabItems].Items[i%slabItems] }

// Gather fills to with every step-th item, from first on.
func (l *List[T]) Gather(to []T, first, step int) {
	for len(to) > 0 {
		items := l.slabs[first/slabItems].Items[first%slabItems : slabItems]
		n := min(len(to), (len(items)+step-1)/step)
		for i := range to[:n] {
			to[i] = items[i*step]
		}
		to, first = to[n:], first+n*step
	}
}

// Free gives the memory back; the list is empty then.
func (l *List[T]) Free() {
	for i := range l.slabs {
		l.slabs[i].Free()
	}
	*l = List[T]{}
}

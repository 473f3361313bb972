package dom

import "sync/atomic"

// follower looks at the successors of nodes and supposes dominators, many references at a time:
// what it must know of their targets comes from memory meanwhile. One goroutine each.
type follower struct {
	*levels
	looks look
	// from, to and place are of the references that wait: the number of the source, the target, and
	// its place in the core.
	from, to, place [crowd]uint32
	waiting         int
	// pending are the numbers that it has raised when looking again, whose successors it must look
	// at once more.
	pending []uint32
	made    int64 // steps that it has not told of
}

// look is how a follower looks.
type look int

const (
	widely   look = iota // at a level, as others do: what it meets gets a number later
	narrowly             // alone: what it meets gets a number at once
	again                // at what all have numbers
)

const (
	// crowd is how many references wait for each other.
	crowd = 128
	// fewWaiting is how many nodes must be to come for the references of one to wait.
	fewWaiting = 16
	// followAhead is how many numbers before its turn a node's successors are fetched, and twice
	// that, where they are.
	followAhead = 8
	// tellSteps is how many steps it makes before it tells.
	tellSteps = 1 << 14
)

// stretch looks at the successors of the numbers from, ..., to-1 of a level.
func (f *follower) stretch(from, to uint32) {
	f.looks = widely
	for i := from; i < to; i++ {
		f.fetch(i, to)
		f.add(i)
	}
	f.meet()
}

// narrow looks at successors, number by number, and gives numbers, as long as there are few nodes
// to come.
func (f *follower) narrow() {
	f.looks = narrowly
	l := f.levels
	for n, narrow := uint32(0), l.t.limits.narrow; n < narrow && l.from <= l.count && l.count-l.from < narrow; n++ {
		if f.made > tellSteps && !f.tell() {
			break
		}
		i := l.from
		l.from++
		if l.count-i >= fewWaiting {
			f.add(i)
			continue
		}
		f.meet()
		f.alone(i)
	}
	f.meet()
}

// again looks once more at the successors of those of the numbers from, ..., to-1 that are in
// some, and of what is raised by that.
func (f *follower) again(from, to uint32, some *bitset) {
	f.looks = again
	for i := from; i < to; i++ {
		if some.has(i) {
			f.fetch(i, to)
			f.add(i)
		}
	}
	for f.meet(); len(f.pending) > 0; f.meet() {
		for n := len(f.pending); n > 0; n = len(f.pending) {
			i := f.pending[n-1]
			f.pending = f.pending[:n-1]
			f.add(i)
		}
	}
}

// fetch has fetched what add needs of the numbers that follow i and are less than to.
func (f *follower) fetch(i, to uint32) {
	if i+2*followAhead < to {
		f.t.graph.Edges.Prefetch(f.vertex.Items[i+2*followAhead])
		f.t.graph.Edges.PrefetchRun(f.vertex.Items[i+followAhead])
	}
}

// add has the successors of a number wait.
func (f *follower) add(i uint32) {
	edges, core := f.t.graph.Edges, &f.t.core
	run := edges.From(f.vertex.Items[i])
	for v, ok := edges.Next(&run); ok; v, ok = edges.Next(&run) {
		if core.whole {
			f.t.number.Prefetch(uint64(v))
		} else {
			core.words.Prefetch(uint64(v / 64 * 2))
		}
		f.from[f.waiting], f.to[f.waiting] = i, v
		if f.waiting++; f.waiting == crowd {
			f.meet()
		}
	}
}

// meet looks at the references that wait.
func (f *follower) meet() {
	core, number := &f.t.core, f.t.number.Items
	n := 0
	for k, v := range f.to[:f.waiting] {
		place := v
		if !core.whole {
			var ok bool
			if place, ok = core.among(v); !ok {
				continue
			}
			f.t.number.Prefetch(uint64(place))
		}
		f.from[n], f.to[n], f.place[n] = f.from[k], v, place
		n++
	}
	f.waiting = 0
	for _, place := range f.place[:n] {
		if i := atomic.LoadUint32(&number[place]); i < met {
			f.idom.Prefetch(uint64(i))
		}
	}
	for k, place := range f.place[:n] {
		f.suppose(f.from[k], f.to[k], &number[place])
		if f.made > tellSteps && !f.tell() {
			f.pending = f.pending[:0]
			return
		}
	}
}

// tell tells of the steps it has made, and says whether there may be more.
func (f *follower) tell() bool {
	n := f.made
	f.made = 0
	return f.steps.Add(-n) >= 0
}

// suppose raises what is supposed of v, of which number tells, as far as a reference from number i
// makes it.
func (f *follower) suppose(i, v uint32, number *uint32) {
	for {
		switch n := atomic.LoadUint32(number); {
		case n == 0:
			if !f.t.core.has(v) {
				return // its place is somebody else's, or nobody's
			}
			if atomic.CompareAndSwapUint32(number, 0, met|i) {
				if f.looks == widely {
					f.fresh.join(v)
				} else {
					f.count++
					f.give(v, f.count)
				}
				return
			}
		case n >= met:
			d := f.common(n-met, i)
			if d == n-met || atomic.CompareAndSwapUint32(number, n, met|d) {
				return
			}
		default:
			if f.raise(n, i) {
				f.note(n)
			}
			return
		}
	}
}

// alone looks at the successors of a number when others wait for what it meets.
func (f *follower) alone(i uint32) {
	l, edges, core, number := f.levels, f.t.graph.Edges, &f.t.core, f.t.number.Items
	run := edges.From(l.vertex.Items[i])
	for v, ok := edges.Next(&run); ok; v, ok = edges.Next(&run) {
		place, ok := core.place(v)
		if !ok {
			continue
		}
		if n := number[place]; n == 0 {
			l.count++
			number[place], l.vertex.Items[l.count], l.idom.Items[l.count] = l.count, v, i
		} else if f.raise(n, i) {
			f.note(n)
		}
	}
}

// raise raises what is supposed of number n, as far as a reference from number i makes it, and says
// whether it did.
func (f *follower) raise(n, i uint32) bool {
	idom := &f.idom.Items[n]
	for {
		before := atomic.LoadUint32(idom)
		d := f.common(before, i)
		if d == before {
			return false
		}
		if atomic.CompareAndSwapUint32(idom, before, d) {
			return true
		}
	}
}

// common returns the nearest number that is above both a and b, or is one of them.
func (f *follower) common(a, b uint32) uint32 {
	idom := f.idom.Items
	for a != b {
		switch {
		case a == 0 || b == 0:
			return 0
		case a > b:
			a = atomic.LoadUint32(&idom[a])
		default:
			b = atomic.LoadUint32(&idom[b])
		}
		f.made++
	}
	return a
}

// note notes that number n was raised.
func (f *follower) note(n uint32) {
	if f.looks == again {
		f.raised.join(n)
		f.pending = append(f.pending, n)
		return
	}
	last := f.levels.from - 1
	if n > last {
		return // its turn is to come
	}
	f.raised.join(n)
	for mark := &f.marks.Items[n]; ; {
		before := atomic.LoadUint32(mark)
		if before >= last || atomic.CompareAndSwapUint32(mark, before, last) {
			return
		}
	}
}

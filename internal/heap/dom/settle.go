package dom

import (
	"context"
	"math/bits"
)

// settle looks once more at the successors of all that was below a number when that was raised,
// until nothing is raised any more, or too many steps were made. Errors: that of ctx; no memory.
func (l *levels) settle(ctx context.Context) error {
	some, err := newBitset(l.t.graph.Memory, l.t.core.count)
	defer func() { some.free() }()
	if err != nil || l.settleFew(&some) {
		return err
	}
	for l.lowerMarks(); l.steps.Load() >= 0; l.lower() {
		some, l.raised = l.raised, some
		if err := l.follow(ctx, 1, l.count+1, &some); err != nil {
			return err
		}
		clear(some.words.Items)
		if l.settleFew(&some) {
			break
		}
		l.steps.Add(-int64(l.count) / 4)
	}
	return nil
}

// lowerMarks makes raised the numbers that had had their turn when one above them was raised.
func (l *levels) lowerMarks() {
	marks, idom := l.marks.Items, l.idom.Items
	clear(l.raised.words.Items)
	for i := uint32(1); i <= l.count; i++ {
		if above := marks[idom[i]]; above > marks[i] {
			marks[i] = above
		}
		if marks[i] >= i {
			l.raised.set(i)
		}
	}
}

// lower adds to raised the numbers that have one of it above.
func (l *levels) lower() {
	for i := uint32(1); i <= l.count; i++ {
		l.raised.words.Items[i/64] |= l.raised.bit(l.idom.Items[i]) << (i % 64)
	}
}

// settleFew settles where few numbers are raised and there is little below those. Else it leaves
// raised and marks as if it had not begun, and returns false. seen is empty before and after.
func (l *levels) settleFew(seen *bitset) bool {
	few := l.count/l.t.limits.few + 1
	var raised []uint32
	for k, word := range l.raised.words.Items {
		for ; word != 0; word &= word - 1 {
			if len(raised) == int(few) {
				return false
			}
			raised = append(raised, uint32(64*k+bits.TrailingZeros64(word)))
		}
	}
	clear(l.raised.words.Items)
	e := explorer{follower: l.followers[0], seen: seen, raised: raised, left: exploreEach * int(few)}
	if e.explore() {
		return true
	}
	for _, i := range e.raised {
		l.raised.set(i)
		l.marks.Items[i] = l.count
	}
	return false
}

// exploreEach is how many numbers one core may look at, for each one that may be raised.
const exploreEach = 16

// explorer looks at the successors of what is below raised numbers, of one after the other.
//
// Source: Georgiadis, Italiano, Laura and Santaroni, "An experimental study of dynamic dominators"
// (2012), whose search goes by depth in the tree.
type explorer struct {
	*follower
	seen   *bitset
	raised []uint32 // those to come
	left   int      // how many numbers it may still look at
}

// explore goes on until there is nothing to come, or it may not look at more, and says which.
func (e *explorer) explore() (settled bool) {
	for n := len(e.raised); n > 0; n = len(e.raised) {
		if e.left < 0 || !e.tell() {
			return false
		}
		i := e.raised[n-1]
		e.raised = e.raised[:n-1]
		e.below(i)
	}
	return true
}

// below looks at the successors of number top, and of all below it that ways lead to which stay below
// it. Other ways pass a reference that raises what it leads to, which will have its turn.
func (e *explorer) below(top uint32) {
	edges, core := e.t.graph.Edges, &e.t.core
	reached := []uint32{top}
	e.seen.set(top)
	for k := 0; k < len(reached); k++ {
		if len(reached) > e.left {
			e.raised = append(e.raised, top) // and look no further
			break
		}
		run := edges.From(e.vertex.Items[reached[k]])
		for v, ok := edges.Next(&run); ok; v, ok = edges.Next(&run) {
			place, ok := core.place(v)
			if !ok {
				continue
			}
			i := e.t.number.Items[place]
			if e.raise(i, reached[k]) {
				e.raised = append(e.raised, i)
			}
			if !e.seen.has(i) && e.isBelow(i, top) {
				e.seen.set(i)
				reached = append(reached, i)
			}
		}
	}
	for _, i := range reached {
		e.seen.clear(i)
	}
	e.left -= len(reached)
}

// isBelow says whether number i has top above it.
func (e *explorer) isBelow(i, top uint32) bool {
	for ; i > top; e.made++ {
		i = e.idom.Items[i]
	}
	return i == top
}

package dom

import (
	"context"
	"math/bits"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/apm-sidecar/apm-sidecar/internal/cores"
	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// levels goes through the core one level of a breadth-first search after the other, on all
// cores, and supposes a dominator for each node: what is the nearest above all its predecessors
// met so far, in the tree of what is supposed. A reference met later may raise it, and so may
// one whose source was raised itself: settle goes on until nothing is raised any more.
//
// All dominators of a node are above it in that tree at any time, whatever other cores raise
// meanwhile: a step up never passes one of them. Once no reference raises anything, what is above a
// node dominates it, as each of its predecessors has its supposed dominator above it. So that is exact
// in the end.
//
// Numbers depend on the graph alone: those of a level with many nodes are in the order of the nodes,
// others are given by one core.
//
// Source: Cooper, Harvey and Kennedy, "A simple, fast dominance algorithm" (2001), whose
// numbers are those of a depth-first search, for which there is one core only.
type levels struct {
	t *Tree
	// vertex is the node of each number, from 1, and idom its supposed dominator, by number, 0 for
	// the virtual root; idom[i] < i. Where a node is met but not numbered yet, its t.number is
	// met plus its supposed dominator.
	vertex, idom offheap.Array[uint32]
	count        uint32 // the last number given
	from         uint32 // the first number whose successors have not been looked at yet
	fresh        bitset // the nodes met on this level
	// raised are the numbers whose supposed dominator changed after their successors may have
	// been looked at, and marks the last number of which that may be said as it changed.
	raised bitset
	marks  offheap.Array[uint32]
	// steps is how many steps up may still be made, by all together.
	steps     atomic.Int64
	followers []*follower // one for each core
}

// met marks, in t.number, a node that has no number yet.
const met = 1 << 31

// limits say how levels goes about it. Tests have others than usual.
type limits struct {
	cores int
	// narrow is how many nodes one core looks at: to wake others, and to put into order what they
	// meet, takes longer.
	narrow uint32
	// stretch is how many nodes of a wide level a core takes at once.
	stretch uint32
	// few is how many numbers may be raised, as 1/few of all, for one core to settle it.
	few uint32
	// steps is how many steps up there may be for each node and reference. Heaps take one to
	// three. Where many references lead across long ways it may be the length of those.
	steps int64
}

func usualLimits() limits {
	return limits{cores: cores.Workers(), narrow: 1 << 11, stretch: 1 << 9, few: 1 << 10, steps: 8}
}

// level numbers the reachable core nodes and returns their dominators; ok is false where that
// takes too many steps. references is how many there are in the core at most.
// Errors: that of ctx; no memory.
func (t *Tree) level(ctx context.Context, references int64) (o numbered, ok bool, err error) {
	if t.core.count >= met {
		return o, false, nil
	}
	l := &levels{t: t}
	defer l.free()
	if err := l.allocate(references); err != nil {
		return o, false, err
	}
	if err := l.begin(ctx); err != nil {
		return o, false, err
	}
	for l.from <= l.count && l.steps.Load() >= 0 {
		if err := l.next(ctx); err != nil {
			return o, false, err
		}
	}
	if err := l.settle(ctx); err != nil || l.steps.Load() < 0 {
		return o, false, err
	}
	o.idom, l.idom = l.idom, offheap.Array[uint32]{}
	o.idom.Items = o.idom.Items[:l.count+1]
	return o, true, nil
}

func (l *levels) allocate(references int64) (err error) {
	t, n := l.t, int(l.t.core.count)+1
	if t.number, err = offheap.Make[uint32](t.graph.Memory, int(t.core.span)+1); err != nil {
		return err
	}
	if l.idom, err = offheap.Make[uint32](t.graph.Memory, n); err != nil {
		return err
	}
	if l.vertex, err = offheap.MakePlain[uint32](t.graph.Memory, n); err != nil {
		return err
	}
	if l.marks, err = offheap.ReservePlain[uint32](t.graph.Memory, n); err != nil {
		return err
	}
	if l.fresh, err = newBitset(t.graph.Memory, t.graph.Nodes); err != nil {
		return err
	}
	if l.raised, err = newBitset(t.graph.Memory, t.core.count); err != nil {
		return err
	}
	l.steps.Store(t.limits.steps * (int64(n) + references))
	for range t.limits.cores {
		l.followers = append(l.followers, &follower{levels: l})
	}
	return nil
}

func (l *levels) free() {
	l.vertex.Free()
	l.idom.Free()
	l.marks.Free()
	l.fresh.free()
	l.raised.free()
}

// begin makes the roots the first level. Errors: that of ctx.
func (l *levels) begin(ctx context.Context) error {
	l.from = 1
	for _, r := range l.t.graph.Roots {
		place, _ := l.t.core.place(r)
		l.t.number.Items[place] = met
		l.fresh.set(r)
	}
	return l.numberFresh(ctx)
}

// next looks at the successors of all that have not had their turn, or of some where those are few,
// and numbers what it meets. Errors: that of ctx.
func (l *levels) next(ctx context.Context) error {
	if l.count-l.from < l.t.limits.narrow {
		l.followers[0].narrow()
		return ctx.Err()
	}
	from := l.from
	l.from = l.count + 1
	if err := l.follow(ctx, from, l.from, nil); err != nil {
		return err
	}
	return l.numberFresh(ctx)
}

// follow looks at the successors of the numbers from, ..., to-1 on all cores, of those in some if that
// is not nil. Errors: that of ctx.
func (l *levels) follow(ctx context.Context, from, to uint32, some *bitset) error {
	next, n := atomic.Int64{}, int64(l.t.limits.stretch)
	next.Store(int64(from))
	g, ctx := errgroup.WithContext(ctx)
	for _, f := range l.followers {
		g.Go(func() error {
			for ctx.Err() == nil && l.steps.Load() >= 0 {
				begin := next.Add(n) - n
				if begin >= int64(to) {
					break
				}
				end := uint32(min(begin+n, int64(to)))
				if some == nil {
					f.stretch(uint32(begin), end)
				} else {
					f.again(uint32(begin), end, some)
				}
			}
			return ctx.Err()
		})
	}
	return g.Wait()
}

// numberFresh numbers the nodes in fresh, in their order. Errors: that of ctx.
func (l *levels) numberFresh(ctx context.Context) error {
	words := l.fresh.words.Items
	var last []uint32 // the last number in each stretch
	for from := 0; from < len(words); from += stretch / 64 {
		for _, w := range words[from:min(from+stretch/64, len(words))] {
			l.count += uint32(bits.OnesCount64(w))
		}
		last = append(last, l.count)
	}
	return each(ctx, 64*len(words), func(from, to int) error {
		i := last[from/stretch]
		for k := to/64 - 1; k >= from/64; k-- {
			for w := words[k]; w != 0; i-- {
				top := bits.Len64(w) - 1
				w &^= 1 << top
				l.give(uint32(64*k+top), i)
			}
			words[k] = 0
		}
		return nil
	})
}

// give gives number i to a node that is met.
func (l *levels) give(v, i uint32) {
	number := &l.t.number.Items[l.t.core.guess(v)]
	l.vertex.Items[i], l.idom.Items[i] = v, *number-met
	*number = i
}

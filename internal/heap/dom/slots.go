package dom

import (
	"context"
	"math"
	"math/bits"

	"github.com/apm-sidecar/apm-sidecar/internal/heap/edges"
)

// slots tell by place in the core, while the search goes on, what it must know of a node. So
// it asks memory once: whether a node has a number, and where its successors are if not. A
// slot is
//
//	1 to last      the number of the node
//	last+1         no core node
//	last+2 and up  a node without a number: twice the place of its successors, plus one if it
//	               has a single predecessor, are slot-last-2
//	0              one whose successors are too far off for that
type slots struct {
	items []uint32
	last  uint32 // the greatest number there may be
	core  *core
	edges *edges.Graph
}

// newSlots fills t.number, which has an item for each place and one more, and takes over t.single.
// Errors: that of ctx.
func newSlots(ctx context.Context, t *Tree) (slots, error) {
	s := slots{items: t.number.Items, last: t.core.count, core: &t.core, edges: t.graph.Edges}
	err := each(ctx, int(t.graph.Nodes)+1, func(from, to int) error {
		if t.core.whole {
			for v := range s.items[from:to] {
				s.items[from+v] = s.last + 1
			}
		}
		c := s.edges.Cursor()
		for v, nth := range t.core.members(uint32(from), uint32(to)) {
			s.items[t.core.at(v, nth)] = s.unnumbered(c.From(v), t.single.bit(v))
		}
		return nil
	})
	t.single.free()
	return s, err
}

// unnumbered returns the slot of a node with these successors; single is 1 if it has a single
// predecessor, else 0.
func (s *slots) unnumbered(run edges.Run, single uint64) uint32 {
	if slot := run.At()<<1 + single + uint64(s.last) + 2; slot <= math.MaxUint32 {
		return uint32(slot)
	}
	return 0
}

// numbered says whether the search has nothing to do any more where a slot is this.
func (s *slots) numbered(slot uint32) bool { return slot-1 <= s.last }

// run returns the successors of v, which is not numbered.
func (s *slots) run(v, slot uint32) edges.Run {
	if slot == 0 {
		return s.edges.From(v)
	}
	return s.edges.RunAt(s.at(slot), v)
}

// at returns the place of the successors that a slot tells.
func (s *slots) at(slot uint32) uint64 { return uint64(slot-s.last-2) >> 1 }

// single says whether a node that is not numbered is known to have a single predecessor.
func (s *slots) single(slot uint32) bool { return slot != 0 && (slot-s.last-2)&1 != 0 }

// prefetch has the successors of a node that is not numbered fetched.
func (s *slots) prefetch(slot uint32) {
	if slot != 0 {
		s.edges.PrefetchAt(s.at(slot))
	}
}

// of leaves of some nodes those that may be core nodes, and returns their slots. No branch
// depends on what only memory can tell, so the processor asks for all at once.
func (s *slots) of(nodes []uint32, room *[batch]uint32) []uint32 {
	if s.core.whole {
		for i, v := range nodes {
			room[i%batch] = s.items[v]
		}
		return room[:len(nodes)]
	}
	n, words := 0, s.core.words.Items
	for _, v := range nodes {
		i, bit := v/64*2, v%64
		w := words[i : i+2 : i+2]
		nodes[n], room[n%batch] = v, s.items[uint32(w[1])+uint32(bits.OnesCount64(w[0]&(1<<bit-1)))]
		n += int(w[0] >> bit & 1)
	}
	return room[:n]
}

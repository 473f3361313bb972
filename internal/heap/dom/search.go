package dom

import (
	"context"

	"github.com/apm-sidecar/apm-sidecar/internal/cores"
	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// found is what the depth-first search leaves besides the numbers.
type found struct {
	// links holds for each number its parent in the search tree, and the smallest
	// number that refers to it; for those in single, the top of the way instead.
	links offheap.Array[uint64]
	// single are the numbers of nodes with one predecessor, their parent.
	single bitset
	// shape is the search tree once more: a one for each number in order, before it a
	// zero for each node that the search left since the number before. Two bits a node
	// are enough to have the parents again when links is used up.
	shape bitset
	// later are the references that come from a greater number.
	later  backlog
	beside *offheap.Beside
}

func (s *found) free() {
	s.beside.Stop()
	s.links.Free()
	s.single.free()
	s.shape.free()
	s.later.free()
}

// link joins the parent, or an ancestor, of a node and the least number that is known
// to refer to it, or the top of the way: they are always needed together.
func link(ancestor, least uint32) uint64 { return uint64(ancestor)<<32 | uint64(least) }

// searcher is the state of the depth-first search.
//
// The search waits for memory most of the time, so it goes to each node once: the
// successors without a number are put on the stack, and what will be needed of them is
// fetched long before their turn comes. Those that got a number in the meantime are
// dropped then.
type searcher struct {
	t     *Tree
	slots slots
	found
	// stack holds, for each node on the way, its successors that have not had their
	// turn. bottom marks the first one of each node, by place in the stack, and busy the
	// nodes that have one, by place on the way.
	stack        offheap.Array[uint32]
	height       int
	highest      int // how high the stack was since trim
	bottom, busy bitset
	count        uint32 // the last number given
	at           uint32 // the number of the last node on the way
	depth        uint32 // how many nodes are on the way
	// top is the last number on the way that is not in single: no way leads to the numbers
	// behind it, up to at, but through it.
	top uint32
}

const (
	// batch is how many successors are looked at together: their numbers come from
	// memory at the same time.
	batch = 16
	// lookDown is how far below the top of the stack slots are fetched, even. What
	// the slot tells of comes in the second half.
	lookDown = 12
	// stackSpare is how much of the stack, in items, is kept above its top.
	stackSpare = 1 << 20
)

// search numbers the reachable core nodes in depth-first preorder, and notes each
// reference between them when it passes it.
func (t *Tree) search(ctx context.Context) (*found, error) {
	s := &searcher{t: t, found: found{beside: newBeside()}}
	defer s.free()
	if err := s.allocate(ctx); err != nil {
		return &s.found, err
	}
	for _, r := range t.graph.Roots {
		place, _ := t.core.place(r)
		n := t.number.Items[place]
		if s.slots.numbered(n) {
			s.links.Items[n] &^= 0xffffffff
			continue
		}
		s.at, s.depth = 0, 0
		if err := s.visit(r, place, n); err != nil {
			return &s.found, err
		}
		if err := s.drain(ctx); err != nil {
			return &s.found, err
		}
	}
	s.beside.Stop()
	s.links.Items = s.links.Items[:s.count+1]
	return &s.found, nil
}

func (s *searcher) allocate(ctx context.Context) (err error) {
	core := int(s.t.core.count)
	if s.t.number, err = offheap.Make[uint32](s.t.graph.Memory, int(s.t.core.span)+1); err != nil {
		return err
	}
	if s.slots, err = newSlots(ctx, s.t); err != nil {
		return err
	}
	if s.links, err = offheap.Make[uint64](s.t.graph.Memory, core+1); err != nil {
		return err
	}
	offheap.PopulateBeside(s.beside, &s.links)
	words, err := offheap.Make[uint64](s.t.graph.Memory, 2*core/64+1)
	if err != nil {
		return err
	}
	s.shape = bitset{words}
	if s.single, err = newBitset(s.t.graph.Memory, s.t.core.count); err != nil {
		return err
	}
	s.later = newBacklog(s.t.graph.Memory, s.beside, core+1)
	// Address space for the worst case: every reference waits on the stack.
	waiting := s.t.graph.Edges.Successors() + batch
	if s.stack, err = offheap.ReservePlain[uint32](s.t.graph.Memory, int(waiting)); err != nil {
		return err
	}
	if words, err = offheap.MakePlain[uint64](s.t.graph.Memory, int(waiting)/64+1); err != nil {
		return err
	}
	s.bottom = bitset{words}
	s.busy, err = newBitset(s.t.graph.Memory, s.t.core.count)
	return err
}

// newBeside returns nil where the search has the only core.
func newBeside() *offheap.Beside {
	if cores.Workers() < 2 {
		return nil
	}
	return new(offheap.Beside)
}

// free gives back what only the search needs.
func (s *searcher) free() {
	s.stack.Free()
	s.bottom.free()
	s.busy.free()
}

// drain visits what is on the stack and all that it leads to.
func (s *searcher) drain(ctx context.Context) error {
	links, stack, slots := s.links.Items, s.stack.Items, &s.slots
	for s.height > 0 {
		if !s.busy.has(s.depth) {
			s.back()
		}
		s.height--
		v := stack[s.height]
		if s.bottom.has64(uint64(s.height)) {
			s.bottom.clear64(uint64(s.height))
			s.busy.clear(s.depth)
		}
		if s.height >= lookDown {
			place := slots.core.guess(stack[s.height-lookDown])
			s.t.number.Prefetch(uint64(place))
			place = slots.core.guess(stack[s.height-lookDown/2])
			if slot := slots.items[place]; slots.numbered(slot) {
				s.links.Prefetch(uint64(slot))
			} else {
				slots.prefetch(slot)
			}
		}
		place := slots.core.guess(v)
		slot := slots.items[place]
		if slots.numbered(slot) {
			if s.at < uint32(links[slot]) {
				links[slot] = links[slot]&^0xffffffff | uint64(s.at)
			}
			continue
		}
		if err := s.visit(v, place, slot); err != nil {
			return err
		}
		if s.count%checkEvery == 0 {
			s.trim()
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}
	return nil
}

// back goes back to the last node on the way with successors that have not had their turn.
func (s *searcher) back() {
	links := s.links.Items
	for !s.busy.has(s.depth) {
		s.at = uint32(links[s.at] >> 32)
		s.depth--
	}
	s.top = s.at
	if s.single.has(s.at) {
		s.top = uint32(links[s.at])
	}
}

// trim gives back what the stack took when it was higher, as the backlog grows meanwhile.
func (s *searcher) trim() {
	if spare := s.height + stackSpare; s.highest > spare+stackSpare {
		s.stack.Discard(spare, s.highest)
		s.highest = spare
	}
}

// visit numbers v, whose parent is the last node on the way, and puts its successors
// on the stack.
func (s *searcher) visit(v, place, slot uint32) error {
	slots, stack := &s.slots, s.stack.Items
	s.count++
	at := s.count
	low := s.at
	if slots.single(slot) {
		s.single.set(at)
		low = s.top
	} else {
		s.top = at
	}
	slots.items[place], s.links.Items[at] = at, link(s.at, low)
	// A one for each number before, a zero for each of those that is not on the way.
	s.shape.set64(2*uint64(at-1) - uint64(s.depth))
	s.at = at
	s.depth++
	begin := s.height
	var room [batch]uint32
	run := slots.run(v, slot)
	for more := true; more; {
		top := stack[s.height : s.height+batch : s.height+batch]
		n := 0
		for ; n < batch; n++ {
			if top[n], more = slots.edges.Next(&run); !more {
				break
			}
		}
		kept := 0
		for i, slot := range slots.of(top[:n], &room) {
			if !slots.numbered(slot) {
				slots.prefetch(slot)
				top[kept] = top[i]
				kept++
			} else if slot <= slots.last && slot != s.top {
				// The way from before the top up to here has its least semidominators there.
				from := at
				if slot < s.top {
					from = s.top
				}
				if err := s.later.add(slot, from); err != nil {
					return err
				}
			}
		}
		s.height += kept
	}
	s.highest = max(s.highest, s.height)
	if s.height > begin {
		s.bottom.set64(uint64(begin))
		s.busy.set(s.depth)
	}
	return nil
}

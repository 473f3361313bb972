package dom

import (
	"context"

	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// found is what the depth-first search leaves besides the numbers. All of it is by
// number.
type found struct {
	// parent is the search tree: parent[i] is the parent of i.
	parent offheap.Array[uint32]
	// least[i] is the smallest number that refers to i.
	least offheap.Array[uint32]
	// later are the references that come from a greater number.
	later backlog
}

func (s *found) free() {
	s.parent.Free()
	s.least.Free()
	s.later.free()
}

// searcher is the state of the depth-first search.
//
// The search waits for memory most of the time, so it goes to each node once: the
// successors without a number are put on the stack, and what will be needed of them is
// fetched long before their turn comes. Those that got a number in the meantime are
// dropped then.
type searcher struct {
	t *Tree
	found
	// stack holds, for each node on the way, a zero and then its successors that have
	// not had their turn.
	stack  offheap.Array[uint32]
	height int
	count  uint32 // the last number given
	at     uint32 // the number of the last node on the way
}

const (
	// batch is how many successors are looked at together: their numbers come from
	// memory at the same time.
	batch = 16
	// lookDown is how far below the top of the stack numbers are fetched.
	lookDown = 8
)

// search numbers the reachable core nodes in depth-first preorder, and notes each
// reference between them when it passes it.
func (t *Tree) search(ctx context.Context) (*found, error) {
	s := &searcher{t: t}
	defer s.stack.Free()
	if err := s.allocate(); err != nil {
		return &s.found, err
	}
	for _, r := range t.graph.Roots {
		place, _ := t.core.place(r)
		if n := t.number.Items[place]; n != 0 {
			s.least.Items[n] = 0
			continue
		}
		s.at = 0
		if err := s.visit(r, place); err != nil {
			return &s.found, err
		}
		if err := s.drain(ctx); err != nil {
			return &s.found, err
		}
	}
	s.parent.Items, s.least.Items = s.parent.Items[:s.count+1], s.least.Items[:s.count+1]
	return &s.found, nil
}

func (s *searcher) allocate() (err error) {
	core := int(s.t.core.count)
	if s.t.number, err = offheap.Make[uint32](core); err != nil {
		return err
	}
	if s.parent, err = offheap.Make[uint32](core + 1); err != nil {
		return err
	}
	if s.least, err = offheap.Make[uint32](core + 1); err != nil {
		return err
	}
	s.later = newBacklog(core + 1)
	// Address space for the worst case: every reference waits on the stack.
	s.stack, err = offheap.Make[uint32](core + int(s.t.graph.Edges.Successors()) + batch)
	return err
}

// drain visits what is on the stack and all that it leads to.
func (s *searcher) drain(ctx context.Context) error {
	core, number, least, stack := &s.t.core, s.t.number.Items, s.least.Items, s.stack.Items
	for s.height > 0 {
		s.height--
		v := stack[s.height]
		if v == 0 {
			s.at = s.parent.Items[s.at]
			continue
		}
		if s.height >= lookDown {
			place, _ := core.place(stack[s.height-lookDown])
			s.t.number.Prefetch(uint64(place))
		}
		place, _ := core.place(v)
		if n := number[place]; n != 0 {
			least[n] = min(least[n], s.at)
			continue
		}
		if err := s.visit(v, place); err != nil {
			return err
		}
		if s.count%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// visit numbers v, whose parent is the last node on the way, and puts its successors
// on the stack.
func (s *searcher) visit(v, place uint32) error {
	g, core, number, stack := s.t.graph.Edges, &s.t.core, &s.t.number, s.stack.Items
	s.count++
	at := s.count
	number.Items[place], s.parent.Items[at], s.least.Items[at] = at, s.at, s.at
	s.at = at
	stack[s.height] = 0
	s.height++
	var places [batch]uint32
	run := g.From(v)
	for more := true; more; {
		var n int
		top := stack[s.height : s.height+batch : s.height+batch]
		for n < batch {
			var to uint32
			if to, more = g.Next(&run); !more {
				break
			}
			if place, ok := core.place(to); ok {
				places[n], top[n] = place, to
				n++
				number.Prefetch(uint64(place))
				g.Prefetch(to)
			}
		}
		kept := 0
		for i, place := range places[:n] {
			if to := number.Items[place]; to != 0 {
				if err := s.later.add(to, at); err != nil {
					return err
				}
				continue
			}
			top[kept] = top[i]
			g.PrefetchRun(top[kept])
			kept++
		}
		s.height += kept
	}
	return nil
}

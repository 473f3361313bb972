package dom

import (
	"context"

	"github.com/apm-sidecar/apm-sidecar/internal/heap/edges"
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

// search numbers the reachable core nodes in depth-first preorder, and notes each
// reference between them when it passes it.
func (t *Tree) search(ctx context.Context) (s *found, err error) {
	s = &found{}
	core := int(t.core.count)
	if t.number, err = offheap.Make[uint32](core); err != nil {
		return s, err
	}
	// vertex[i] is the node numbered i.
	vertices, err := offheap.Make[uint32](core + 1)
	if err != nil {
		return s, err
	}
	defer vertices.Free()
	if s.parent, err = offheap.Make[uint32](core + 1); err != nil {
		return s, err
	}
	if s.least, err = offheap.Make[uint32](core + 1); err != nil {
		return s, err
	}
	s.later = newBacklog(core + 1)
	// stack[k] is how far the successors of the k-th node on the way are followed.
	// The successor it was followed to is the next node on the way.
	stack, err := offheap.Make[uint64](core + 1)
	if err != nil {
		return s, err
	}
	defer stack.Free()
	g, number, vertex, parent, least := t.graph.Edges, t.number.Items, vertices.Items, s.parent.Items, s.least.Items
	count := uint32(0)
	for _, r := range t.graph.Roots {
		place, _ := t.core.place(r)
		if n := number[place]; n != 0 {
			least[n] = 0
			continue
		}
		count++
		number[place], vertex[count] = count, r
		depth, at := 0, count
		run := g.From(r)
		for {
			v, ok := g.Next(&run)
			if !ok {
				if depth == 0 {
					break
				}
				depth--
				run = edges.Resume(stack.Items[depth], vertex[at])
				at = parent[at]
				continue
			}
			place, ok := t.core.place(v)
			if !ok {
				continue
			}
			switch n := number[place]; {
			case n == 0:
				count++
				number[place], vertex[count], parent[count], least[count] = count, v, at, at
				stack.Items[depth] = run.Place()
				depth++
				at = count
				run = t.arrive(v)
				if count%checkEvery == 0 && ctx.Err() != nil {
					return s, ctx.Err()
				}
			case n < at:
				if err := s.later.add(n, at); err != nil {
					return s, err
				}
			case at < least[n]:
				least[n] = at
			}
		}
	}
	s.parent.Items, s.least.Items = parent[:count+1], least[:count+1]
	return s, nil
}

// arrive returns the successors of v, the numbers of the first ones on their way
// from memory.
func (t *Tree) arrive(v uint32) edges.Run {
	run := t.graph.Edges.From(v)
	ahead := run
	for range 4 {
		w, ok := t.graph.Edges.Next(&ahead)
		if !ok {
			break
		}
		if place, ok := t.core.place(w); ok {
			t.number.Prefetch(uint64(place))
			t.graph.Edges.Prefetch(w)
		}
	}
	return run
}

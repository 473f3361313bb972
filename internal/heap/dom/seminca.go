package dom

import (
	"context"

	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// dominate computes the immediate dominators of the core, by number, by semi-NCA. It
// takes over what the search found.
func (t *Tree) dominate(ctx context.Context, s *found) (o numbered, err error) {
	n := len(s.links.Items)
	if o.idom, err = offheap.MakePlain[uint32](t.graph.Memory, n); err != nil {
		return o, err
	}
	f := forest{links: s.links}
	if f.path, err = offheap.ReservePlain[uint32](t.graph.Memory, n); err != nil {
		return o, err
	}
	defer f.path.Free()
	idom := o.idom.Items
	if err := f.semidominators(ctx, s, idom); err != nil {
		return o, err
	}
	s.later.free()
	o.spare, s.links = s.links, offheap.Array[uint64]{}
	// The dominator of i is the nearest ancestor that is no deeper than its
	// semidominator, whose place it takes.
	parents, err := newParents(t.graph.Memory, &s.shape, n)
	if err != nil {
		return o, err
	}
	defer parents.free()
	for i := 1; i < n; i++ {
		j := parents.next()
		for j > idom[i] {
			j = idom[j]
		}
		idom[i] = j
	}
	return o, nil
}

// parents tells the parents in the search tree, one number after the other.
type parents struct {
	shape *bitset
	at    uint64 // in shape
	count uint32
	path  offheap.Array[uint32] // the numbers on the way to the last one
	depth int
}

func newParents(m *offheap.Memory, shape *bitset, n int) (parents, error) {
	path, err := offheap.ReservePlain[uint32](m, n)
	return parents{shape: shape, path: path}, err
}

// next returns the parent of the next number, 0 for those of roots.
func (p *parents) next() (parent uint32) {
	for !p.shape.has64(p.at) {
		p.depth--
		p.at++
	}
	p.at++
	if p.depth > 0 {
		parent = p.path.Items[p.depth-1]
	}
	p.count++
	p.path.Items[p.depth] = p.count
	p.depth++
	return parent
}

func (p *parents) free() { p.path.Free() }

// forest is what the search tree is while the nodes are linked into it from the
// last to the first: of each node an ancestor, and the least semidominator on the
// way up to, not including, that ancestor.
type forest struct {
	links offheap.Array[uint64]
	path  offheap.Array[uint32] // the nodes on the way that eval shortens
}

// semidominators fills semi, by number.
func (f *forest) semidominators(ctx context.Context, s *found, semi []uint32) error {
	buckets := s.later.buckets
	next, free := make(chan *sorted, 2), make(chan *sorted, 2)
	for range cap(free) {
		k, err := s.later.newSorted()
		defer k.room.Free()
		if err != nil {
			return err
		}
		free <- k
	}
	go func() { // sorts one bucket ahead, on another core
		defer close(next)
		for b := len(buckets) - 1; b >= 0; b-- {
			k, ok := <-free
			if !ok {
				return
			}
			s.later.take(b, k)
			next <- k
		}
	}()
	defer func() {
		close(free)
		for range next { // until the sorter is done: the buckets are freed then
		}
	}()
	top := len(semi) - 1
	for b := len(buckets) - 1; b >= 0; b-- {
		k := <-next
		if err := ctx.Err(); err != nil {
			return err
		}
		bottom := max(b*bucketNodes, 1)
		for i := top; i >= bottom; i-- {
			place := i - b*bucketNodes
			begin, end := k.start[place], k.start[place+1]
			least := uint32(f.links.Items[i])
			if s.single.has(uint32(i)) {
				least = uint32(f.links.Items[i] >> 32)
			}
			for _, p := range k.from[begin:end] {
				least = min(least, f.eval(p, uint32(i)))
			}
			semi[i] = least
			f.links.Items[i] = f.links.Items[i]&^0xffffffff | uint64(least)
		}
		top = min(top, bottom-1) // the last buckets may be those of unreachable nodes
		free <- k
	}
	return nil
}

// eval returns the least semidominator on the way from p up to the edge of the
// forest, whose nodes are those after i, and shortens that way.
func (f *forest) eval(p, i uint32) uint32 {
	links, path, depth := f.links.Items, f.path.Items, 0
	u := p
	for {
		above := uint32(links[u] >> 32)
		if above <= i {
			break
		}
		path[depth] = u
		depth++
		u = above
	}
	root := links[u]
	ancestor, label := root>>32, uint32(root)
	for depth > 0 {
		depth--
		w := path[depth]
		label = min(label, uint32(links[w]))
		links[w] = ancestor<<32 | uint64(label)
	}
	return label
}

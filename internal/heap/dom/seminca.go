package dom

import (
	"context"

	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// dominate computes the immediate dominators of the core by semi-NCA. It takes
// over what the search found.
func (t *Tree) dominate(ctx context.Context, s *found) error {
	n := len(s.parent.Items)
	f := forest{}
	var err error
	if f.link, err = offheap.Make[uint64](n); err != nil {
		return err
	}
	defer f.link.Free()
	for i, p := range s.parent.Items {
		f.link.Items[i] = link(p, s.least.Items[i])
	}
	// From here on least holds the semidominators.
	if err := f.semidominators(ctx, s); err != nil {
		return err
	}
	// The dominator of i is the nearest ancestor that is no deeper than its
	// semidominator. idom takes parent's place as it goes.
	idom, semi := s.parent.Items, s.least.Items
	for i := 1; i < n; i++ {
		j := idom[i]
		for j > semi[i] {
			j = idom[j]
		}
		idom[i] = j
	}
	t.idom, s.parent = s.parent, offheap.Array[uint32]{}
	return nil
}

// forest is what the search tree is while the nodes are linked into it from the
// last to the first: of each node an ancestor, and the least semidominator on the
// way up to, not including, that ancestor. Both lie in one word: they are always
// needed together.
type forest struct {
	link offheap.Array[uint64]
	path []uint32
}

func link(ancestor, label uint32) uint64 { return uint64(ancestor)<<32 | uint64(label) }

// ahead is how many references are looked ahead to have their nodes fetched, and
// aheadAbove to have the ancestors of those fetched.
const (
	ahead      = 32
	aheadAbove = 16
)

// prefetch has what eval will need fetched. from are the references still to come, the
// next one last; as many of them are looked at as references go by in this step.
func (f *forest) prefetch(from []uint32, begin, end uint32) {
	for k := range int(end - begin) {
		if i := len(from) - ahead - k; i >= 0 {
			f.link.Prefetch(uint64(from[i]))
		}
		if i := len(from) - aheadAbove - k; i >= 0 {
			f.link.Prefetch(f.link.Items[from[i]] >> 32)
		}
	}
}

// semidominators replaces least by the semidominators.
func (f *forest) semidominators(ctx context.Context, s *found) error {
	semi := s.least.Items
	buckets := s.later.buckets
	next, free := make(chan *sorted, 2), make(chan *sorted, 2)
	free <- &sorted{}
	free <- &sorted{}
	go func() { // sorts one bucket ahead, on another core
		defer close(next)
		for b := len(buckets) - 1; b >= 0; b-- {
			k, ok := <-free
			if !ok {
				return
			}
			buckets[b].sort(k)
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
			f.prefetch(k.from[:begin], begin, end)
			least := semi[i]
			for _, p := range k.from[begin:end] {
				least = min(least, f.eval(p, uint32(i)))
			}
			semi[i] = least
			f.link.Items[i] = f.link.Items[i]&^0xffffffff | uint64(least)
		}
		top = min(top, bottom-1) // the last buckets may be those of unreachable nodes
		free <- k
	}
	return nil
}

// eval returns the least semidominator on the way from p up to the edge of the
// forest, whose nodes are those after i, and shortens that way.
func (f *forest) eval(p, i uint32) uint32 {
	links := f.link.Items
	u := p
	for {
		above := uint32(links[u] >> 32)
		if above <= i {
			break
		}
		f.path = append(f.path, u)
		u = above
	}
	root := links[u]
	ancestor, label := root>>32, uint32(root)
	for k := len(f.path) - 1; k >= 0; k-- {
		w := f.path[k]
		label = min(label, uint32(links[w]))
		links[w] = ancestor<<32 | uint64(label)
	}
	f.path = f.path[:0]
	return label
}

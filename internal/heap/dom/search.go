package dom

import (
	"context"

	"github.com/apm-sidecar/apm-sidecar/internal/heap/edges"
	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// search numbers the reachable core nodes in depth-first preorder and returns the
// search tree: parent[i] is the number of the parent of the node numbered i.
func (t *Tree) search(ctx context.Context) (parent offheap.Array[uint32], err error) {
	n := int(t.core.count)
	if t.number, err = offheap.Make[uint32](n); err != nil {
		return parent, err
	}
	if t.vertex, err = offheap.Make[uint32](n + 1); err != nil {
		return parent, err
	}
	if parent, err = offheap.Make[uint32](n + 1); err != nil {
		return parent, err
	}
	// stack[k] is how far the successors of the k-th node on the way are followed.
	// The successor it was followed to is the next node on the way.
	stack, err := offheap.Make[uint64](n + 1)
	if err != nil {
		return parent, err
	}
	defer stack.Free()
	g, number, vertex := t.graph.Edges, t.number.Items, t.vertex.Items
	count := uint32(0)
	for _, r := range t.graph.Roots {
		if number[t.core.rank(r)] != 0 {
			continue
		}
		count++
		number[t.core.rank(r)], vertex[count] = count, r
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
				at = parent.Items[at]
				continue
			}
			if !t.core.has(v) {
				continue
			}
			slot := &number[t.core.rank(v)]
			if *slot != 0 {
				continue
			}
			count++
			*slot, vertex[count], parent.Items[count] = count, v, at
			stack.Items[depth] = run.Place()
			depth++
			at = count
			run = g.From(v)
			if count%checkEvery == 0 && ctx.Err() != nil {
				return parent, ctx.Err()
			}
		}
	}
	t.vertex.Items = vertex[:count+1]
	parent.Items = parent.Items[:count+1]
	return parent, nil
}

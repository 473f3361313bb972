// Package dom computes dominator trees. It knows only arrays: nodes are numbers
// from 1, references are runs in one slice.
//
// Sources: Lengauer and Tarjan, "A fast algorithm for finding dominators in a
// flowgraph" (1979); Georgiadis, "Linear-time algorithms for dominators and
// related problems" (2005), chapter 2: semi-NCA, which needs no bucket and, unlike
// iterative dominators, no more passes for a chain of a million nodes.
package dom

import "context"

// checkEvery is how many nodes go by between two looks at the context.
const checkEvery = 1 << 16

// Tree is the dominator tree of the nodes that are reachable from a virtual
// root. It is read-only once built.
type Tree struct {
	// number is a node's preorder number in the depth-first search that built the
	// tree, 0 for unreachable nodes; number 0 is the virtual root. len = n+1.
	number []uint32
	// vertex is the inverse: vertex[number[v]] = v. len = reachable+1.
	vertex []uint32
	// idom and retained are indexed by preorder number. idom[i] < i.
	idom     []uint32
	retained []uint64
}

// Build returns the dominator tree of a graph of n nodes. The successors of v are
// edges[offset[v]+1:][:edges[offset[v]]], none where offset[v] is 0; the roots are
// the successors of the virtual root. size[v] is what v weighs. len(offset) and
// len(size) are n+1.
//
// Memory: 36 bytes a reachable node and 4 an edge while it runs, 20 a reachable
// node and 4 a node after it. Errors: that of ctx.
func Build[T ~uint32](ctx context.Context, n int, offset []uint32, edges, roots []T, size []uint32) (*Tree, error) {
	t := &Tree{number: make([]uint32, n+1)}
	parent, err := search(ctx, t, n, offset, edges, roots)
	if err != nil {
		return nil, err
	}
	preds := predecessors(t, offset, edges, roots)
	if err := t.dominate(ctx, parent, preds); err != nil {
		return nil, err
	}
	t.retained = make([]uint64, len(t.vertex))
	for i := len(t.vertex) - 1; i > 0; i-- {
		t.retained[i] += uint64(size[t.vertex[i]])
		t.retained[t.idom[i]] += t.retained[i]
	}
	return t, nil
}

// search numbers the reachable nodes in depth-first preorder and returns the
// search tree: parent[i] is the number of the parent of the node numbered i.
func search[T ~uint32](ctx context.Context, t *Tree, n int, offset []uint32, edges, roots []T) (parent []uint32, err error) {
	type step struct{ at, end uint32 } // edges[at:end] are still to follow
	var stack []step
	var path []uint32 // numbers of the nodes on the stack
	t.vertex = append(t.vertex, 0)
	parent = append(parent, 0)
	visit := func(v, from uint32) {
		number := uint32(len(t.vertex))
		t.number[v] = number
		t.vertex = append(t.vertex, v)
		parent = append(parent, from)
		if at := offset[v]; at != 0 {
			stack = append(stack, step{at + 1, at + 1 + uint32(edges[at])})
			path = append(path, number)
		}
	}
	for _, r := range roots {
		if t.number[r] != 0 {
			continue
		}
		visit(uint32(r), 0)
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if top.at == top.end {
				stack, path = stack[:len(stack)-1], path[:len(path)-1]
				continue
			}
			v := uint32(edges[top.at])
			top.at++
			if t.number[v] == 0 {
				visit(v, path[len(path)-1])
				if len(t.vertex)%checkEvery == 0 && ctx.Err() != nil {
					return nil, ctx.Err()
				}
			}
		}
	}
	return parent, nil
}

// reverse holds the predecessors of node i, all by preorder number:
// from[start[i]:start[i+1]].
type reverse struct {
	start []uint32
	from  []uint32
}

// predecessors turns the edges between reachable nodes around. Edges of the
// virtual root are those of number 0.
func predecessors[T ~uint32](t *Tree, offset []uint32, edges, roots []T) reverse {
	n := len(t.vertex)
	r := reverse{start: make([]uint32, n+1)}
	for _, v := range roots {
		r.start[t.number[v]]++
	}
	for _, v := range t.vertex[1:] {
		if at := offset[v]; at != 0 {
			for _, w := range edges[at+1:][:edges[at]] {
				r.start[t.number[w]]++
			}
		}
	}
	var sum uint32
	for i := range r.start {
		sum += r.start[i]
		r.start[i] = sum
	}
	r.from = make([]uint32, sum)
	// Filling backwards leaves each start at the begin of its run.
	for i := n - 1; i > 0; i-- {
		if at := offset[t.vertex[i]]; at != 0 {
			for _, w := range edges[at+1:][:edges[at]] {
				k := t.number[w]
				r.start[k]--
				r.from[r.start[k]] = uint32(i)
			}
		}
	}
	for _, v := range roots {
		k := t.number[v]
		r.start[k]--
		r.from[r.start[k]] = 0
	}
	return r
}

// dominate computes immediate dominators by semi-NCA.
func (t *Tree) dominate(ctx context.Context, parent []uint32, preds reverse) error {
	n := len(t.vertex)
	// ancestor and label are the forest of the nodes done so far: label[v] is the
	// least semidominator on the way from v up to, not including, ancestor[v].
	ancestor := make([]uint32, n)
	label := make([]uint32, n)
	copy(ancestor, parent)
	semi := make([]uint32, n)
	var path []uint32
	for i := n - 1; i > 0; i-- {
		if i%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		least := parent[i]
		for _, p := range preds.from[preds.start[i]:preds.start[i+1]] {
			if p <= uint32(i) {
				least = min(least, p)
				continue
			}
			// Compress the path from p to the edge of the forest.
			u := p
			for ancestor[u] > uint32(i) {
				path = append(path, u)
				u = ancestor[u]
			}
			for k := len(path) - 1; k >= 0; k-- {
				w := path[k]
				label[w] = min(label[w], label[u])
				ancestor[w] = ancestor[u]
				u = w
			}
			path = path[:0]
			least = min(least, label[p])
		}
		semi[i], label[i] = least, least
	}
	// The dominator of i is the nearest ancestor that is no deeper than its
	// semidominator.
	t.idom = parent
	for i := 1; i < n; i++ {
		j := parent[i]
		for j > semi[i] {
			j = t.idom[j]
		}
		t.idom[i] = j
	}
	return nil
}

// Reachable says whether the node, 0 for none, can be reached from a root.
func (t *Tree) Reachable(v uint32) bool { return t.number[v] != 0 }

// Size returns the number of reachable nodes.
func (t *Tree) Size() int { return len(t.vertex) - 1 }

// Dominator returns the immediate dominator of a reachable node, 0 for the
// virtual root. ok is false for unreachable nodes.
func (t *Tree) Dominator(v uint32) (dominator uint32, ok bool) {
	i := t.number[v]
	return t.vertex[t.idom[i]], i != 0
}

// Retained returns what would go with the node: the size of all that it
// dominates, itself included. 0 for unreachable nodes.
func (t *Tree) Retained(v uint32) uint64 {
	if t.number[v] == 0 {
		return 0
	}
	return t.retained[t.number[v]]
}

// Total returns the size of all reachable nodes.
func (t *Tree) Total() uint64 { return t.retained[0] }

// Top returns the nodes directly under the virtual root.
func (t *Tree) Top(yield func(v uint32) bool) {
	for i, d := range t.idom {
		if i > 0 && d == 0 && !yield(t.vertex[i]) {
			return
		}
	}
}

// RetainedTogether returns the sum of what the nodes retain, leaving out those
// that another one of them dominates. It costs a pass over the tree.
func (t *Tree) RetainedTogether(nodes []uint32) uint64 {
	const in, below = 1, 2
	mark := make([]uint8, len(t.vertex))
	for _, v := range nodes {
		if i := t.number[v]; i != 0 {
			mark[i] = in
		}
	}
	var sum uint64
	for i := 1; i < len(t.vertex); i++ {
		if mark[t.idom[i]] != 0 {
			mark[i] = below
		} else if mark[i] == in {
			sum += t.retained[i]
		}
	}
	return sum
}

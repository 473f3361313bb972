package dom

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// iterative computes immediate dominators in a second, simple way: Cooper, Harvey
// and Kennedy, "A simple, fast dominance algorithm" (2001). The result is by node;
// the virtual root is 0, and so is the dominator of unreachable nodes.
func iterative(successors [][]uint32, roots []uint32) (idom []uint32, reachable []bool) {
	n := len(successors)
	successors = append([][]uint32{roots}, successors[1:]...)
	order := make([]uint32, 0, n) // postorder
	place := make([]int, n)
	reachable = make([]bool, n)
	type step struct {
		v uint32
		i int
	}
	stack := []step{{0, 0}}
	reachable[0] = true
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		if top.i == len(successors[top.v]) {
			place[top.v] = len(order)
			order = append(order, top.v)
			stack = stack[:len(stack)-1]
			continue
		}
		w := successors[top.v][top.i]
		top.i++
		if !reachable[w] {
			reachable[w] = true
			stack = append(stack, step{w, 0})
		}
	}
	predecessors := make([][]uint32, n)
	for _, v := range order {
		for _, w := range successors[v] {
			predecessors[w] = append(predecessors[w], v)
		}
	}
	const none = ^uint32(0)
	idom = make([]uint32, n)
	for i := range idom {
		idom[i] = none
	}
	idom[0] = 0
	for changed := true; changed; {
		changed = false
		for i := len(order) - 2; i >= 0; i-- {
			v, d := order[i], none
			for _, p := range predecessors[v] {
				switch {
				case idom[p] == none:
				case d == none:
					d = p
				default:
					for a := p; a != d; {
						if place[a] < place[d] {
							a = idom[a]
						} else {
							d = idom[d]
						}
					}
				}
			}
			if idom[v] != d {
				idom[v], changed = d, true
			}
		}
	}
	return idom, reachable
}

// TestBigGraphs compares with the second algorithm on graphs of several buckets and
// stretches: sparse ones with much that is unreachable, trees with some cross
// references, chains, and all of them with shared leaves.
func TestBigGraphs(t *testing.T) {
	const n = 3*bucketNodes + 100
	for name, fill := range map[string]func(r *rand.Rand, link func(from, to int)){
		"sparse": func(r *rand.Rand, link func(from, to int)) {
			for range n * 5 / 4 {
				link(1+r.IntN(n), 1+r.IntN(n))
			}
		},
		"dense": func(r *rand.Rand, link func(from, to int)) {
			for range 3 * n {
				link(1+r.IntN(n), 1+r.IntN(n))
			}
		},
		"tree": func(r *rand.Rand, link func(from, to int)) {
			for v := 2; v <= n; v++ {
				link(1+r.IntN(v-1), v)
			}
			for range n / 10 {
				link(1+r.IntN(n), 1+r.IntN(n))
			}
		},
		"chains": func(r *rand.Rand, link func(from, to int)) {
			for v := 1; v < n; v++ {
				if v%1000 != 0 {
					link(v, v+1)
				}
				if v%10 == 0 {
					link(v, n-r.IntN(100))
					link(v, v-r.IntN(10))
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(7, uint64(len(name))))
			successors := make([][]uint32, n+1)
			fill(r, func(from, to int) { successors[from] = append(successors[from], uint32(to)) })
			roots := []uint32{1, n / 2, n/2 + 1}
			want, reachable := iterative(successors, roots)
			tree := build(t, successors, roots)
			var seen int64
			for v, d := range tree.Dominators {
				require.True(t, reachable[v], "node %d", v)
				require.Equal(t, want[v], d, "node %d", v)
				seen++
			}
			require.Equal(t, seen, tree.Size())
			var all int64
			for _, is := range reachable[1:] {
				if is {
					all++
				}
			}
			require.Equal(t, all, seen)
		})
	}
}

package scan

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/heap/dom"
	"github.com/apm-sidecar/apm-sidecar/internal/report"
)

const (
	// maxTreeRows bounds the dominator tree of a report.
	maxTreeRows = 500
	// aloneShare and treeShare are parts of the reachable heap: what retains one
	// aloneShare-th of it stands for itself, not for its class, and what retains less
	// than one treeShare-th is left out.
	aloneShare = 100
	treeShare  = 1000
)

// survey adds to the report what classes, loaders and packages retain, and returns the
// sums by class and the merged tree. Errors: that of ctx.
func (d *dump) survey(ctx context.Context) (*dom.Sums, error) {
	d.progress.say("adding up by class", 2*d.file.Size+d.file.Size/2)
	s := groupClasses(d.graph)
	sums, err := d.graph.Survey(ctx, d.tree, heap.Survey{
		Groupings: [][]uint32{s.loaderOf, s.packageOf},
		Merge:     true, BigBytes: max(d.tree.Total()/aloneShare, 1),
	})
	if err != nil {
		return nil, err
	}
	addRetained(d.report, d.classes, sums.Retained[0])
	return sums, d.addGroups(ctx, s, sums.Retained[1], sums.Retained[2])
}

// addDominatorTree adds the dominator tree, merged by class.
func addDominatorTree(r *report.Report, h *finding.Heap, all []dom.Merged) {
	children, roots := kept(all, h, h.Tree.Total()/treeShare)
	r.DominatorTree = []report.DominatorNode{}
	type place struct {
		entry int32
		depth int
	}
	var todo []place
	push := func(entries []int32, depth int) {
		for _, e := range slices.Backward(entries) {
			todo = append(todo, place{e, depth})
		}
	}
	push(roots, 0)
	for len(todo) > 0 {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		r.DominatorTree = append(r.DominatorTree, describeNode(h, all[at.entry], at.depth))
		push(children[at.entry], at.depth+1)
	}
	r.Limits.DominatorTreeRows = maxTreeRows
	r.Limits.DominatorTreeOmitted = int64(len(all) - len(r.DominatorTree))
}

// kept chooses the entries that retain most, which has the parents of all of them, and
// returns those below each one and those at the top, biggest first.
func kept(all []dom.Merged, h *finding.Heap, least uint64) (children map[int32][]int32, roots []int32) {
	var chosen []int32
	for i, e := range all {
		if e.Retained >= least {
			chosen = append(chosen, int32(i))
		}
	}
	address := func(e dom.Merged) uint64 {
		if e.Top == 0 {
			return 0
		}
		return h.Address(heap.ObjID(e.Top))
	}
	// Equal ones come in an order that does not depend on how the graph was walked,
	// as far as the bound allows.
	slices.SortFunc(chosen, func(a, b int32) int {
		x, y := all[a], all[b]
		return cmp.Or(cmp.Compare(y.Retained, x.Retained), cmp.Compare(y.RetainedNodes, x.RetainedNodes),
			cmp.Compare(h.Classes[x.Class].Name, h.Classes[y.Class].Name), cmp.Compare(address(x), address(y)), cmp.Compare(a, b))
	})
	chosen = chosen[:min(len(chosen), maxTreeRows)]
	children = map[int32][]int32{}
	for _, e := range chosen {
		if parent := all[e].Parent; parent >= 0 {
			children[parent] = append(children[parent], e)
		} else {
			roots = append(roots, e)
		}
	}
	return children, roots
}

// describeNode names an entry of the merged tree.
func describeNode(h *finding.Heap, e dom.Merged, depth int) report.DominatorNode {
	n := report.DominatorNode{
		Depth:           depth,
		Class:           h.Classes[e.Class].Name,
		Objects:         int64(e.Nodes),
		ShallowBytes:    int64(e.Own),
		RetainedObjects: int64(e.RetainedNodes),
		RetainedBytes:   int64(e.Retained),
	}
	if e.Top != 0 {
		n.Object = fmt.Sprintf("%#x", h.Address(heap.ObjID(e.Top)))
		n.Of = h.NameOf(heap.ObjID(e.Top))
	}
	return n
}

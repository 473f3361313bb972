package report

import "github.com/apm-sidecar/apm-sidecar/internal/unit"

// treeView is an entry of the dominator tree with those below it.
type treeView struct {
	DominatorNode
	Name, ObjectCount, OwnSize, Retains, Share string
	// W is the width of its bar.
	W string
	// Open entries show what is below them from the start.
	Open  bool
	Below []*treeView
}

// openShare is the part of the reachable heap from which on an entry is open.
const openShare = 10

// treeViews nests the dominator tree.
func treeViews(r *Report) []*treeView {
	var roots []*treeView
	var way []*treeView
	total := r.Heap.live()
	for _, n := range r.DominatorTree {
		if n.Depth < 0 || n.Depth > len(way) {
			continue // its parent is missing
		}
		v := &treeView{
			DominatorNode: n, Name: n.name(), ObjectCount: unit.Count(n.Objects), OwnSize: unit.Bytes(n.ShallowBytes), Retains: unit.Bytes(n.RetainedBytes),
			Share: unit.Share(n.RetainedBytes, total),
			W:     percent(portion(n.RetainedBytes, total, whole)), Open: n.RetainedBytes > total/openShare,
		}
		way = append(way[:n.Depth], v)
		if n.Depth == 0 {
			roots = append(roots, v)
			continue
		}
		parent := way[n.Depth-1]
		parent.Below = append(parent.Below, v)
	}
	return roots
}

package dom

import "github.com/apm-sidecar/apm-sidecar/internal/offheap"

// Phase is what Build calls its work in plans.
const Phase = "finding dominators"

// Bytes bounds the memory that Build takes, but for semi-NCA, for a graph of some nodes, of which
// some are core.
func Bytes(nodes, core int64) int64 {
	sets := nodes/8 + core/4  // live or fresh, raised
	level := 16*core + core/8 // number, vertex, idom, marks; some
	renumber := 20 * core     // number, order, idom before and after
	return sets + max(level, renumber)
}

// plan tells what is to come once the core is known, with some references in it.
func (t *Tree) plan(references int64) error {
	return t.planFor(Bytes(int64(t.graph.Nodes), int64(t.core.count)), references)
}

// planSearch tells what is to come where the core must go through semi-NCA.
func (t *Tree) planSearch(references int64) error {
	core := int64(t.core.count)
	// Each reference between core nodes waits on the stack or in the backlog, which
	// begins a chunk for each bucket.
	backlog := 6 * (references + core/bucketNodes*chunkItems + slabChunks*chunkItems)
	// Of a big one something is given back before the dominators take all that they do.
	givenBack := max(4*core, min(6*core, backlog-smallBacklog))
	sets := core / 2           // shape, single, busy
	search := 12*core + sets   // number, links
	dominate := 20*core + sets // idom and path with those
	return t.planFor(max(search+backlog, dominate+backlog-givenBack), references)
}

func (t *Tree) planFor(bytes, references int64) error {
	core := int64(t.core.count)
	// The numbers of a whole core have an item for each node.
	bytes += 4 * (int64(t.core.span) - core)
	return t.graph.Memory.Plan(offheap.Need{Phase: Phase, Bytes: bytes, Nodes: core, References: references})
}

package dom

import "github.com/apm-sidecar/apm-sidecar/internal/offheap"

// Phase is what Build calls its work in plans.
const Phase = "finding dominators"

// Bytes bounds the memory that Build takes, for a graph of some nodes, of which some
// are core, with some references between core nodes.
func Bytes(nodes, core, references int64) int64 {
	// Each reference between core nodes waits on the stack or in the backlog, which
	// begins a chunk for each bucket.
	backlog := 6 * (references + core/bucketNodes*chunkItems + slabChunks*chunkItems)
	// Of a big one something is given back before the dominators take all that they do.
	givenBack := max(4*core, min(6*core, backlog-smallBacklog))
	burden := 4*core + core/8
	sets := core / 2                  // shape, single, busy
	search := 12*core + sets + burden // number, links
	dominate := 20*core + sets + burden
	renumber := 20*core + burden
	return nodes/8 + max(search+backlog, dominate+backlog-givenBack, renumber)
}

// plan tells what is to come once the core is known, with some references in it.
func (t *Tree) plan(references int64) error {
	core, nodes := int64(t.core.count), int64(t.graph.Nodes)
	// The numbers of a whole core have an item for each node.
	more := 4 * (int64(t.core.span) - core)
	return t.graph.Memory.Plan(offheap.Need{Phase: Phase, Bytes: Bytes(nodes, core, references) + more + t.graph.BesideBytes, Nodes: core, References: references})
}

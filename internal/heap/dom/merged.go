package dom

import (
	"context"

	"github.com/apm-sidecar/apm-sidecar/internal/heap/edges"
	"github.com/apm-sidecar/apm-sidecar/internal/offheap"
)

// Merged is an entry of the merged tree: nodes of one group that the same entry
// dominates, and those of the group right below them.
type Merged struct {
	// Parent is the index of the entry above, less than this one's own; -1 directly
	// under the virtual root.
	Parent int32
	// Group is the group of the nodes.
	Group uint32
	// Top is the only node that no other of the entry dominates, 0 where there are
	// several.
	Top uint32
	// Nodes is how many nodes the entry stands for, and Own what they weigh.
	Nodes, Own uint64
	// RetainedNodes and Retained are the same with all entries below.
	RetainedNodes, Retained uint64
}

const (
	// maxMergedDepth and maxMergedEntries bound the merged tree: what lies beyond
	// counts to the entry above it.
	maxMergedDepth   = 32
	maxMergedEntries = 1 << 20
)

// Merged merges the tree by the groups of its nodes, as a class-level picture of what
// keeps what. Core nodes that retain at least big, if they can be told by that, get an
// entry of their own. Entries come after their parents, otherwise in no particular
// order.
//
// It costs one pass over the tree, and 4 bytes a core node while it runs. Errors: that
// of ctx; no memory.
func (t *Tree) Merged(ctx context.Context, big uint64, group func(v uint32) uint32) ([]Merged, error) {
	entryOf, err := offheap.Make[uint32](len(t.vertex.Items)) // by number; entry plus 1
	if err != nil {
		return nil, err
	}
	defer entryOf.Free()
	m := &merging{t: t, group: group, known: map[mergeKey]uint32{}, entries: make([]Merged, 1), depth: make([]uint8, 1)}
	for i := 1; i < len(t.vertex.Items); i++ {
		if i%checkEvery == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		v, alone := t.vertex.Items[i], uint32(0)
		if t.retained.Items[i] >= big {
			alone = t.vertex.Items[i]
		}
		e := m.add(entryOf.Items[t.idom.Items[i]], v, alone)
		entryOf.Items[i] = e
		if t.bearing.has(uint32(i)) {
			m.peeled(e, t.graph.Edges.From(v))
		}
	}
	return m.finish(), ctx.Err()
}

// mergeKey finds an entry: below another one, of a group or for one node alone.
type mergeKey struct{ parent, group, alone uint32 }

// merging is a merged tree that grows. Entry 0 is the virtual root.
type merging struct {
	t       *Tree
	group   func(v uint32) uint32
	known   map[mergeKey]uint32
	entries []Merged
	depth   []uint8
	recent  [mergeRecent]mergeHit
	stack   []mergeRun
}

// mergeRecent is how many look-ups are remembered, as most repeat.
const mergeRecent = 1 << 10

// mergeHit is a remembered look-up.
type mergeHit struct {
	key   mergeKey
	entry uint32
}

// mergeRun is a peeled node whose successors are followed.
type mergeRun struct {
	run   edges.Run
	entry uint32
}

// add counts v, which hangs on a node of the entry parent, and returns its entry.
// alone is v where it gets an entry of its own, else 0.
func (m *merging) add(parent, v, alone uint32) uint32 {
	k := m.group(v)
	e := parent
	if parent == 0 || m.entries[parent].Group != k {
		e = m.below(mergeKey{parent, k, alone}, v)
	}
	m.entries[e].Nodes++
	m.entries[e].Own += m.t.graph.Weight(v)
	return e
}

// below returns the entry of a key, a new one where there is none.
func (m *merging) below(key mergeKey, v uint32) uint32 {
	hit := &m.recent[(key.parent*31+key.group*7+key.alone)%mergeRecent]
	if hit.entry == 0 || hit.key != key {
		e, ok := m.known[key]
		if !ok {
			if m.depth[key.parent] == maxMergedDepth || len(m.entries) == maxMergedEntries {
				return key.parent
			}
			e = uint32(len(m.entries))
			m.known[key] = e
			m.entries = append(m.entries, Merged{Parent: int32(key.parent), Group: key.group, Top: v})
			m.depth = append(m.depth, m.depth[key.parent]+1)
			*hit = mergeHit{key, e}
			return e
		}
		*hit = mergeHit{key, e}
	}
	m.entries[hit.entry].Top = 0
	return hit.entry
}

// peeled adds the peeled nodes below a node of the entry whose successors are run.
func (m *merging) peeled(entry uint32, run edges.Run) {
	t, g := m.t, m.t.graph.Edges
	m.stack = append(m.stack[:0], mergeRun{run, entry})
	for len(m.stack) > 0 {
		top := &m.stack[len(m.stack)-1]
		u, ok := g.Next(&top.run)
		if !ok {
			m.stack = m.stack[:len(m.stack)-1]
			continue
		}
		entry := top.entry
		if g.Done(top.run) {
			m.stack = m.stack[:len(m.stack)-1] // a chain must not pile up
		}
		if t.core.has(u) {
			continue
		}
		m.stack = append(m.stack, mergeRun{g.From(u), m.add(entry, u, 0)})
	}
}

// finish adds up what the entries retain, and leaves the virtual root out.
func (m *merging) finish() []Merged {
	for i := len(m.entries) - 1; i > 0; i-- {
		e := &m.entries[i]
		e.RetainedNodes += e.Nodes
		e.Retained += e.Own
		parent := &m.entries[e.Parent]
		parent.RetainedNodes += e.RetainedNodes
		parent.Retained += e.Retained
		e.Parent--
	}
	return m.entries[1:]
}

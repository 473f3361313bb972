package dom

import "context"

// Merged is an entry of the merged tree, a class-level picture of what keeps what:
// nodes of one class that the same entry dominates, and those of the class right below
// them.
type Merged struct {
	// Parent is the index of the entry above, less than this one's own; -1 directly
	// under the virtual root.
	Parent int32
	// Class is the class of the nodes.
	Class uint32
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

// mergeKey finds an entry: below another one, of a class or for one node alone.
type mergeKey struct{ parent, class, alone uint32 }

// merging is a merged tree that grows. Entry 0 is the virtual root.
type merging struct {
	known   map[mergeKey]uint32
	keys    []mergeKey // by entry
	entries []Merged
	depth   []uint8
	recent  [mergeRecent]mergeHit
}

// mergeRecent is how many look-ups are remembered, as most repeat.
const mergeRecent = 1 << 10

// mergeHit is a remembered look-up.
type mergeHit struct {
	key   mergeKey
	entry uint32
}

func newMerging() *merging {
	return &merging{known: map[mergeKey]uint32{}, keys: make([]mergeKey, 1), entries: make([]Merged, 1), depth: make([]uint8, 1)}
}

// at returns the entry of v, which hangs on a node of the entry parent: the same one
// for nodes of the same class, one of its own where v stands alone.
func (m *merging) at(parent, class, v uint32, alone bool) uint32 {
	if parent != 0 && m.entries[parent].Class == class {
		return parent
	}
	key := mergeKey{parent: parent, class: class}
	if alone {
		key.alone = v
	}
	return m.below(key, v)
}

// count adds a node to an entry.
func (m *merging) count(entry uint32, weight uint64) {
	m.entries[entry].Nodes++
	m.entries[entry].Own += weight
}

// below returns the entry of a key, a new one where there is none. top is the node that
// stands at the entry's top.
func (m *merging) below(key mergeKey, top uint32) uint32 {
	hit := &m.recent[(key.parent*31+key.class*7+key.alone)%mergeRecent]
	if hit.entry == 0 || hit.key != key {
		e, ok := m.known[key]
		if !ok {
			if m.depth[key.parent] == maxMergedDepth || len(m.entries) == maxMergedEntries {
				return key.parent
			}
			e = uint32(len(m.entries))
			m.known[key] = e
			m.keys = append(m.keys, key)
			m.entries = append(m.entries, Merged{Parent: int32(key.parent), Class: key.class, Top: top})
			m.depth = append(m.depth, m.depth[key.parent]+1)
		}
		*hit = mergeHit{key, e}
	}
	if e := &m.entries[hit.entry]; e.Top != top {
		e.Top = 0
	}
	return hit.entry
}

// join adds the entries of another merged tree, that of another part of the nodes. Errors: that
// of ctx.
func (m *merging) join(ctx context.Context, other *merging) error {
	ours := make([]uint32, len(other.entries)) // by their entry
	for i := 1; i < len(other.entries); i++ {
		if i%mergeRecent == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		key, e := other.keys[i], &other.entries[i]
		key.parent = ours[key.parent]
		if key.parent != 0 && m.entries[key.parent].Class == key.class {
			ours[i] = key.parent // theirs was cut off at a bound, ours is
		} else {
			ours[i] = m.below(key, e.Top)
		}
		m.entries[ours[i]].Nodes += e.Nodes
		m.entries[ours[i]].Own += e.Own
	}
	return nil
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

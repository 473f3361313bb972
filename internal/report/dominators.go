package report

// Dominators are the biggest objects under the GC roots, or under one object, in the
// dominator tree.
type Dominators struct {
	Head
	// Edges are the rules by which objects hold each other: "strong" or "mat".
	Edges string `json:"edges"`
	Heap  Heap   `json:"heap"`
	// Of is the object whose children Dominators are; nil for those under the roots.
	Of *DominatorRow `json:"of,omitempty"`
	// By is what dominates Of; nil for an object directly under the roots and for an
	// unreachable one.
	By *ObjectName `json:"by,omitempty"`
	// Dominators are sorted by retained size.
	Dominators []DominatorRow  `json:"dominators"`
	Limits     DominatorLimits `json:"limits"`
}

// DominatorLimits says what was left out.
type DominatorLimits struct {
	DominatorRows     int   `json:"dominator_rows"`
	DominatorsOmitted int64 `json:"dominators_omitted"`
	// OmittedBytes is what the omitted ones retain.
	OmittedBytes int64 `json:"omitted_bytes"`
}

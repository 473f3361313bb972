package report

// Values of ObjectPath.Reachability beside the strengths of references.
const (
	// Reachable objects are held by references that no collection clears.
	Reachable = "strong"
	// Unreachable objects can be reached by no reference at all.
	Unreachable = "unreachable"
)

// ObjectPath is a way from a GC root to an object.
type ObjectPath struct {
	Head
	// Edges are the rules by which GC roots were taken: "strong" or "mat".
	Edges  string     `json:"edges"`
	Object ObjectName `json:"object"`
	// Reachability is "strong", "soft", "weak", "final", "phantom" or "unreachable":
	// the strength of the weakest reference on the strongest way there is.
	Reachability string `json:"reachability"`
	// Root is nil for unreachable objects.
	Root *PathRoot `json:"root,omitempty"`
	// Steps lead from the root to the object.
	Steps []PathStep `json:"steps"`
	// NotCounted are the references to the object that do not hold it.
	NotCounted []ReferrerKind `json:"not_counted"`
	// Referrers are who refers to an unreachable object; nil for others.
	Referrers *Referrers `json:"referrers,omitempty"`
	Limits    PathLimits `json:"limits"`
}

// PathRoot is a GC root.
type PathRoot struct {
	// Kind is the kind of root, such as "java frame".
	Kind string `json:"kind"`
	// Thread is the name of the thread it belongs to, and Frame the call that holds it.
	Thread string `json:"thread,omitempty"`
	Frame  string `json:"frame,omitempty"`
}

// PathStep is an object on a way.
type PathStep struct {
	ObjectName
	// Reference leads to the next step; nil in the last one.
	Reference *Reference `json:"reference,omitempty"`
	// Skipped is how many steps are left out before this one. The reference of the
	// step before leads to the first of them.
	Skipped int64 `json:"skipped,omitempty"`
}

// PathLimits says what was left out.
type PathLimits struct {
	// StepRows bounds the steps: the first and the last ones are kept.
	StepRows     int   `json:"step_rows"`
	StepsOmitted int64 `json:"steps_omitted"`
}

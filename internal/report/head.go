package report

// Head is what the answer to a question about a dump begins with.
type Head struct {
	SchemaVersion int       `json:"schema_version"`
	Tool          Tool      `json:"tool"`
	Dump          Dump      `json:"dump"`
	Warnings      []Warning `json:"warnings"`
}

// Answer is a pointer to a Report, Dominators, ObjectPath, Inspection or Threads.
type Answer interface{ About() *Head }

// About returns the head itself.
func (h *Head) About() *Head { return h }

// About returns what the report has in common with other answers.
func (r *Report) About() *Head { return &Head{r.SchemaVersion, r.Tool, r.Dump, r.Warnings} }

// Partial tells whether the dump could be read in part only.
func (h *Head) Partial() bool { return h.Dump.Truncated || damaged(h.Warnings) }

// ObjectName is an object as answers name it.
type ObjectName struct {
	// Object is the address, 0x...
	Object string `json:"object"`
	Class  string `json:"class"`
	// Of is the class that a class object stands for, or the name of a thread.
	Of string `json:"of,omitempty"`
	// Text is the value of a java.lang.String, at most 1,024 characters of it.
	Text *string `json:"text,omitempty"`
	// TextCut says that Text is not all.
	TextCut bool `json:"text_cut,omitempty"`
}

// Reference is how one object refers to another.
type Reference struct {
	// Kind is "field", "static", "element", "class", "superclass", "class loader",
	// "signers", "protection domain" or "local".
	Kind string `json:"kind"`
	// Field is the name of a field, and DeclaredBy the class that declares it.
	Field      string `json:"field,omitempty"`
	DeclaredBy string `json:"declared_by,omitempty"`
	// Index is the place in an array, nil for others and for several elements.
	Index *int64 `json:"index,omitempty"`
	// Strength is "soft", "weak", "final" or "phantom" for the referent of such a
	// reference object, and empty for references that hold.
	Strength string `json:"strength,omitempty"`
}

// Referrers are the references to an object.
type Referrers struct {
	// Objects is how many objects refer to it, and References how many references
	// those have to it.
	Objects    int64 `json:"objects"`
	References int64 `json:"references"`
	// Kinds counts the references by class and field, most first.
	Kinds []ReferrerKind `json:"kinds"`
	// First are some of the references, by address of the object.
	First []Referrer `json:"first"`
	// KindsOmitted and FirstOmitted are how many more there are.
	KindsOmitted int64 `json:"kinds_omitted"`
	FirstOmitted int64 `json:"first_omitted"`
}

// ReferrerKind is how many references are alike.
type ReferrerKind struct {
	Class      string    `json:"class"`
	Reference  Reference `json:"reference"`
	References int64     `json:"references"`
}

// Referrer is an object with one of its references.
type Referrer struct {
	ObjectName
	Reference Reference `json:"reference"`
}

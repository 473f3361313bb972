package report

// Inspection is all that a dump tells of one object.
type Inspection struct {
	Head
	ObjectName
	// Loader is the loader of the object's class: an address, or "boot".
	Loader string `json:"loader"`
	// LoaderClass is the class of the loader, empty for the boot loader.
	LoaderClass  string `json:"loader_class,omitempty"`
	ShallowBytes int64  `json:"shallow_bytes"`
	// RetainedBytes, Reachable and Dominator are nil where the graph was not asked
	// for; an unreachable object retains nothing and has no dominator.
	RetainedBytes *int64      `json:"retained_bytes,omitempty"`
	Reachable     *bool       `json:"reachable,omitempty"`
	Dominator     *ObjectName `json:"dominator,omitempty"`
	// Roots are the kinds of GC root that the object itself is.
	Roots []PathRoot `json:"roots"`
	// Superclasses are those of the object's class, or of the class that it stands
	// for, nearest first.
	Superclasses []string `json:"superclasses"`
	// Fields are an instance's, the class's own ones first.
	Fields []FieldValue `json:"fields"`
	// Statics are those of the class that a class object stands for.
	Statics []FieldValue `json:"statics"`
	// Instances counts the instances of that class.
	Instances *int64 `json:"instances,omitempty"`
	// Length is the number of elements of an array, and Elements its first ones.
	Length   *int64  `json:"length,omitempty"`
	Elements []Value `json:"elements"`
	// Outgoing is how many references the object has that are not null.
	Outgoing  int64            `json:"outgoing_references"`
	Referrers Referrers        `json:"referrers"`
	Limits    InspectionLimits `json:"limits"`
}

// FieldValue is a field with its value.
type FieldValue struct {
	Field string `json:"field"`
	// DeclaredBy is the class that declares the field.
	DeclaredBy string `json:"declared_by"`
	// Type is the field's type: "object" for a reference, or a primitive type of Java.
	Type string `json:"type"`
	Value
}

// Value is a value of a primitive type or a reference.
type Value struct {
	// Value is a primitive value as Java source writes it, "null" for no reference.
	Value string `json:"value,omitempty"`
	// Ref is the object that a reference refers to. Its class is empty where the dump
	// does not have the object.
	Ref *ObjectName `json:"ref,omitempty"`
}

// InspectionLimits says what was left out.
type InspectionLimits struct {
	// Rows bounds every list.
	Rows            int   `json:"rows"`
	FieldsOmitted   int64 `json:"fields_omitted"`
	StaticsOmitted  int64 `json:"statics_omitted"`
	ElementsOmitted int64 `json:"elements_omitted"`
}

package heap

// Strength says how strongly an object is held.
//
// Source: package java.lang.ref. Objects that only a finalizer keeps come between the
// weakly and the phantom reachable ones.
type Strength int

// The strengths, strongest first.
const (
	Strong Strength = iota
	Soft
	Weak
	Final
	Phantom
	Unreachable
)

// String is the strength's name.
func (s Strength) String() string {
	return [...]string{"strong", "soft", "weak", "final", "phantom", "unreachable"}[s]
}

const (
	referenceClass = "java.lang.ref.Reference"
	referentField  = "referent"
)

// ReferentWatch asks for the referents of all reference objects.
func ReferentWatch() Watch {
	return Watch{Class: referenceClass, Fields: []FieldName{{Class: referenceClass, Field: referentField}}}
}

// strengths returns the strength of each class, by ClassID.
func (g *Graph) strengths() []Strength {
	all := make([]Strength, len(g.Classes))
	for i := range g.Classes {
		all[i] = g.strength(ClassID(i))
	}
	return all
}

// strength says how strongly instances of a class hold their referent: Strong for those
// that are no references, Weak for references of unknown kinds.
func (g *Graph) strength(c ClassID) Strength {
	switch {
	case !g.IsSubclass(c, referenceClass):
		return Strong
	case g.IsSubclass(c, "java.lang.ref.SoftReference"):
		return Soft
	case g.IsSubclass(c, "java.lang.ref.FinalReference"), g.IsSubclass(c, "java.lang.ref.FinalizerReference"): // Android's
		return Final
	case g.IsSubclass(c, "java.lang.ref.PhantomReference"):
		return Phantom
	}
	return Weak
}

// isReferent says whether a field is the referent of a reference object.
func (f DeclaredField) isReferent() bool {
	return f.Field.Name == referentField && f.Class.Name == referenceClass
}

// Package finding holds what the analyser concludes from a heap: the census of
// finalizers, the schedulers with their tasks, and the verdicts drawn from them.
// The JSON names are a contract with other programs (docs/report-schema.md).
package finding

import "slices"

// Severity says how urgent a finding is. A heap that is merely in use has no
// finding above SeverityInfo.
type Severity string

// The severities, most urgent first.
const (
	SeverityCritical Severity = "critical"
	SeverityWarning  Severity = "warning"
	SeverityInfo     Severity = "info"
)

// Severities are all of them, most urgent first.
func Severities() []Severity { return []Severity{SeverityCritical, SeverityWarning, SeverityInfo} }

// Confidence says how much of a verdict the dump itself proves.
type Confidence string

// The degrees of confidence.
const (
	ConfidenceHigh   Confidence = "high"
	ConfidenceMedium Confidence = "medium"
	ConfidenceLow    Confidence = "low"
)

// Finding is one verdict: what is wrong, who is to blame, what to do.
type Finding struct {
	// Kind is the verdict's name, such as "timer-held".
	Kind       string     `json:"kind"`
	Severity   Severity   `json:"severity"`
	Confidence Confidence `json:"confidence"`
	// Title is one line; Title and Summary together are at most 600 characters
	// and name culprit, holder, thread, counts and bytes.
	Title   string `json:"title"`
	Summary string `json:"summary"`
	// Advice is what to do, in a sentence or two.
	Advice string `json:"advice"`
	// Fingerprint is stable between two dumps of the same problem.
	Fingerprint string  `json:"fingerprint"`
	Culprit     Culprit `json:"culprit"`
	// Objects and Bytes are what the problem costs: how many objects are held,
	// and how many bytes would go with them.
	Objects  int64    `json:"objects"`
	Bytes    int64    `json:"bytes"`
	Evidence Evidence `json:"evidence"`
}

// NoShare says that Bytes are no share of what is in use: they lie outside the heap, or the dump does not show
// them as in use.
func (f *Finding) NoShare() bool {
	return slices.Contains([]string{"direct-buffers", "class-values", "open-deflaters"}, f.Kind)
}

// Culprit points at the part of the program to change. Empty parts are unknown.
type Culprit struct {
	Class  string `json:"class,omitempty"`
	Object string `json:"object,omitempty"` // hex address, 0x...
	Thread string `json:"thread,omitempty"`
	Field  string `json:"field,omitempty"`
	Loader string `json:"loader,omitempty"`
}

// Evidence is what a reader needs to check the verdict. Every list is bounded.
type Evidence struct {
	// Facts are the measured values the verdict rests on, in reading order.
	Facts []Fact `json:"facts"`
	// Path leads from a GC root to the objects concerned; nil when there is none.
	Path *Path `json:"path,omitempty"`
	// Stack is the stack of the thread concerned, innermost frame first.
	Stack []string `json:"stack,omitempty"`
	// Lock is what the thread waits for; nil where it waits for nothing known.
	Lock *Lock `json:"lock,omitempty"`
	// Refutes says what observation would prove the verdict wrong.
	Refutes string `json:"refutes,omitempty"`
}

// Lock is what a thread waits for, and who could end that.
type Lock struct {
	// Class is the class of the lock: of a monitor's object, or of what a thread is
	// parked on.
	Class  string `json:"class"`
	Object string `json:"object"`
	// Owner is the name of the thread that has the lock, empty where unknown, and
	// OwnerState its Thread.State.
	Owner      string `json:"owner,omitempty"`
	OwnerState string `json:"owner_state,omitempty"`
	// Proof says how the owner is known: "field" if the lock itself says so, "stack
	// locals" if it is inferred from what the owner's stack refers to, "static method" if
	// all that is known is that both threads are in the same class, "queue" if it is a
	// thread of the pool in whose queue the task is that is waited for, "static initialiser" if
	// it is in that of a class which is probably waited for.
	Proof string `json:"proof,omitempty"`
	// OwnerStack is the owner's stack, innermost frame first.
	OwnerStack []string `json:"owner_stack,omitempty"`
}

// Fact is a named value, ready to read: {"cancelled tasks", "30,000 of 30,000"}.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Path is a class-level path from a GC root to a group of objects.
type Path struct {
	// Root is the kind of GC root: "thread", "java frame", "static field", ...
	Root string `json:"root"`
	// Thread is the name of the thread, for roots that belong to one.
	Thread string `json:"thread,omitempty"`
	// Frame is the call whose variable the root is, for roots on a stack:
	// "com.acme.Report.rows".
	Frame string `json:"frame,omitempty"`
	// Steps lead from the root object to the target class. A step's Field is the
	// field of that step's class that refers to the next step's object ("[]" for
	// an array's element); it is empty in the last step.
	Steps []Step `json:"steps"`
	// Objects is how many target objects are reached along this path, and Bytes
	// their shallow size.
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"`
}

// above are the steps that lead to what the path ends at.
func (p *Path) above() []Step {
	if p == nil {
		return nil
	}
	return p.Steps[:max(len(p.Steps)-1, 0)]
}

// Step is one class on a Path.
type Step struct {
	Class string `json:"class"`
	// Object is the address of the object when all paths go through this one.
	Object string `json:"object,omitempty"`
	Field  string `json:"field,omitempty"`
	// Repeat is how often the step repeats in a row (a linked list); 0 means once.
	Repeat int `json:"repeat,omitempty"`
}

package jvm

import "time"

// FinalizerQueue is what waits for the Finalizer thread, by class.
type FinalizerQueue struct {
	// Disabled is true for a JVM started with --finalization=disabled.
	Disabled bool
	// Classes are sorted by count, biggest first, then by name.
	Classes []ClassCount
}

// ClassCount is a number of instances of one class.
type ClassCount struct {
	Class string `json:"class"`
	Count int64  `json:"count"`
}

// FinalizerThread is a look at the thread that runs finalize().
type FinalizerThread struct {
	// Time is the sidecar's clock when the answer was complete.
	Time   time.Time
	Thread Thread
	// Owner holds the lock that the thread waits for; nil where it waits for none
	// or nobody holds it.
	Owner *Thread
}

// RegisteredFinalizers counts, by class, the objects that have a Finalizer and are
// not finalized yet, those in use among them.
type RegisteredFinalizers struct {
	// Classes are sorted by count, biggest first, then by name.
	Classes []RegisteredClass
}

// RegisteredClass is one finalizable class.
type RegisteredClass struct {
	Class string `json:"class"`
	// Objects are registered now; Run were finalized since the JVM started.
	Objects int64 `json:"objects"`
	Run     int64 `json:"run"`
}

// ClassHistogram is a count of the heap's objects by class, garbage included.
type ClassHistogram struct {
	// Time is the sidecar's clock when the answer was complete, Took how long the
	// JVM needed, most of which it stood still.
	Time time.Time
	Took time.Duration
	// Classes are sorted by bytes, biggest first. Their number is bounded;
	// Objects and Bytes count everything.
	Classes        []ClassUsage
	Objects, Bytes int64
}

// ClassUsage is what the instances of a class take, without what they refer to.
type ClassUsage struct {
	// Class is as Java source writes it.
	Class   string `json:"class"`
	Objects int64  `json:"objects"`
	Bytes   int64  `json:"bytes"`
}

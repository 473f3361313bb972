package jvm

import "time"

// Evidence is what was asked of a JVM at one moment on its way up, and kept: at its
// OutOfMemoryError it answers no more.
type Evidence struct {
	Time   time.Time `json:"time"`
	Reason string    `json:"reason"`
	// OldAfterGCRatio is the share of the old region in use after its last
	// collection.
	OldAfterGCRatio float64 `json:"old_after_gc_ratio"`
	HeapUsedBytes   int64   `json:"heap_used_bytes,omitempty"`
	// Pending is the number of objects in the queue of the Finalizer thread, Queue
	// the last look at it by class.
	Pending *int64       `json:"pending_finalizers,omitempty"`
	Queue   []ClassCount `json:"finalizer_queue,omitempty"`
	// Thread is the last look at the Finalizer thread.
	Thread *FinalizerEvidence `json:"finalizer_thread,omitempty"`
	// Registered counts finalizable objects where the JVM tells.
	Registered []RegisteredClass `json:"registered_finalizers,omitempty"`
	// Histogram are the classes with most bytes, garbage included. HistogramNote
	// says why it is missing.
	Histogram     []ClassUsage `json:"class_histogram,omitempty"`
	HistogramNote string       `json:"class_histogram_note,omitempty"`
	// Finalizers is the number of Finalizer objects in the histogram.
	Finalizers int64 `json:"finalizers,omitempty"`
	// Suspicion is what the histogram says about a timer that holds finalizable
	// objects; empty if nothing. A guess, for a heap dump to confirm.
	Suspicion string `json:"suspicion,omitempty"`
}

// FinalizerEvidence is a look at the Finalizer thread, as it is kept.
type FinalizerEvidence struct {
	Time         time.Time `json:"time"`
	State        string    `json:"state"`
	Frame        string    `json:"frame,omitempty"`
	StuckSeconds float64   `json:"stuck_seconds,omitempty"`
	LockClass    string    `json:"lock_class,omitempty"`
	Owner        string    `json:"owner,omitempty"`
	Stack        []string  `json:"stack,omitempty"`
	OwnerStack   []string  `json:"owner_stack,omitempty"`
}

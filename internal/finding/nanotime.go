package finding

import (
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// collected is System.nanoTime() when the JVM last collected; ok is false where the dump
// does not tell.
//
// Source: SoftReference.clock is of that clock, in milliseconds, and set by each
// collection (referenceProcessor.cpp of HotSpot).
func (h *Heap) collected() (at time.Duration, ok bool) {
	v, ok := h.Static("java.lang.ref.SoftReference", "clock")
	return time.Duration(v) * time.Millisecond, ok && v != 0
}

// reckon notes that a task is due at a System.nanoTime(), where now is one that had
// passed when the dump was written: so the task is due at the latest when this says.
func (s *scheduler) reckon(h *Heap, due, now time.Duration) {
	at := h.Created.Add(due - now)
	if s.head.IsZero() || at.Before(s.head) {
		s.head = at
	}
	if s.last.IsZero() || at.After(s.last) {
		s.last = at
	}
	s.DueReckoned = true
}

// tell writes the instants into the report's part.
func (s *scheduler) tell() {
	if !s.head.IsZero() {
		s.HeadDue = hprof.Instant(s.head.UnixMilli()).Format(time.RFC3339Nano)
		s.LastDue = hprof.Instant(s.last.UnixMilli()).Format(time.RFC3339Nano)
	}
}

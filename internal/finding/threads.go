package finding

import (
	"slices"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

// thread is a thread with its stack and what its object tells of it.
type thread struct {
	heap.Stack
	heap.ThreadInfo
	// behind says that it waits for a class that another thread initialises: for the JVM it is
	// RUNNABLE.
	behind bool
}

// The states of a thread, as java.lang.Thread.State names them.
const (
	stateRunnable     = "RUNNABLE"
	stateBlocked      = "BLOCKED"
	stateWaiting      = "WAITING"
	stateTimedWaiting = "TIMED_WAITING"
	stateTerminated   = "TERMINATED"
)

// stuck says whether the thread waits without a limit of time.
func (t *thread) stuck() bool {
	return t.behind || slices.Contains([]string{stateBlocked, stateWaiting, "PARKED", "PINNED", "WAIT"}, t.State) // the last ones are virtual threads'
}

// paused says whether the thread waits with a limit of time.
func (t *thread) paused() bool {
	return slices.Contains([]string{stateTimedWaiting, "TIMED_PARKED", "TIMED_PINNED", "TIMED_WAIT"}, t.State)
}

// inIO says whether the thread runs native code of the JDK that reads or writes: for
// Java that is no waiting.
func (t *thread) inIO() bool {
	if t.State != stateRunnable || len(t.Frames) == 0 || t.Frames[0].Line != nativeLine {
		return false
	}
	return slices.ContainsFunc([]string{"java.net.", "sun.nio.ch.", "java.io.", "java.lang.ProcessImpl"}, func(p string) bool {
		return strings.HasPrefix(t.Frames[0].Class, p)
	})
}

// nativeLine is the line number of native frames.
const nativeLine = -3

// own returns the innermost frame that is not the JDK's, nil if there is none.
func (t *thread) own() *heap.Frame {
	if i := t.ownIndex(); i >= 0 {
		return &t.Frames[i]
	}
	return nil
}

// ownIndex returns the index of that frame, -1 if there is none.
func (t *thread) ownIndex() int { return slices.IndexFunc(t.Frames, isNot("java.", "jdk.", "sun.")) }

// through returns the call by which the program's own code came to wait in the JDK's queues,
// latches and such: what it is parked on is an inner part of those. nil if there is none.
func (t *thread) through() *heap.Frame {
	i := t.ownIndex()
	if i < 1 || !strings.HasPrefix(t.Frames[i-1].Class, "java.util.concurrent.") || strings.HasPrefix(t.Frames[i-1].Class, "java.util.concurrent.locks.") {
		return nil
	}
	return &t.Frames[i-1]
}

// taker returns the innermost frame that is not the JDK's and refers to a lock: the one that has
// taken a monitor; nil if there is none.
func (t *thread) taker(lock heap.ObjID) *heap.Frame {
	for i := range t.Frames {
		if !platform(t.Frames[i].Class) && refersTo(t.Locals(i), lock) {
			return &t.Frames[i]
		}
	}
	return nil
}

// refersTo says whether an object is among the locals.
func refersTo(locals []heap.Local, o heap.ObjID) bool {
	return slices.ContainsFunc(locals, func(l heap.Local) bool { return l.Object == o })
}

// maxStack bounds the frames of a stack in a report.
const maxStack = 50

// stack renders the frames for a report, innermost first.
func (t *thread) stack() []string {
	lines := []string{}
	for _, f := range t.Frames[:min(len(t.Frames), maxStack)] {
		lines = append(lines, f.String())
	}
	return lines
}

package finding

import (
	"cmp"
	"slices"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

// How a report knows who owns a lock.
const (
	// proofField is the lock's own field.
	proofField = "field"
	// proofLocals is that the owner's stack refers to the lock too.
	proofLocals = "stack locals"
	// proofClass is that the owner's stack is in the class whose static method the thread is
	// blocked in.
	proofClass = "static method"
	// proofQueue is that what the thread waits for is a task in the queue of a pool, whose
	// threads are the owners.
	proofQueue = "queue"
	// proofCarrier is that the owner keeps the carrier which a virtual thread needs to go on.
	proofCarrier = "carrier"
	// proofInitialiser is that the owner is in the static initialiser of a class.
	proofInitialiser = "static initialiser"
)

// wait is what keeps a thread.
type wait struct {
	// lock is the object that it waits for, 0 if unknown or if it waits for none.
	lock heap.ObjID
	// owner is the thread that has to let go of it, nil if unknown.
	owner *owner
}

// owner is a thread that others wait for.
type owner struct {
	thread
	proof string
	// others is how many more threads may be the owner.
	others int
	// waits is what the owner itself waits for.
	waits *wait
}

// ended says whether the owner is a thread that ended with the lock: then nobody can let go of it
// any more. JVMs give up a thread's monitors at its end, but not its locks of java.util.concurrent.
func (o *owner) ended() bool {
	return o != nil && o.proof == proofField && o.State == stateTerminated
}

// maxOwners bounds how many owners are followed that wait for each other.
const maxOwners = 4

// waitOf says what a thread waits for and who could end that, and so on for that
// thread.
func (h *Heap) waitOf(t *thread) wait {
	first := h.waitsFor(t)
	seen := []heap.ObjID{t.Object}
	for w := &first; w.owner != nil && len(seen) < maxOwners && !slices.Contains(seen, w.owner.Object); w = w.owner.waits {
		seen = append(seen, w.owner.Object)
		w.owner.waits = new(h.waitsFor(&w.owner.thread))
	}
	return first
}

// deadlock says whether the owners wait for each other in a circle.
func (w *wait) deadlock(t *thread) bool {
	seen := []heap.ObjID{t.Object}
	for ; w != nil && w.owner != nil; w = w.owner.waits {
		if slices.Contains(seen, w.owner.Object) {
			return true
		}
		seen = append(seen, w.owner.Object)
	}
	return false
}

// pace says how a thread gets on that waits for w.
func (t *thread) pace(w wait) pace {
	switch o := w.owner; {
	case t.stuck() && o != nil && o.State == stateRunnable && !o.inIO():
		return halting // the owner is at work
	case t.stuck():
		return standing
	case t.paused(), t.inIO():
		return halting
	}
	return computing
}

// waitsFor says what a thread waits for and who could end that, that one's own waiting
// left out.
func (h *Heap) waitsFor(t *thread) wait {
	l, ok := h.links[t.Object]
	if !ok {
		return wait{}
	}
	w := wait{lock: l.lock}
	if len(l.owners) > 0 {
		w.owner = &owner{thread: h.threadOf(l.owners[0]), proof: l.proof, others: len(l.owners) - 1}
	}
	return w
}

// threadOf returns a thread with its stack and state.
func (h *Heap) threadOf(o heap.ObjID) thread {
	t := thread{ThreadInfo: h.threadInfos[o]}
	t.Stack, _ = h.stackOf(o)
	t.Object = o
	return t
}

// stackOf returns the stack of a thread; ok is false where the dump has none.
func (h *Heap) stackOf(o heap.ObjID) (s heap.Stack, ok bool) {
	at, ok := slices.BinarySearchFunc(h.threadOrder, o, func(i uint32, o heap.ObjID) int { return cmp.Compare(h.Threads[i].Object, o) })
	if ok {
		s = h.Stack(h.Threads[h.threadOrder[at]])
	}
	return s, ok
}

// joins says whether the stack is that of Thread.join: a thread may also wait to be notified by what
// knows it as an object, as in its own run().
func joins(frames []heap.Frame) bool {
	for _, f := range frames {
		if f.Class != "java.lang.Object" {
			return f.Class == "java.lang.Thread" && f.Method == "join"
		}
	}
	return false
}

// waitedOn returns the object whose wait() or join() is on top of the stack, 0 if
// there is none.
func waitedOn(s *heap.Stack) heap.ObjID {
	isWait := func(f heap.Frame) bool {
		return f.Class == "java.lang.Object" && strings.HasPrefix(f.Method, "wait") || f.Class == "java.lang.Thread" && f.Method == "join"
	}
	if len(s.Frames) == 0 || !isWait(s.Frames[0]) {
		return 0
	}
	for i, f := range s.Frames {
		if locals := s.Locals(i); len(locals) > 0 {
			return locals[0].Object // of wait and join it is the object itself
		}
		if !isWait(f) {
			break
		}
	}
	return 0
}

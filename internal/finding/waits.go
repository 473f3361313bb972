package finding

import (
	"context"
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

// maxOwners bounds how many owners are followed that wait for each other.
const maxOwners = 4

// waitOf says what a thread waits for and who could end that, and so on for that
// thread. Errors: that of ctx.
func (h *Heap) waitOf(ctx context.Context, t *thread) (wait, error) {
	first, err := h.waitsFor(ctx, t)
	if err != nil {
		return wait{}, err
	}
	seen := []heap.ObjID{t.Object}
	for w := &first; w.owner != nil && len(seen) < maxOwners && !slices.Contains(seen, w.owner.Object); w = w.owner.waits {
		seen = append(seen, w.owner.Object)
		next, err := h.waitsFor(ctx, &w.owner.thread)
		if err != nil {
			return wait{}, err
		}
		w.owner.waits = &next
	}
	return first, nil
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
	case t.State == stateTimedWaiting, t.inIO():
		return halting
	}
	return computing
}

// waitsFor says what a thread waits for and who could end that.
func (h *Heap) waitsFor(ctx context.Context, t *thread) (w wait, err error) {
	var proven heap.ObjID // the owner's thread object
	switch t.State {
	case stateBlocked:
		return h.monitorWait(ctx, t)
	case stateWaiting, stateTimedWaiting:
		if w.lock, proven, err = h.parkedOn(ctx, t.Object); err != nil {
			return w, err
		}
		if w.lock == 0 {
			w.lock = waitedOn(t.Frames)
			if h.Tables[tableThread].Row(w.lock) >= 0 {
				proven = w.lock // Thread.join
			}
		}
	}
	if proven == 0 {
		return w, nil
	}
	infos, err := h.ThreadInfos(ctx, []heap.ObjID{proven})
	if err != nil {
		return w, err
	}
	w.owner = &owner{thread: thread{ThreadInfo: infos[proven]}, proof: proofField}
	w.owner.Object = proven
	for s := range h.Stacks() {
		if s.Object == proven {
			w.owner.Stack = s
		}
	}
	return w, nil
}

// parkedOn returns what a thread is parked on, and its owner, both 0 if unknown.
//
// Source: java.util.concurrent.locks.LockSupport sets Thread.parkBlocker;
// AbstractOwnableSynchronizer and FutureTask know the thread that has them.
func (h *Heap) parkedOn(ctx context.Context, thread heap.ObjID) (blocker, owner heap.ObjID, err error) {
	ref := func(c heap.Content, class, field string) heap.ObjID {
		v, _, _ := h.Field(c, heap.FieldName{Class: class, Field: field})
		return h.Object(v)
	}
	err = h.Read(ctx, []heap.ObjID{thread}, func(c heap.Content) { blocker = ref(c, "java.lang.Thread", "parkBlocker") })
	if err != nil || blocker == 0 {
		return 0, 0, err
	}
	err = h.Read(ctx, []heap.ObjID{blocker}, func(c heap.Content) {
		owner = ref(c, "java.util.concurrent.locks.AbstractOwnableSynchronizer", "exclusiveOwnerThread")
		if owner == 0 {
			owner = ref(c, "java.util.concurrent.FutureTask", "runner")
		}
	})
	return blocker, owner, err
}

// waitedOn returns the object whose wait() or join() is on top of the stack, 0 if
// there is none.
func waitedOn(frames []heap.Frame) heap.ObjID {
	isWait := func(f heap.Frame) bool {
		return f.Class == "java.lang.Object" && strings.HasPrefix(f.Method, "wait") || f.Class == "java.lang.Thread" && f.Method == "join"
	}
	if len(frames) == 0 || !isWait(frames[0]) {
		return 0
	}
	for _, f := range frames {
		if len(f.Locals) > 0 {
			return f.Locals[0].Object // of wait and join it is the object itself
		}
		if !isWait(f) {
			break
		}
	}
	return 0
}

// monitorWait infers which monitor a blocked thread waits for and who owns it.
//
// Dumps of current JDKs do not list monitors. But "synchronized" keeps the object in a
// local variable, of the waiting frame as of the owner's: where both stacks refer
// to one object, that is the monitor. The waiting frame's last such local is taken,
// as the compiler puts the monitor behind the method's own variables.
func (h *Heap) monitorWait(ctx context.Context, t *thread) (wait, error) {
	if len(t.Frames) == 0 {
		return wait{}, nil
	}
	locals := t.Frames[0].Locals
	if o := waitedOn(t.Frames); o != 0 { // notified, it needs the monitor back
		locals = []heap.Local{{Object: o}}
	}
	best, found := -1, []heap.Stack{}
	for s := range h.Stacks() {
		if s.Object == t.Object {
			continue
		}
		for i := range locals {
			if i < best || locals[i].Object == t.Object || !mayOwn(s, locals[i].Object) {
				continue
			}
			if i > best {
				best, found = i, nil
			}
			found = append(found, s)
		}
	}
	if best < 0 {
		if len(locals) == 0 {
			return wait{}, nil
		}
		return wait{lock: locals[len(locals)-1].Object}, nil
	}
	threads := make([]heap.ObjID, 0, len(found))
	for _, s := range found {
		threads = append(threads, s.Object)
	}
	infos, err := h.ThreadInfos(ctx, threads)
	if err != nil {
		return wait{}, err
	}
	// A thread that is itself blocked by that monitor does not own it.
	lock := locals[best].Object
	candidates := slices.DeleteFunc(found, func(s heap.Stack) bool {
		return infos[s.Object].State == stateBlocked && holds(s.Frames[0], lock) && !slices.ContainsFunc(s.Frames[1:], func(f heap.Frame) bool { return holds(f, lock) })
	})
	if len(candidates) == 0 {
		return wait{lock: lock}, nil
	}
	s := candidates[0]
	return wait{lock: lock, owner: &owner{thread: thread{s, infos[s.Object]}, proof: proofLocals, others: len(candidates) - 1}}, nil
}

// mayOwn says whether a stack refers to the object, and is not one that waits to be
// notified by it: that gives the monitor up.
func mayOwn(s heap.Stack, o heap.ObjID) bool {
	return waitedOn(s.Frames) != o && slices.ContainsFunc(s.Frames, func(f heap.Frame) bool { return holds(f, o) })
}

// holds says whether a local of the frame is the object.
func holds(f heap.Frame, o heap.ObjID) bool {
	return slices.ContainsFunc(f.Locals, func(l heap.Local) bool { return l.Object == o })
}

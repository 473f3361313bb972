package finding

import (
	"context"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

// link is what one thread waits for.
type link struct {
	// lock is the object it waits for, or the thread whose end it waits for.
	lock heap.ObjID
	// owners are the threads that may have the lock: one at most, unless inferred.
	owners []heap.ObjID
	proof  string
}

// maxUnmounted bounds the virtual threads without a stack that are looked at.
const maxUnmounted = 100_000

// unmounted returns the virtual threads that are alive and not among those with a stack: JDK 21
// writes none of those that wait. What they are parked on tells who waits all the same.
func (h *Heap) unmounted(known []heap.ObjID) []heap.ObjID {
	have := h.NewSet()
	for _, t := range known {
		have.Add(t)
	}
	var found []heap.ObjID
	for _, o := range h.Tables[tableThread].Objects {
		if h.Class(o).Name == virtualThread && h.reachable(o) && have.Add(o) && len(found) < maxUnmounted {
			found = append(found, o)
		}
	}
	return found
}

// readLinks finds out who waits for whom, of these threads and those that own what they wait for.
// Errors: that of ctx.
func (h *Heap) readLinks(ctx context.Context, threads []heap.ObjID) error {
	h.links = map[heap.ObjID]link{}
	if err := h.linkParked(ctx, threads); err != nil {
		return err
	}
	h.linkMonitors()
	h.linkQueued()
	if err := h.linkPinned(ctx); err != nil {
		return err
	}
	return h.addOwners(ctx)
}

// addOwners reads what the owners tell of themselves that have no stack in the dump. Errors:
// that of ctx.
func (h *Heap) addOwners(ctx context.Context) error {
	var unknown []heap.ObjID
	for _, l := range h.links {
		for _, o := range l.owners {
			if _, known := h.threadInfos[o]; !known {
				unknown = append(unknown, o)
			}
		}
	}
	return h.addThreads(ctx, unknown)
}

// linkParked links the threads that wait in java.util.concurrent.
//
// Source: java.util.concurrent.locks.LockSupport sets Thread.parkBlocker;
// AbstractOwnableSynchronizer and FutureTask know the thread that has them, and the Sync of a
// ReentrantReadWriteLock the first of its readers.
func (h *Heap) linkParked(ctx context.Context, threads []heap.ObjID) error {
	ref := func(c heap.Content, class, field string) heap.ObjID {
		v, _, _ := h.Field(c, heap.FieldName{Class: class, Field: field})
		return h.Object(v)
	}
	var blockers []heap.ObjID
	err := h.Read(ctx, threads, func(c heap.Content) {
		t := thread{ThreadInfo: h.threadInfos[c.Object]}
		if lock := ref(c, "java.lang.Thread", "parkBlocker"); lock != 0 && (t.stuck() || t.paused()) {
			h.links[c.Object] = link{lock: lock}
			blockers = append(blockers, lock)
		}
	})
	if err != nil {
		return err
	}
	owners := map[heap.ObjID]heap.ObjID{}
	err = h.Read(ctx, blockers, func(c heap.Content) {
		for _, f := range []heap.FieldName{
			{Class: "java.util.concurrent.locks.AbstractOwnableSynchronizer", Field: "exclusiveOwnerThread"},
			{Class: "java.util.concurrent.locks.ReentrantReadWriteLock$Sync", Field: "firstReader"},
			{Class: "java.util.concurrent.FutureTask", Field: "runner"},
		} {
			if owners[c.Object] == 0 {
				owners[c.Object] = ref(c, f.Class, f.Field)
			}
		}
	})
	for t, l := range h.links {
		if o := owners[l.lock]; o != 0 {
			h.links[t] = link{l.lock, []heap.ObjID{o}, proofField}
		}
	}
	return err
}

// holding is how a stack refers to an object.
type holding struct {
	thread heap.ObjID
	// again says that one frame refers to it by two variables, and own that one is a call of a
	// method of its class, as of "synchronized" methods.
	again, own bool
}

// linkMonitors links the threads that wait for a monitor, to be notified, or for another
// thread's end.
//
// Dumps of current JDKs do not list monitors. But "synchronized" keeps the object in a
// local variable, of the waiting frame as of the owner's: where both stacks refer
// to one object, that is the monitor. The waiting frame's last such local is taken,
// as the compiler puts the monitor behind the method's own variables.
func (h *Heap) linkMonitors() {
	candidates := map[heap.ObjID][]heap.ObjID{} // by blocked thread, in the order of the variables
	holders := map[heap.ObjID][]holding{}       // by candidate
	for s := range h.Stacks() {
		if len(s.Frames) == 0 {
			continue
		}
		t, waited := thread{Stack: s, ThreadInfo: h.threadInfos[s.Object]}, waitedOn(&s)
		switch _, parked := h.links[s.Object]; {
		case t.State == stateBlocked:
			candidates[s.Object] = monitorsOf(&s, waited) // notified, it needs the monitor back
		case parked || waited == 0:
		case joins(s.Frames) && h.Tables[tableThread].Row(waited) >= 0:
			h.links[s.Object] = link{waited, []heap.ObjID{waited}, proofField}
		default:
			h.links[s.Object] = link{lock: waited}
		}
		for _, o := range candidates[s.Object] {
			holders[o] = nil
		}
	}
	if len(candidates) == 0 {
		return
	}
	for s := range h.Stacks() {
		h.noteHoldings(s, holders)
	}
	for t, list := range candidates {
		h.links[t] = lockAmong(t, list, holders)
	}
	h.linkOwners(candidates, holders)
	h.linkClasses(candidates)
}

// monitorsOf returns what a blocked thread may wait for, the likeliest last. waited is what it
// waited to be notified by, 0 if it did not.
func monitorsOf(s *heap.Stack, waited heap.ObjID) []heap.ObjID {
	if waited != 0 {
		return []heap.ObjID{waited}
	}
	locals := s.Locals(0)
	slices.SortStableFunc(locals, func(a, b heap.Local) int { return a.Last - b.Last })
	list := make([]heap.ObjID, 0, len(locals))
	for _, l := range locals {
		list = append(list, l.Object)
	}
	return list
}

// noteHoldings adds the stack to the holders of what it refers to. One that waits to be
// notified by a monitor has given that up.
func (h *Heap) noteHoldings(s heap.Stack, holders map[heap.ObjID][]holding) {
	waited := waitedOn(&s)
	note := func(l heap.Local, class string) {
		list, wanted := holders[l.Object]
		if !wanted || l.Object == waited || l.Object == s.Object {
			return
		}
		last := len(list) - 1
		if last < 0 || list[last].thread != s.Object {
			list = append(list, holding{thread: s.Object})
			last++
			holders[l.Object] = list
		}
		list[last].again = list[last].again || l.Again
		list[last].own = list[last].own || class != "" && h.IsSubclass(h.ClassOf(l.Object), class)
	}
	for i, f := range s.Frames {
		for _, l := range s.Locals(i) {
			note(l, f.Class)
		}
	}
	loose, _ := s.Loose()
	for _, l := range loose {
		note(l, "")
	}
}

// lockAmong takes the last candidate that another stack refers to as well. Where there is none,
// the monitor is not among them: a static synchronized method's is in no variable.
func lockAmong(t heap.ObjID, candidates []heap.ObjID, holders map[heap.ObjID][]holding) link {
	for _, o := range slices.Backward(candidates) {
		if slices.ContainsFunc(holders[o], func(by holding) bool { return by.thread != t }) {
			return link{lock: o}
		}
	}
	return link{}
}

// linkOwners says who may have the monitors that threads are blocked by: none that is blocked by
// the same one itself, and, where some refer to it twice from one frame, as "synchronized" on a
// variable does, only those, or else those in a method of it, if there are some. Threads that are
// blocked come first: they are not about to let go.
func (h *Heap) linkOwners(blocked map[heap.ObjID][]heap.ObjID, holders map[heap.ObjID][]holding) {
	owners := map[heap.ObjID][]heap.ObjID{}
	for lock, by := range holders {
		by = slices.DeleteFunc(slices.Clone(by), func(b holding) bool {
			_, waits := blocked[b.thread]
			return waits && h.links[b.thread].lock == lock
		})
		if slices.ContainsFunc(by, func(b holding) bool { return b.again }) {
			by = slices.DeleteFunc(by, func(b holding) bool { return !b.again })
		} else if slices.ContainsFunc(by, func(b holding) bool { return b.own }) {
			by = slices.DeleteFunc(by, func(b holding) bool { return !b.own })
		}
		slices.SortStableFunc(by, func(a, b holding) int { return h.ease(a.thread) - h.ease(b.thread) })
		for _, b := range by {
			owners[lock] = append(owners[lock], b.thread)
		}
	}
	for t := range blocked {
		l := h.links[t]
		if len(owners[l.lock]) > 0 {
			h.links[t] = link{l.lock, owners[l.lock], proofLocals}
		}
	}
}

// linkClasses guesses for the threads that are blocked by none of what their stacks refer to, in
// a method that has no object of its own: that one is static, and the monitor that of its class.
// The owner may be any thread with another call of that class on its stack.
func (h *Heap) linkClasses(blocked map[heap.ObjID][]heap.ObjID) {
	in := map[heap.ObjID]string{} // by thread: the class whose method it is blocked in
	owners := map[string][]heap.ObjID{}
	for s := range h.Stacks() {
		if _, wanted := blocked[s.Object]; !wanted || h.links[s.Object].lock != 0 {
			continue
		}
		top := s.Frames[0]
		if !slices.ContainsFunc(s.Locals(0), func(l heap.Local) bool { return h.IsSubclass(h.ClassOf(l.Object), top.Class) }) {
			in[s.Object], owners[top.Class] = top.Class, nil
		}
	}
	if len(in) == 0 {
		return
	}
	for s := range h.Stacks() {
		for _, f := range s.Frames {
			list, wanted := owners[f.Class]
			if wanted && in[s.Object] != f.Class && !slices.Contains(list[max(0, len(list)-1):], s.Object) {
				owners[f.Class] = append(list, s.Object)
			}
		}
	}
	for t, class := range in {
		if ids := h.ClassesNamed(class); len(ids) == 1 && len(owners[class]) > 0 {
			h.links[t] = link{h.Classes[ids[0]].Object, owners[class], proofClass}
		}
	}
}

// ease ranks threads: blocked ones before all others.
func (h *Heap) ease(t heap.ObjID) int {
	if h.threadInfos[t].State == stateBlocked {
		return 0
	}
	return 1
}

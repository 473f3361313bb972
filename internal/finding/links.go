package finding

import (
	"context"
	"maps"
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

// readLinks finds out who waits for whom, of all threads with a stack. Errors: that of ctx.
func (h *Heap) readLinks(ctx context.Context) error {
	h.links = map[heap.ObjID]link{}
	threads := make([]heap.ObjID, 0, len(h.Threads))
	for _, t := range h.Threads {
		threads = append(threads, t.Object)
	}
	var err error
	if h.threadInfos, err = h.ThreadInfos(ctx, threads); err != nil {
		return err
	}
	if err := h.linkParked(ctx, threads); err != nil {
		return err
	}
	h.linkMonitors()
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
	infos, err := h.ThreadInfos(ctx, unknown)
	maps.Copy(h.threadInfos, infos)
	return err
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
	// again says that one frame refers to it by two variables.
	again bool
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
		t, waited := thread{s, h.threadInfos[s.Object]}, waitedOn(s.Frames)
		switch _, parked := h.links[s.Object]; {
		case t.State == stateBlocked:
			candidates[s.Object] = monitorsOf(s.Frames[0], waited) // notified, it needs the monitor back
		case parked || waited == 0:
		case h.Tables[tableThread].Row(waited) >= 0: // Thread.join
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
}

// monitorsOf returns what a blocked thread may wait for, the likeliest last. waited is what it
// waited to be notified by, 0 if it did not.
func monitorsOf(top heap.Frame, waited heap.ObjID) []heap.ObjID {
	if waited != 0 {
		return []heap.ObjID{waited}
	}
	locals := slices.Clone(top.Locals)
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
	waited := waitedOn(s.Frames)
	for l := range s.Held() {
		list, wanted := holders[l.Object]
		switch last := len(list) - 1; {
		case !wanted || l.Object == waited || l.Object == s.Object:
		case last >= 0 && list[last].thread == s.Object:
			list[last].again = list[last].again || l.Again
		default:
			holders[l.Object] = append(list, holding{s.Object, l.Again})
		}
	}
}

// lockAmong takes the last candidate that another stack refers to as well, or the last one
// of all.
func lockAmong(t heap.ObjID, candidates []heap.ObjID, holders map[heap.ObjID][]holding) link {
	for _, o := range slices.Backward(candidates) {
		if slices.ContainsFunc(holders[o], func(by holding) bool { return by.thread != t }) {
			return link{lock: o}
		}
	}
	if len(candidates) == 0 {
		return link{}
	}
	return link{lock: candidates[len(candidates)-1]}
}

// linkOwners says who may have the monitors that threads are blocked by: none that is blocked by
// the same one itself, and, where some refer to it twice from one frame, as "synchronized" on a
// variable does, only those. Threads that are blocked come first: they are not about to
// let go.
func (h *Heap) linkOwners(blocked map[heap.ObjID][]heap.ObjID, holders map[heap.ObjID][]holding) {
	owners := map[heap.ObjID][]heap.ObjID{}
	for lock, by := range holders {
		by = slices.DeleteFunc(slices.Clone(by), func(b holding) bool {
			_, waits := blocked[b.thread]
			return waits && h.links[b.thread].lock == lock
		})
		if slices.ContainsFunc(by, func(b holding) bool { return b.again }) {
			by = slices.DeleteFunc(by, func(b holding) bool { return !b.again })
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

// ease ranks threads: blocked ones before all others.
func (h *Heap) ease(t heap.ObjID) int {
	if h.threadInfos[t].State == stateBlocked {
		return 0
	}
	return 1
}

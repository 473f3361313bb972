package finding

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

const (
	virtualThread = "java.lang.VirtualThread"
	carrierThread = "jdk.internal.misc.CarrierThread"
	// statePinned is that of a virtual thread that waits without a limit of time and keeps its
	// carrier, as it has a monitor (until JDK 23) or a native call on its stack.
	statePinned = "PINNED"
)

// linkPinned links virtual threads that could run to one of those that keep the carriers, where all
// carriers are kept for ever: each by a pinned thread that waits for a lock which a virtual thread
// has, or is next to get, that has no carrier or is pinned itself. Errors: that of ctx.
//
// Source: java.lang.VirtualThread.parkOnCarrierThread of JDK 21 to 25 adds no carrier for one that is
// pinned. java.util.concurrent.locks.AbstractQueuedSynchronizer of JDK 17 to 25: who lets go of a
// lock wakes the thread of the node after the head.
func (h *Heap) linkPinned(ctx context.Context) error {
	carriers := 0
	for _, t := range h.Threads {
		if h.Class(t.Object).Name == carrierThread {
			carriers++
		}
	}
	var pinned, ready []heap.ObjID
	without := map[heap.ObjID]bool{} // threads that can't go on without a carrier
	for t, info := range h.threadInfos {
		switch {
		case !info.Virtual:
		case info.State == statePinned:
			pinned = append(pinned, t)
			without[t] = true
		case slices.Contains([]string{"STARTED", "UNPARKED", "UNBLOCKED", "YIELDED"}, info.State):
			ready = append(ready, t)
			without[t] = true
		}
	}
	if carriers == 0 || len(pinned) != carriers || len(ready) == 0 {
		return nil
	}
	slices.Sort(pinned)
	room, err := h.follow(ctx, pinned[:1], "scheduler", "parallelism")
	if err != nil || int64(room[pinned[0]]) > int64(carriers) {
		return err // another carrier may be about to begin
	}
	var locks []heap.ObjID
	for _, t := range pinned {
		if l := h.links[t].lock; l != 0 {
			locks = append(locks, l)
		}
	}
	next, err := h.follow(ctx, locks, "head", "next", "waiter")
	if err != nil {
		return err
	}
	found := map[heap.ObjID]link{}
	for _, t := range pinned {
		l := h.links[t]
		if len(l.owners) == 0 && l.lock != 0 {
			l = link{l.lock, []heap.ObjID{h.Object(next[l.lock])}, proofField}
		}
		if len(l.owners) == 0 || l.owners[0] == t || !without[l.owners[0]] {
			return nil
		}
		found[t] = l
	}
	for _, t := range ready {
		found[t] = link{h.links[pinned[0]].lock, pinned[:1], proofCarrier}
	}
	maps.Copy(h.links, found)
	return nil
}

// pinnedIn returns the pinned thread of a circle of virtual threads that wait for a carrier, 0 for
// other circles.
func (h *Heap) pinnedIn(circle []heap.ObjID) heap.ObjID {
	if !slices.ContainsFunc(circle, func(t heap.ObjID) bool { return h.links[t].proof == proofCarrier }) {
		return 0
	}
	i := slices.IndexFunc(circle, func(t heap.ObjID) bool { return h.threadInfos[t].State == statePinned })
	return circle[i]
}

// pinnedFinding words the verdict on carriers that are all kept by pinned threads. Errors: that of
// ctx; no memory.
func (h *Heap) pinnedFinding(ctx context.Context, d *deadlock, first heap.ObjID) (Finding, error) {
	all := slices.Concat(d.circle, d.behind)
	bytes, err := h.heldAlone(ctx, all)
	if err != nil {
		return Finding{}, err
	}
	on, err := h.follow(ctx, []heap.ObjID{first}, "carrierThread")
	if err != nil {
		return Finding{}, err
	}
	var carriers int64
	for _, t := range all {
		if h.threadInfos[t].State == statePinned {
			carriers++
		}
	}
	t := h.threadOf(first)
	if len(t.Frames) == 0 { // JDK 21 writes its calls as the carrier's
		t.Stack = h.threadOf(h.Object(on[first])).Stack
	}
	lock := h.links[first].lock
	waiting, total := int64(len(all))-carriers, h.inUse()
	f := Finding{
		Kind: "deadlock", Severity: SeverityWarning, Confidence: ConfidenceHigh,
		Culprit: Culprit{Class: virtualThread, Thread: cmp.Or(h.threadInfos[h.Object(on[first])].Name, t.Name), Object: address(h.Address(lock))},
		Objects: int64(len(all)), Bytes: bytes,
		Title: fmt.Sprintf("Deadlock: pinned virtual threads keep %s, that is all, and %s for one",
			unit.Plural(carriers, "carrier", "carriers"), unit.Plural(waiting, "virtual thread waits", "virtual threads wait")),
		Advice: "Take no lock of java.util.concurrent inside synchronized or native code that virtual threads run: use a ReentrantLock there, too, or JDK 24 and later, where a monitor pins nothing. Only a restart of the JVM ends this one.",
		Evidence: Evidence{
			Stack: t.stack(),
			Lock:  &Lock{Class: h.Class(lock).Name, Object: address(h.Address(lock))},
			Facts: []Fact{fact("carriers, all with a pinned thread", "%s", unit.Count(carriers)), fact("virtual threads that wait for a carrier", "%s", unit.Count(waiting)),
				fact("one waits for", "%s @ %#x", h.Class(lock).Name, h.Address(lock))},
			Refutes: "a later thread dump in which the carriers are elsewhere",
		},
	}
	at := ""
	if own := t.own(); own != nil {
		f.Culprit.Class = own.Class
		at = fmt.Sprintf(" in %s.%s", short(own.Class), clip(own.Method, 60))
	}
	f.Summary = fmt.Sprintf("A pinned thread keeps its carrier while it waits, as it is in synchronized or native code. One waits%s for %s; %q is to have that first, and can't run without a carrier. All these threads keep %s (%s of what is in use).",
		at, h.lockName(lock), clip(h.threadInfos[h.links[first].owners[0]].Name, 60), unit.Bytes(bytes), unit.Share(bytes, total))
	if waiting >= waitingMany {
		f.Severity = SeverityCritical
	}
	f.Fingerprint = fingerprint(f.Kind, proofCarrier, stableClass(f.Culprit.Class))
	return f, nil
}

package finding

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// deadlockFinding words the verdict on threads that wait for each other. Errors: that of
// ctx; no memory.
func (h *Heap) deadlockFinding(ctx context.Context, d *deadlock) (Finding, error) {
	if pinned := h.pinnedIn(d.circle); pinned != 0 {
		return h.pinnedFinding(ctx, d, pinned)
	}
	first := h.threadOf(d.circle[0])
	bytes, err := h.heldAlone(ctx, slices.Concat(d.circle, d.behind))
	if err != nil {
		return Finding{}, err
	}
	total := h.inUse()
	f := Finding{
		Kind: "deadlock", Severity: SeverityWarning, Confidence: ConfidenceHigh,
		Culprit: h.contender(&first),
		Objects: int64(len(d.circle) + len(d.behind)), Bytes: bytes,
		Title:    fmt.Sprintf("Deadlock: %s wait for each other and never go on", unit.Plural(int64(len(d.circle)), "thread", "threads")),
		Advice:   "Take locks in the same order everywhere, or with tryLock and a time limit, and call no foreign code while holding one. Only a restart of the JVM ends this one.",
		Evidence: h.threadEvidence(&first, h.waitOf(&first)),
	}
	if len(d.circle) == 1 {
		f.Title = "Deadlock: a thread waits for itself and never goes on"
	}
	if h.links[d.circle[0]].proof == proofQueue {
		h.wordStarving(&f, d)
	}
	if len(d.behind) >= waitingMany || bytes >= suspectBytes && bytes*100 >= total*criticalShare {
		f.Severity = SeverityCritical
	}
	places := make([]string, 0, len(d.circle))
	for i, t := range d.circle {
		said := h.contention(t)
		if i < maxOwners {
			f.Summary += said + " "
			f.Evidence.Facts = append(f.Evidence.Facts, fact("deadlocked", "%s", said))
		}
		at := h.threadOf(t)
		places = append(places, h.contender(&at).Class)
		if h.links[t].proof == proofLocals {
			f.Confidence = ConfidenceMedium
		}
	}
	if f.Confidence == ConfidenceMedium {
		f.Summary += "Who has the monitors is inferred from the stacks. "
	}
	if len(d.behind) > 0 {
		f.Summary += fmt.Sprintf("%s behind them, %s. ", unit.Plural(int64(len(d.behind)), "more thread waits", "more threads wait"), h.crowdAt(d.behind))
	}
	f.Summary += fmt.Sprintf("They alone keep %s (%s of what is in use).", unit.Bytes(bytes), unit.Share(bytes, total))
	slices.Sort(places)
	f.Fingerprint = fingerprint(append([]string{f.Kind}, places...)...)
	f.Evidence.Refutes = "a later thread dump in which these threads are elsewhere"
	return f, nil
}

// contention says in a sentence what one of several threads waits for.
func (h *Heap) contention(t heap.ObjID) string {
	at, l := h.threadOf(t), h.links[t]
	where := ""
	if f := at.own(); f != nil {
		where = fmt.Sprintf(" in %s.%s", short(f.Class), clip(f.Method, 40))
	}
	owner := fmt.Sprintf("of %q", clip(h.threadInfos[l.owners[0]].Name, 40))
	if l.proof == proofQueue {
		owner = "in that queue"
	}
	return fmt.Sprintf("%q, %s%s, waits for %s %s.", clip(at.Name, 40), at.State, where, h.lockName(l.lock), owner)
}

// contender is the culprit where a thread waits: the code that it is in.
func (h *Heap) contender(t *thread) Culprit {
	c := Culprit{Thread: t.Name, Class: h.Class(t.Object).Name, Object: address(h.Address(h.links[t.Object].lock))}
	if f := t.own(); f != nil {
		c.Class = f.Class
	}
	return c
}

// convoyFinding words the verdict on threads that wait for one lock. Errors: that of ctx; no
// memory.
func (h *Heap) convoyFinding(ctx context.Context, c *convoy) (Finding, error) {
	first := h.threadOf(c.first)
	w := h.waitOf(&first)
	bytes, err := h.heldAlone(ctx, c.waiting)
	if err != nil {
		return Finding{}, err
	}
	n, total, owner := int64(len(c.waiting)), h.inUse(), &w.owner.thread
	f := Finding{
		Kind: "lock-convoy", Severity: SeverityInfo, Confidence: w.confidence(),
		Culprit: h.contender(owner),
		Objects: n, Bytes: bytes,
		Title: fmt.Sprintf("%s for %s, which thread %q has", unit.Plural(n, "thread waits", "threads wait"), h.lockName(c.lock), clip(owner.Name, 60)),
		Advice: fmt.Sprintf("See what thread %q does while it has the lock: do slow work (queries, requests, files) outside of it, or with a time limit, and let the others wait by tryLock with a timeout.",
			clip(owner.Name, 60)),
		Evidence: h.threadEvidence(&first, w),
	}
	f.Culprit.Object = address(h.Address(c.lock))
	if bytes >= suspectBytes && bytes*100 >= total*criticalShare {
		f.Severity = SeverityWarning
	}
	if w.owner.ended() {
		h.wordEnded(&f, &first, &w)
	} else {
		h.wordOwner(&f, c.lock, &w)
	}
	alone := "They alone"
	if len(h.blockedQueues(c.waiting)) > 0 {
		alone = "They are all threads of their pool, and with its queue"
	}
	f.Summary += fmt.Sprintf(" Those that wait are %s. %s keep %s (%s of what is in use).",
		h.crowdAt(c.waiting), alone, unit.Bytes(bytes), unit.Share(bytes, total))
	f.Fingerprint = fingerprint(f.Kind, stableClass(h.Class(c.lock).Name), stableClass(f.Culprit.Class))
	f.Evidence.Facts = append(f.Evidence.Facts, fact("threads that wait", "%s, %s", unit.Count(n), h.crowdAt(c.waiting)))
	f.Evidence.Refutes = "a thread dump some seconds later in which other threads wait, or none"
	return f, nil
}

// wordOwner is about what the owner of a lock does with it.
func (h *Heap) wordOwner(f *Finding, lock heap.ObjID, w *wait) {
	owner := &w.owner.thread
	f.Summary = "The owner"
	switch {
	case w.owner.others > 0:
		f.Summary += fmt.Sprintf(" (by the stacks; it may be one of %d others)", w.owner.others)
	case w.owner.proof != proofField:
		f.Summary += " (inferred from its stack)"
	}
	took := owner.taker(lock)
	if took != nil {
		f.Culprit.Class = took.Class
	}
	if at := owner.own(); at != nil {
		f.Summary += fmt.Sprintf(" is in %s.%s", short(at.Class), clip(at.Method, 60))
		if took != nil && (took.Class != at.Class || took.Method != at.Method) {
			f.Summary += fmt.Sprintf(", called with the lock by %s.%s", short(took.Class), clip(took.Method, 60))
		}
		f.Summary += "."
	} else {
		f.Summary += " has no code of the program on its stack."
	}
	f.Summary += " " + h.waiting(owner, h.waitsFor(owner))
}

// wordEnded is about an owner that ended with the lock: whoever waits for it never goes on.
func (h *Heap) wordEnded(f *Finding, first *thread, w *wait) {
	f.Severity = SeverityWarning
	f.Culprit.Class = h.contender(first).Class
	f.Summary = "That thread has ended without letting go: nobody can any more."
	f.Advice = w.advice("what must not hang") + " Only a restart of the JVM ends this."
}

// crowdAt says how most of these threads are called, and where most are.
func (h *Heap) crowdAt(threads []heap.ObjID) string {
	among := map[heap.ObjID]bool{}
	names, places := map[string][]heap.ObjID{}, map[string][]heap.ObjID{}
	for _, t := range threads {
		among[t] = true
		name := namePattern(h.threadInfos[t].Name)
		names[name] = append(names[name], t)
	}
	for s := range h.Stacks() {
		if f := (&thread{Stack: s}).own(); f != nil && among[s.Object] {
			at := short(f.Class) + "." + clip(f.Method, 60)
			places[at] = append(places[at], s.Object)
		}
	}
	one := func(heap.ObjID) int64 { return 1 }
	name, called := most(names, one)
	parts := []string{fmt.Sprintf("%s named %q", unit.Count(int64(len(called))), clip(name, 40))}
	if place, there := most(places, one); place != "" {
		parts = append(parts, fmt.Sprintf("%s in %s", unit.Count(int64(len(there))), place))
	}
	return strings.Join(parts, ", ")
}

package finding

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// finalizerFinding words the verdict on a Finalizer thread in a finalize().
func (h *Heap) finalizerFinding(e *errand, w wait, b backlog) Finding {
	object := h.referentAtWork(e)
	class, method := e.call()
	if object != 0 && !isFinalize(e.Frames[e.entry]) {
		class, method = h.Class(object).Name, "finalize"
	}
	total := h.inUse()
	f := Finding{
		Kind: "finalizer-slow", Severity: b.severity(e.pace(w), total), Confidence: ConfidenceMedium,
		Culprit: Culprit{Class: class, Thread: e.Name},
		Objects: b.waiting, Bytes: b.bytes,
		Title:  fmt.Sprintf("Finalizer thread is slow: %s.%s() runs, %s wait behind it", short(class), method, unit.Plural(b.waiting, "object", "objects")),
		Advice: "Make this finalize() do less, and close such objects explicitly (try-with-resources) or by a java.lang.ref.Cleaner: one thread serves all finalizers. JDK 18 or later can do without them: --finalization=disabled.",
	}
	endless := h.reads(&e.thread) && h.readings[e.Object].limit == 0 && b.lasts != ""
	if endless || e.stuck() {
		f.Kind = "finalizer-stuck"
		f.Title = fmt.Sprintf("Finalizer thread is stuck in %s.%s(): %s wait behind it", short(class), method, unit.Plural(b.waiting, "object", "objects"))
		f.Advice = w.advice("finalize()") + " A restart is what frees the backlog now."
		f.Confidence = w.confidence()
	}
	if endless {
		f.Advice = "Give the connection a time limit (Socket.setSoTimeout, the driver's or client's socket timeout), and close such objects explicitly: finalize() must not talk to a peer. A restart, or the peer's end of the connection, frees the backlog now."
	}
	if object != 0 {
		f.Culprit.Object = address(h.Address(object))
	}
	f.Fingerprint = fingerprint(f.Kind, stableClass(class))
	f.Summary = h.waiting(&e.thread, w) + b.words(total)
	switch {
	case endless && b.lasts != "":
		f.Summary += " " + b.lasts
	case e.pace(w) != computing:
	case b.lasts != "":
		f.Summary += " " + b.lasts
		f.Advice = "See whether the queue gets shorter (jcmd PID GC.finalizer_info): then it is being worked off. If not: " + lower(f.Advice)
	default:
		f.Confidence = ConfidenceLow
		f.Title = strings.Replace(f.Title, " is slow:", " is at work:", 1)
	}
	if b.ofClass > 0 && !h.inherits(b.class, class) {
		f.Summary += " They are victims: the finalize() that does not return is the cause."
	}
	f.Evidence = h.threadEvidence(&e.thread, w)
	if object != 0 {
		f.Evidence.Facts = append(f.Evidence.Facts, fact("object in finalize()", "%s @ %s", h.Class(object).Name, f.Culprit.Object))
	}
	f.Evidence.Facts = append(f.Evidence.Facts, b.facts("waiting for finalize()", total)...)
	f.Evidence.Refutes = "a second dump, or a thread dump, some seconds later in which the Finalizer thread is elsewhere and fewer objects wait"
	return f
}

// reads says whether a thread reads from a socket, as far as the dump tells.
func (h *Heap) reads(t *thread) bool {
	_, ok := h.readings[t.Object]
	return ok
}

// inherits says whether a class of that name is the other, or derived from it.
func (h *Heap) inherits(class, super string) bool {
	return class == super || slices.ContainsFunc(h.ClassesNamed(class), func(c heap.ClassID) bool { return h.IsSubclass(c, super) })
}

// unservedFinding is about a backlog without a thread in a finalize(): the dump
// caught it in between, or has no stacks.
func (h *Heap) unservedFinding(b backlog) []Finding {
	total := h.inUse()
	return []Finding{{
		Kind: "finalizer-slow", Severity: SeverityInfo, Confidence: ConfidenceLow,
		Culprit: Culprit{Class: b.class}, Objects: b.waiting, Bytes: b.bytes,
		Title:       fmt.Sprintf("%s wait for finalize(), most are %s", unit.Plural(b.waiting, "object", "objects"), short(b.class)),
		Summary:     "No thread is in a finalize() at this moment: it may be working them off." + b.words(total),
		Advice:      "Take a second dump after a minute: if as many wait then, the Finalizer thread does not keep up.",
		Fingerprint: fingerprint("finalizer-slow", stableClass(b.class)),
		Evidence:    Evidence{Facts: b.facts("waiting for finalize()", total), Refutes: "a second dump in which the queue is empty"},
	}}
}

// waiting says in a sentence what keeps a thread.
func (h *Heap) waiting(t *thread, w wait) string {
	lock, monitor := "", ""
	if w.lock != 0 {
		lock = h.lockName(w.lock)
		monitor = strings.Replace("monitor "+lock, "monitor class ", "monitor of class ", 1)
	}
	var s string
	switch {
	case t.behind:
		return h.behindWords(w)
	case t.State == stateBlocked && w.lock == 0:
		s = "It is blocked by a monitor that its stack does not name"
	case t.State == stateBlocked && w.owner != nil && w.owner.proof == proofClass:
		s = "It is blocked, probably by the " + monitor
	case t.State == stateBlocked:
		s = "It is blocked by the " + monitor
	case t.stuck() && w.lock == 0:
		s = "It waits without a time limit"
	case t.stuck() && strings.HasSuffix(h.Class(w.lock).Name, "$ConditionObject") && t.through() != nil:
		s = fmt.Sprintf("It waits without a time limit in %s.%s", short(t.through().Class), clip(t.through().Method, 60))
	case t.stuck() && strings.HasSuffix(h.Class(w.lock).Name, "$ConditionObject") && t.own() != nil:
		s = fmt.Sprintf("It waits without a time limit to be signalled in %s.%s", short(t.own().Class), clip(t.own().Method, 60))
	case t.stuck():
		s = "It waits without a time limit for " + lock
	case t.paused() && t.own() != nil:
		return fmt.Sprintf("It waits, with a time limit, in %s.%s.", short(t.own().Class), clip(t.own().Method, 60))
	case t.paused() && len(t.Frames) > 0:
		return fmt.Sprintf("It waits, with a time limit, in %s.%s.", short(t.Frames[0].Class), t.Frames[0].Method)
	case t.inIO() && h.reads(t):
		return "It " + h.readings[t.Object].words() + "."
	case t.inIO():
		return fmt.Sprintf("It is in %s.%s, reading or writing.", short(t.Frames[0].Class), t.Frames[0].Method)
	case t.State == "":
		return "The dump does not tell the thread's state."
	default:
		return "It is computing; one dump does not tell for how long."
	}
	switch o := w.owner; {
	case o == nil:
		return s + "; the dump does not tell who could end that."
	case o.ended():
		return s + fmt.Sprintf(", which thread %q has: it has ended without letting go, so nobody can any more.", clip(o.Name, 60))
	case o.proof == proofField:
		s += fmt.Sprintf(", owned by thread %q", clip(o.Name, 60))
	case o.proof == proofQueue:
		s += fmt.Sprintf(", a task in the queue of the pool of thread %q", clip(o.Name, 60))
	case o.others > 0:
		s += fmt.Sprintf(", probably owned by thread %q or one of %d others (by their stacks)", clip(o.Name, 60), o.others)
	default:
		s += fmt.Sprintf(", owned by thread %q (inferred from its stack)", clip(o.Name, 60))
	}
	if f := w.owner.own(); f != nil {
		s += fmt.Sprintf(", %s in %s.%s", w.owner.State, short(f.Class), f.Method)
	}
	if h.reads(&w.owner.thread) {
		s += "; it " + h.readings[w.owner.Object].words()
	}
	if w.deadlock(t) {
		return s + ": a deadlock, the threads wait for each other."
	}
	return s + "."
}

// confidence rests on how the owner is known.
func (w *wait) confidence() Confidence {
	switch {
	case w.owner == nil || w.owner.proof == proofLocals || w.owner.proof == proofClass || w.owner.proof == proofInitialiser:
		return ConfidenceMedium
	}
	return ConfidenceHigh
}

// advice says how to end the wait; what is the method that waits.
func (w *wait) advice(what string) string {
	switch {
	case w.owner == nil:
		return fmt.Sprintf("Do not wait in %s without a time limit: hand the work to a thread of its own, or close explicitly.", what)
	case w.owner.ended():
		return fmt.Sprintf("Unlock in a finally block wherever this lock is taken (thread %q left with it), and take it out of %s: use tryLock with a timeout. No thread can free it any more.",
			clip(w.owner.Name, 60), what)
	case w.owner.proof == proofQueue:
		return fmt.Sprintf("End what keeps thread %q (a time limit for what it does), and do not wait in %s for tasks of a pool: let the pool go on by itself.",
			clip(w.owner.Name, 60), what)
	case w.owner.proof == proofInitialiser:
		return fmt.Sprintf("Let the static initialiser end that thread %q is in: it must not wait for other threads, locks or peers. Have the class initialised before %s needs it.",
			clip(w.owner.Name, 60), what)
	}
	return fmt.Sprintf("Make thread %q let go of the lock (a time limit for what it does: socket, query or lock timeouts), and take the lock out of %s: use tryLock with a timeout.",
		clip(w.owner.Name, 60), what)
}

// words says in a sentence what the backlog costs.
func (b *backlog) words(total int64) string {
	if b.waiting == 0 {
		return " Nothing waits behind it yet."
	}
	heavy := ""
	if b.heavy != "" {
		heavy = fmt.Sprintf(", %s of that for %s", unit.Bytes(b.heavyBytes), short(b.heavy))
	}
	return fmt.Sprintf(" Of what waits %s are %s; for all of it %s stay in memory (%s of what is in use)%s.",
		unit.Count(b.ofClass), short(b.class), unit.Bytes(b.bytes), unit.Share(b.bytes, total), heavy)
}

// facts lists what the words rest on.
func (b *backlog) facts(name string, total int64) []Fact {
	facts := []Fact{fact(name, "%s, %s of them %s", unit.Count(b.waiting), unit.Count(b.ofClass), cmp.Or(b.class, noReferent)),
		fact("kept for them", "%s, compared with %s in use", unit.Bytes(b.bytes), unit.Bytes(total))}
	if b.heavy != "" {
		facts = append(facts, fact("most of it kept for", "%s, %s", b.heavy, unit.Bytes(b.heavyBytes)))
	}
	if b.done >= 0 {
		facts = append(facts, fact("done since the last collection", "%s", unit.Count(b.done)))
	}
	if b.peak > 0 {
		facts = append(facts, fact("longest queue so far", "%s", unit.Count(b.peak)))
	}
	return facts
}

// threadEvidence lists the thread, its stack, and the lock.
func (h *Heap) threadEvidence(t *thread, w wait) Evidence {
	v := Evidence{Stack: t.stack(), Facts: []Fact{fact("thread", "%q, %s", t.Name, cmp.Or(t.State, "state unknown"))}}
	if w.lock == 0 {
		return v
	}
	v.Lock = &Lock{Class: h.Class(w.lock).Name, Object: address(h.Address(w.lock))}
	v.Facts = append(v.Facts, fact("waits for", "%s @ %s", v.Lock.Class, v.Lock.Object))
	if o := w.owner; o != nil {
		v.Lock.Owner, v.Lock.OwnerState, v.Lock.Proof, v.Lock.OwnerStack = o.Name, o.State, o.proof, o.stack()
		v.Facts = append(v.Facts, fact("owner", "%q, %s, known by the %s", o.Name, o.State, map[string]string{proofField: "lock's own field", proofLocals: "owner's stack (inferred)", proofClass: "class of a static method (a guess)", proofQueue: "queue that the task is in", proofInitialiser: "class that it initialises (a guess)"}[o.proof]))
		for next := o.waits; next != nil && next.lock != 0; next = next.owner.waits {
			if next.owner == nil {
				v.Facts = append(v.Facts, fact("which waits for", "%s @ %#x", h.Class(next.lock).Name, h.Address(next.lock)))
				break
			}
			v.Facts = append(v.Facts, fact("which waits for", "%s @ %#x of %q, %s", h.Class(next.lock).Name, h.Address(next.lock), next.owner.Name, next.owner.State))
		}
	}
	return v
}

// outerLock names a lock of java.util.concurrent as programs know it: what a thread
// is parked on is an inner class.
func outerLock(class string) string {
	if outer, inner, ok := strings.Cut(class, "$"); ok && strings.HasSuffix(inner, "Sync") {
		return outer
	}
	return class
}

// lockName names a lock for a sentence: by its class, or as the class that it is.
func (h *Heap) lockName(o heap.ObjID) string {
	name := short(outerLock(h.Class(o).Name))
	if class := h.NameOf(o); class != "" && name == "Class" {
		name = "class " + short(class)
	}
	return fmt.Sprintf("%s @ %#x", name, h.Address(o))
}

// short returns a class name for a sentence: no package, bounded, nothing that
// differs from run to run.
func short(class string) string { return clip(simpleName(stableClass(class)), 60) }

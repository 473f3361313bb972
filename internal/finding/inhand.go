package finding

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// inHand are the threads whose calls hold most by one and the same call: the requests of one kind that
// are under way, or one of them.
type inHand struct {
	call    string // its class and method
	class   string
	threads []heap.ObjID
	// bytes is what the variables of that call retain, each by itself: less than what they hold together.
	bytes int64
}

// appendInHand adds what the calls of threads hold all together, where that is more than one thing alone: a
// document, its page and the line that is written are variables of different calls, and none of them
// retains the others; and many requests hold little each. Remarks on groups of objects that such calls hold
// go. Errors: that of ctx.
func (h *Heap) appendInHand(ctx context.Context, told []Finding, p pressure) ([]Finding, error) {
	for _, g := range h.hands() {
		if g.bytes < suspectBytes || g.bytes*100 < p.liveBytes*suspectShare {
			continue
		}
		t := h.threadOf(g.threads[0])
		holds := func(f Finding) bool { return f.Evidence.Path != nil && g.begins(f.Evidence.Path, t.Name) }
		parts := slices.DeleteFunc(slices.Clone(told), func(f Finding) bool { return !holds(f) })
		if len(g.threads) == 1 && (!p.outOfMemory || p.thread != t.Name) && (t.stuck() || t.paused() || len(parts) == 0) {
			continue // it may have all of the program in a variable, and wait for its end
		}
		objects, bytes, err := h.heldByCalls(ctx, g.threads)
		if err != nil {
			return nil, err
		}
		if bytes*100 < p.liveBytes*suspectShare || slices.ContainsFunc(parts, func(f Finding) bool { return !isGroup(f) && bytes*coveredShare < f.Bytes*100 }) {
			continue
		}
		told = slices.DeleteFunc(told, func(f Finding) bool { return holds(f) && isGroup(f) })
		told = append(told, h.inHandFinding(g, &t, bytes, objects, parts, p))
	}
	return told, nil
}

// begins says whether a path begins at one of these calls; of one thread, named so, at any of its calls.
func (g *inHand) begins(p *Path, thread string) bool {
	if len(g.threads) == 1 {
		return p.Root == hprof.SubRootJavaFrame.RootName() && p.Thread == thread
	}
	return p.Frame == g.call
}

// isGroup says whether a finding is about many objects that nobody retains alone.
func isGroup(f Finding) bool { return f.Kind == "big-retainer" && f.Objects > 1 }

// hands returns who holds something in calls, by the program's call that holds most for each thread; those
// with most bytes first, at most maxSuspects.
func (h *Heap) hands() []*inHand {
	byCall := map[string]*inHand{}
	counted := h.NewSet()
	for s := range h.Stacks() {
		var most, all int64
		var call *heap.Frame
		for i := range s.Frames {
			var of int64
			for _, l := range s.Locals(i) {
				if counted.Add(l.Object) {
					of += h.retained(l.Object)
				}
			}
			if all += of; of > most {
				most = of
				if at := slices.IndexFunc(s.Frames[i:], func(f heap.Frame) bool { return !platform(f.Class) }); at >= 0 {
					call = &s.Frames[i+at]
				}
			}
		}
		if call == nil {
			continue
		}
		k := call.Class + "." + call.Method
		if byCall[k] == nil {
			byCall[k] = &inHand{call: k, class: call.Class}
		}
		byCall[k].threads = append(byCall[k].threads, s.Object)
		byCall[k].bytes += all
	}
	hands := slices.SortedFunc(maps.Values(byCall), func(a, b *inHand) int {
		return cmp.Or(cmp.Compare(b.bytes, a.bytes), cmp.Compare(a.threads[0], b.threads[0]))
	})
	return hands[:min(len(hands), maxSuspects)]
}

// heldByCalls returns what only the variables of the threads' calls keep. Virtual threads count as well: who
// refers to those mostly just knows who waits, as a lock does. Errors: that of ctx.
func (h *Heap) heldByCalls(ctx context.Context, threads []heap.ObjID) (objects, bytes int64, err error) {
	wanted, virtual, mine := h.SetOf(threads), h.NewSet(), map[uint32]bool{}
	for _, t := range h.Threads {
		mine[t.Serial] = wanted.Has(t.Object)
	}
	for _, t := range threads {
		if h.Class(t).Name == virtualThread {
			virtual.Add(t)
		}
	}
	others, err := h.ReachableByOthers(ctx, func(r heap.Root) bool { return r.Local() && mine[r.Thread] }, virtual)
	if err != nil {
		return 0, 0, err
	}
	objects, bytes = h.without(others)
	return objects, bytes, nil
}

// inHandFinding words the verdict on what calls of threads hold, of which t is one; parts are what was told
// of the biggest parts of it.
func (h *Heap) inHandFinding(g *inHand, t *thread, bytes, objects int64, parts []Finding, p pressure) Finding {
	n, class, call := int64(len(g.threads)), g.class, g.call
	var biggest Finding
	if len(parts) > 0 {
		biggest = slices.MaxFunc(parts, func(a, b Finding) int { return cmp.Compare(a.Bytes, b.Bytes) })
		if w := holderOn(biggest.Evidence.Path); w.frameClass() != "" {
			class, call = w.frameClass(), w.frame
		}
	}
	call = clip(stableClass(call), 100)
	whose := fmt.Sprintf("thread %q", clip(t.Name, 60))
	advice := fmt.Sprintf("Let %s work in portions, and let go of each one when it is done with; or bound what one request may ask for.", call)
	if n > 1 {
		whose = unit.Count(n) + " threads"
		if h.Class(t.Object).Name == virtualThread {
			whose = unit.Count(n) + " virtual threads"
		}
		advice = fmt.Sprintf("Bound how many may be in %s at once (a smaller pool, a Semaphore before the work begins), and what each may hold; give what they wait for a time limit.", call)
	}
	w := h.waitOf(t)
	v := h.threadEvidence(t, w)
	f := Finding{
		Kind: "big-retainer", Severity: p.severity(bytes), Confidence: ConfidenceHigh,
		Culprit: Culprit{Class: class, Thread: t.Name, Object: address(h.Address(t.Object))},
		Objects: objects, Bytes: bytes,
		Fingerprint: fingerprint("big-retainer", "calls", call),
		Title: fmt.Sprintf("The calls of %s hold %s (%s of the reachable heap), %s above all", whose, unit.Bytes(bytes),
			unit.Share(bytes, p.liveBytes), call),
		Summary: "Nothing but variables of these calls keeps that: it goes when they return.",
		Advice:  advice,
		Evidence: Evidence{Stack: v.Stack, Lock: v.Lock, Refutes: "a later dump, with these threads elsewhere, in which as much is in use",
			Facts: []Fact{fact("threads", "%s, %q for one", unit.Count(n), clip(t.Name, 60)), fact("held by the calls alone", "%s, %s", unit.Bytes(bytes), unit.Plural(objects, "object", "objects"))}},
	}
	if at := t.own(); at != nil && (t.stuck() || t.paused() || t.inIO()) {
		f.Summary += fmt.Sprintf(" %q is in %s.%s. %s", clip(t.Name, 60), short(at.Class), clip(at.Method, 60), h.waiting(t, w))
	}
	if len(parts) > 0 {
		f.Evidence.Path = biggest.Evidence.Path
		f.Summary += fmt.Sprintf(" The biggest part: %s.", biggest.Title)
	}
	f.Summary += " " + p.words()
	f.Evidence.Facts = append(f.Evidence.Facts, p.facts()...)
	return f
}

package finding

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// inHand is what was told of the objects that the stack of one thread holds.
type inHand struct {
	thread string
	told   []Finding
}

// appendInHand adds what the calls of one thread hold all together, where that is more than one thing
// alone: a document, its page and the line that is written are variables of different calls, and none of them
// retains the others. Errors: that of ctx.
func (h *Heap) appendInHand(ctx context.Context, told []Finding, p pressure) ([]Finding, error) {
	var hands []*inHand
	for _, f := range told {
		path := f.Evidence.Path
		if path == nil || path.Root != hprof.SubRootJavaFrame.RootName() || path.Frame == "" {
			continue
		}
		i := slices.IndexFunc(hands, func(g *inHand) bool { return g.thread == path.Thread })
		if i < 0 {
			i = len(hands)
			hands = append(hands, &inHand{thread: path.Thread})
		}
		hands[i].told = append(hands[i].told, f)
	}
	for _, g := range hands {
		t := h.threadNamed(g.thread)
		if t == nil || len(g.told) == 1 && (g.told[0].Kind == "growing-collection" || g.told[0].Objects == 1) {
			continue // one thing, which is told
		}
		bytes, objects, err := h.heldByStack(ctx, t)
		if err != nil {
			return nil, err
		}
		biggest := slices.MaxFunc(g.told, func(a, b Finding) int { return cmp.Compare(a.Bytes, b.Bytes) })
		if bytes*100 < p.liveBytes*criticalShare || bytes*coveredShare < biggest.Bytes*100 {
			continue
		}
		told = append(told, h.inHandFinding(t, bytes, objects, biggest, p))
	}
	return told, nil
}

// threadNamed returns the thread of a name that has a stack, nil where none or several have it.
func (h *Heap) threadNamed(name string) *thread {
	var found *thread
	for s := range h.Stacks() {
		if h.threadName(s.Object) != name {
			continue
		}
		if found != nil {
			return nil
		}
		found = &thread{Stack: s, ThreadInfo: h.threadInfos[s.Object]}
	}
	return found
}

// heldByStack returns what only the variables of a thread's calls keep. Errors: that of ctx.
func (h *Heap) heldByStack(ctx context.Context, t *thread) (bytes, objects int64, err error) {
	others, err := h.ReachableByOthers(ctx, func(r heap.Root) bool { return r.Local() && r.Thread == t.Serial })
	if err != nil {
		return 0, 0, err
	}
	for o := heap.ObjID(1); int(o) <= h.Objects(); o++ {
		if h.reachable(o) && !others.Has(o) {
			bytes += h.ShallowBytes(o)
			objects++
		}
	}
	return bytes, objects, nil
}

// inHandFinding words the verdict on what the calls of a thread hold; biggest is what was told of the
// biggest part.
func (h *Heap) inHandFinding(t *thread, bytes, objects int64, biggest Finding, p pressure) Finding {
	w := holderOn(biggest.Evidence.Path)
	call := clip(stableClass(w.frame), 100)
	f := Finding{
		Kind: "big-retainer", Severity: p.severity(bytes), Confidence: ConfidenceHigh,
		Culprit: Culprit{Class: w.frameClass(), Thread: t.Name, Object: address(h.Address(t.Object))},
		Objects: objects, Bytes: bytes,
		Fingerprint: fingerprint("big-retainer", "stack", w.frame),
		Title: fmt.Sprintf("The calls of thread %q hold %s (%s of the reachable heap), %s above all", clip(t.Name, 60), unit.Bytes(bytes),
			unit.Share(bytes, p.liveBytes), call),
		Summary: fmt.Sprintf("Nothing but variables of this thread's calls keeps that: it goes when they return. The biggest part: %s. %s", biggest.Title, p.words()),
		Advice:  fmt.Sprintf("Let %s work in portions, and let go of each one when it is done with; or bound what one request may ask for.", call),
		Evidence: Evidence{
			Path: biggest.Evidence.Path, Stack: t.stack(),
			Facts:   append([]Fact{fact("thread", "%q", clip(t.Name, 60)), fact("held by its calls alone", "%s, %s", unit.Bytes(bytes), unit.Plural(objects, "object", "objects"))}, p.facts()...),
			Refutes: "a later dump, with this thread elsewhere, in which as much is in use",
		},
	}
	return f
}

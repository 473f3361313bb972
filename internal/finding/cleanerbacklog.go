package finding

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// cleanersAtWork finds cleaning actions that wait because a thread does not get on: the
// one of their Cleaner, or the Reference Handler.
type cleanersAtWork struct{}

// Detect implements Detector.
func (cleanersAtWork) Detect(ctx context.Context, h *Heap) ([]Finding, error) {
	p := h.phantoms()
	var found []Finding
	served := map[heap.ObjID]bool{} // queues
	for i := range h.errands {
		e := &h.errands[i]
		var b backlog
		var err error
		switch e.service {
		case cleaning:
			row := h.Tables[tableCleaner].Row(e.local(e.base, func(o heap.ObjID) bool { return h.Tables[tableCleaner].Row(o) >= 0 }))
			if row < 0 {
				continue
			}
			queue := h.Tables[tableCleaner].Ref(row, 0)
			served[queue] = true
			b, err = p.queued(queue)
		case handling:
			b, err = p.unhandled(ctx)
		default:
			continue
		}
		if err != nil {
			return nil, err
		}
		w := h.waitOf(&e.thread)
		if e.stuck() && b.waiting > 0 || b.worth(h.inUse()) {
			found = append(found, h.cleanerFinding(e, w, b))
		}
	}
	for _, queue := range h.Tables[tableQueue].Objects {
		if b, err := p.queued(queue); err != nil {
			return nil, err
		} else if b.waiting >= manyWaiting && !served[queue] {
			f, err := h.unservedCleaners(ctx, queue, b)
			if err != nil {
				return nil, err
			}
			found = append(found, f)
		}
	}
	return found, nil
}

// queued returns what waits in a reference queue. Errors: no memory.
func (p phantoms) queued(queue heap.ObjID) (backlog, error) {
	b := backlog{done: -1}
	table := p.h.Tables[tableQueue]
	row := table.Row(queue)
	if row < 0 {
		return b, nil
	}
	classes := map[string]int64{}
	var waiting []heap.ObjID
	at := p.table.Row(table.Ref(row, queueHead))
	for at >= 0 && len(waiting) < p.table.Len() { // a queue of other references ends it
		classes[p.class(at)]++
		waiting = append(waiting, p.table.Objects[at])
		next := p.table.Ref(at, phantomNext)
		if next == p.table.Objects[at] {
			break
		}
		at = p.table.Row(next)
	}
	if len(waiting) == 0 {
		return b, nil
	}
	b.count(classes)
	var err error
	b.bytes, err = p.h.retainedTogether(slices.Values(waiting))
	return b, err
}

// unhandled returns what waits for the Reference Handler: all that a collection found
// and that is in no queue yet, Finalizers too. Errors: that of ctx; no memory.
func (p phantoms) unhandled(ctx context.Context) (backlog, error) {
	b := backlog{done: -1}
	classes := map[string]int64{}
	var cleaners []heap.ObjID
	for row := range p.table.Len() {
		if p.of(row) == pending {
			classes[p.class(row)]++
			cleaners = append(cleaners, p.table.Objects[row])
		}
	}
	for class, n := range p.h.registry.byName(p.h, in(pending)) {
		classes[class] += n
	}
	b.count(classes)
	var err error
	if b.bytes, err = p.h.retainedTogether(slices.Values(cleaners)); err != nil {
		return b, err
	}
	k, err := p.h.kept(ctx, p.h.registry.referents(p.h, in(pending)))
	b.bytes += k.bytes
	return b, err
}

// cleanerFinding words the verdict on a thread in a cleaning action.
func (h *Heap) cleanerFinding(e *errand, w wait, b backlog) Finding {
	class, method := e.call()
	who := fmt.Sprintf("Cleaner thread %q", clip(e.Name, 60))
	if e.service == handling {
		who = "The Reference Handler, which serves all references,"
	}
	f := Finding{
		Kind: "cleaner-backlog", Severity: b.severity(e.pace(w), h.inUse()), Confidence: ConfidenceMedium,
		Culprit: Culprit{Class: class, Thread: e.Name, Object: h.receiver(e)},
		Objects: b.waiting, Bytes: b.bytes,
		Title:       fmt.Sprintf("%s is slow: %s.%s() runs, %s wait behind it", who, short(class), method, unit.Plural(b.waiting, "cleaner", "cleaners")),
		Summary:     h.waiting(&e.thread, w) + b.words(h.inUse()) + " Native memory and files that they release come on top.",
		Advice:      "Keep cleaning actions short, and close such objects explicitly (try-with-resources); give what must wait a Cleaner or a thread of its own.",
		Fingerprint: fingerprint("cleaner-backlog", stableClass(class)),
		Evidence:    h.threadEvidence(&e.thread, w),
	}
	if e.stuck() {
		f.Confidence = w.confidence()
		f.Title = fmt.Sprintf("%s is stuck in %s.%s(): %s wait behind it", who, short(class), method, unit.Plural(b.waiting, "cleaner", "cleaners"))
		f.Advice = w.advice("the cleaning action")
	}
	f.Evidence.Facts = append(f.Evidence.Facts, b.facts("waiting cleaners", h.inUse())...)
	f.Evidence.Refutes = "a second dump, or a thread dump, some seconds later in which the thread is elsewhere and fewer cleaners wait"
	return f
}

// unservedCleaners is about a long queue of phantom references with no thread in an action: the
// dump caught it in between, or nobody takes them off. Errors: that of ctx; no memory.
func (h *Heap) unservedCleaners(ctx context.Context, queue heap.ObjID, b backlog) (Finding, error) {
	f := Finding{
		Kind: "cleaner-backlog", Severity: SeverityInfo, Confidence: ConfidenceLow,
		Culprit: Culprit{Class: b.class, Object: address(h.Address(queue))}, Objects: b.waiting, Bytes: b.bytes,
		Title:       fmt.Sprintf("%s wait in a reference queue, most are %s", unit.Plural(b.waiting, "phantom reference", "phantom references"), short(b.class)),
		Summary:     "No thread is in a cleaning action at this moment: it may be working them off, or nobody polls the queue." + b.words(h.inUse()),
		Advice:      "Take a second dump after a minute: if as many wait then, see who is to poll this queue.",
		Fingerprint: fingerprint("cleaner-backlog", b.class),
		Evidence:    Evidence{Facts: b.facts("waiting in the queue", h.inUse()), Refutes: "a second dump in which the queue is empty"},
	}
	path, err := h.pathTo(ctx, []heap.ObjID{queue})
	if err != nil || path == nil {
		return f, err
	}
	f.Evidence.Path = path
	w := holderOn(path)
	f.Culprit.Field, f.Culprit.Thread = w.field, w.thread
	if b.waiting >= lastingQueue && b.bytes*100 >= h.inUse()*criticalShare && b.bytes >= suspectBytes && !h.polled(queue, w.class) && !h.ofCleaner(queue) {
		f.Severity, f.Confidence = SeverityWarning, ConfidenceMedium
		f.Summary = "No thread polls this queue: none has it on its stack or is in the class that has it." + b.words(h.inUse())
		f.Advice = "Poll the queue (ReferenceQueue.poll() wherever the registry is used, or a thread in remove()) and take what it returns out of the registry; or use a java.lang.ref.Cleaner, which does so."
	}
	if held := w.held(); held != "" {
		f.Summary += strings.Replace(" "+held, "It is held", "The queue is held", 1)
	}
	return f, nil
}

// lastingQueue is how many references must wait in a queue that no thread polls for an alarm.
const lastingQueue = 10_000

// ofCleaner says whether a queue is that of a java.lang.ref.Cleaner, which has a thread for it.
func (h *Heap) ofCleaner(queue heap.ObjID) bool {
	t := h.Tables[tableCleaner]
	for row := range t.Len() {
		if t.Ref(row, 0) == queue {
			return true
		}
	}
	return false
}

// polled says whether a thread may be at a queue: its stack refers to it, or is in the class
// whose field it is.
func (h *Heap) polled(queue heap.ObjID, by string) bool {
	for s := range h.Stacks() {
		for o := range h.HeldBy(s.Thread) {
			if o == queue {
				return true
			}
		}
		if slices.ContainsFunc(s.Frames, func(f heap.Frame) bool { return f.Class == by }) {
			return true
		}
	}
	return false
}

// receiver returns the address of the object whose method the errand has entered, ""
// if the dump does not tell.
func (h *Heap) receiver(e *errand) string {
	class := e.Frames[e.entry].Class
	o := e.local(e.entry, func(o heap.ObjID) bool { return cmp.Or(h.Class(o).Name == class, h.IsSubclass(h.ClassOf(o), class)) })
	if o == 0 {
		return ""
	}
	return address(h.Address(o))
}

package finding

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// tasksBlocked finds a timer or a scheduled executor whose tasks wait because others keep its
// threads.
type tasksBlocked struct{}

const (
	// late is how long a task that others wait for may take before that is worth a
	// remark, and tooLate before it is a warning whatever the thread is at.
	late    = time.Minute
	tooLate = 10 * time.Minute
	// lateWaiting is the same for a thread that waits without a limit of time, and
	// lateForEver when that is a warning where nobody is at work who could end it.
	lateWaiting = time.Second
	lateForEver = 10 * time.Second
)

// Detect implements Detector.
func (tasksBlocked) Detect(_ context.Context, h *Heap) ([]Finding, error) {
	var found []Finding
	for _, s := range h.schedulers {
		e := h.keeper(s)
		if e == nil || s.RetainedBytes == nil {
			continue
		}
		b := backlog{done: -1, bytes: *s.RetainedBytes}
		classes := map[string]int64{}
		for _, t := range s.Tasks {
			if t.State == scheduledState {
				classes[t.Class] += t.Count
			}
		}
		b.count(classes)
		if s.Overdue != nil {
			b.waiting, b.ofClass = *s.Overdue, min(b.ofClass, *s.Overdue)
		}
		w := h.waitOf(&e.thread)
		severity, worth := h.lateness(s, e, w, &b)
		if !worth {
			continue
		}
		f := h.blockedFinding(s, e, w, b)
		f.Severity = severity
		found = append(found, f)
	}
	return found, nil
}

// keeper returns the errand that keeps a scheduler's only thread, or, of several
// threads that all wait, read or write, the first one's; else nil.
func (h *Heap) keeper(s *scheduler) *errand {
	var keepers []*errand
	for i := range h.errands {
		e := &h.errands[i]
		switch e.service {
		case timing:
			row := h.Tables[tableTimerThread].Row(e.Object)
			if row < 0 {
				continue
			}
			queues := h.Tables[tableTaskQueue]
			if q := queues.Row(h.Tables[tableTimerThread].Ref(row, columnQueue)); q >= 0 && queues.Ref(q, columnQueue) == s.array {
				return e
			}
		case turning:
			if e.local(e.base, func(o heap.ObjID) bool { return h.hasReference(o, s.owner) }) != 0 {
				return e
			}
		case scheduling:
			if e.local(e.base, func(o heap.ObjID) bool { return o == s.owner }) != 0 && e.pace(wait{}) != computing {
				keepers = append(keepers, e)
			}
		}
	}
	workers, threads := h.Tables[tableWorker], 0
	for row := range workers.Len() {
		if workers.Ref(row, columnPool) == s.owner && h.reachable(workers.Objects[row]) {
			threads++
		}
	}
	if len(keepers) == 0 || len(keepers) < threads {
		return nil
	}
	return keepers[0]
}

// lateness says how severe it is that a scheduler's tasks wait, and whether it is
// worth a remark at all.
func (h *Heap) lateness(s *scheduler, e *errand, w wait, b *backlog) (severity Severity, worth bool) {
	if b.waiting == 0 {
		return "", false
	}
	if s.Kind == kindExecutor {
		if !e.stuck() { // it may be back in time for all but those that are late already
			b.waiting, b.ofClass = s.pastDue, min(b.ofClass, s.pastDue)
			return b.severity(halting, h.inUse()), s.lateBy >= lateWaiting && b.worth(h.inUse())
		}
		if s.pastDue == 0 && (w.owner == nil || !w.owner.stuck()) {
			return SeverityInfo, true // they may be in time yet
		}
		return b.severity(e.pace(w), h.inUse()), true
	}
	severity = b.severity(e.pace(w), h.inUse())
	over := h.Created.Sub(s.head)
	switch {
	case over >= tooLate || e.stuck() && over >= late || e.pace(w) == standing && over >= lateForEver:
		severity = min2(severity, SeverityWarning)
	case over < lateWaiting:
		return severity, false
	}
	return severity, over >= late || e.stuck() || b.worth(h.inUse())
}

// min2 returns the more urgent of two severities.
func min2(a, b Severity) Severity {
	return slices.MinFunc([]Severity{a, b}, func(a, b Severity) int { return a.rank() - b.rank() })
}

// blockedFinding words the verdict on a scheduler whose thread a task keeps.
func (h *Heap) blockedFinding(s *scheduler, e *errand, w wait, b backlog) Finding {
	class, method := e.call()
	tasks := unit.Plural(b.waiting, "task waits", "tasks wait")
	f := Finding{
		Kind: "timer-blocked", Confidence: ConfidenceMedium,
		Culprit: Culprit{Class: class, Thread: e.Name, Object: h.receiver(e)},
		Objects: b.waiting, Bytes: b.bytes,
		Title:       fmt.Sprintf("%s is kept by %s.%s(): %s behind it", capital(s.called()), short(class), method, tasks),
		Summary:     h.waiting(&e.thread, w) + b.words(h.inUse()),
		Advice:      "Hand what takes long to a pool of its own, and give it a time limit: one thread runs all tasks of this timer.",
		Fingerprint: fingerprint("timer-blocked", stableClass(class), s.Thread),
		Evidence:    h.threadEvidence(&e.thread, w),
	}
	if h.reads(&e.thread) && h.readings[e.Object].limit == 0 {
		f.Advice += " A socket has a time limit by Socket.setSoTimeout or its client's own option."
	}
	if e.stuck() {
		f.Confidence = w.confidence()
		f.Advice = w.advice("the task") + " Hand what may wait to a pool of its own: one thread runs all tasks of this timer."
	}
	f.Evidence.Facts = append(f.Evidence.Facts, fact("tasks in the queue", "%s", unit.Count(s.Size)))
	if s.pastDue > 0 {
		f.Evidence.Facts = append(f.Evidence.Facts, fact("overdue", "%s at least: due before the last collection", unit.Count(s.pastDue)))
	}
	if s.Overdue != nil {
		f.Summary += fmt.Sprintf(" The first was due %s before the dump.", unit.Duration(h.Created.Sub(s.head)))
		f.Evidence.Facts = append(f.Evidence.Facts, fact("overdue", "%s", unit.Count(*s.Overdue)), fact("head task due", "%s", h.due(s.head)))
	}
	f.Evidence.Refutes = "a thread dump some seconds later in which the thread is elsewhere"
	return f
}

// capital makes the first letter of a sentence a capital.
func capital(s string) string { return string(s[0]-'a'+'A') + s[1:] }

// lower makes the first letter of a sentence a small one.
func lower(s string) string { return strings.ToLower(s[:1]) + s[1:] }

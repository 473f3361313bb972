package finding

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// queueOf returns the scheduler whose queue an object is, nil if there is none.
func (h *Heap) queueOf(o heap.ObjID) *scheduler {
	i := slices.IndexFunc(h.schedulers, func(s *scheduler) bool { return o == s.array || o == s.owner })
	if i < 0 {
		return nil
	}
	return h.schedulers[i]
}

// wordTasks words the queue of a scheduler that retains much by tasks that still are to run.
func (h *Heap) wordTasks(f *Finding, s *suspect, p pressure) {
	q := s.tasks
	task := q.Tasks[0].Class
	below := h.below(s.below, s.retained, task)
	f.Kind = q.heldKind()
	f.Objects = q.Size
	f.Culprit = Culprit{Class: cmp.Or(below.own, task), Object: q.Object, Thread: q.Thread}
	f.Fingerprint = fingerprint(f.Kind, "waiting", task, below.own, q.Thread)
	f.Title = fmt.Sprintf("%s in the queue of %s retain %s (%s of the reachable heap)", unit.Plural(q.Size, "task", "tasks"), q.called(),
		unit.Bytes(s.retained), unit.Share(s.retained, p.liveBytes))
	f.Summary = fmt.Sprintf("Most are %s; none is cancelled: all wait for their time.", clip(task, 100))
	if q.Cancelled > 0 {
		f.Summary = fmt.Sprintf("Most are %s; %s are cancelled, the others wait for their time.", clip(task, 100), unit.Count(q.Cancelled))
	}
	if last := q.last.Sub(h.Created); last > 0 {
		f.Summary += fmt.Sprintf(" The last one is due %s%s after the dump.", q.upTo(), unit.Duration(last))
	}
	if own := below.words(); own != "" {
		f.Summary += fmt.Sprintf(" They keep %s.%s", own, h.notTheCause(below.own))
		f.Evidence.Facts = append(f.Evidence.Facts, fact("kept for them", "%s", own))
	}
	for _, t := range q.Tasks[:min(len(q.Tasks), 3)] {
		f.Evidence.Facts = append(f.Evidence.Facts, fact("tasks", "%s %s, %s", unit.Count(t.Count), t.Class, t.State))
	}
	f.Evidence.Facts = append(f.Evidence.Facts, fact("retained", "%s, %s a task", unit.Bytes(s.retained), unit.Bytes(s.retained/q.Size)))
	f.Advice = "If what they are for is over sooner, cancel them then. " + q.letGo() + " Shorter delays shorten the queue."
	f.Evidence.Refutes = "a later dump under the same load in which the queue has not grown: then it is the work of that time"
}

// upTo says before a time that it is the latest possible.
func (s *scheduler) upTo() string {
	if s.DueReckoned {
		return "up to "
	}
	return ""
}

// letGo says what makes the queue let go of a task before its time.
func (s *scheduler) letGo() string {
	switch s.Kind {
	case kindTimer:
		return "A Timer lets go of cancelled tasks by purge()."
	case kindExecutor:
		return "An executor lets go of cancelled ones with setRemoveOnCancelPolicy(true), the timeouts of a CompletableFuture go as it completes."
	case kindDelay:
		return "The timeouts of a CompletableFuture go as it completes."
	}
	return "Timeout.cancel() takes one out at the next tick."
}

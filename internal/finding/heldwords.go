package finding

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// heldFinding words the verdict on a scheduler whose cancelled tasks hold memory.
// total is the size of the reachable heap.
func (h *Heap) heldFinding(l loss, total int64) Finding {
	s := l.by
	task := s.cancelledClass()
	f := Finding{
		Kind: s.heldKind(), Severity: h.heldSeverity(s, l, total), Confidence: ConfidenceHigh,
		Culprit: Culprit{Class: l.culprit(task), Object: s.Object, Thread: s.Thread},
		Objects: l.objects,
		Bytes:   l.bytes,
		Advice:  h.heldAdvice(s, task),
	}
	f.Fingerprint = fingerprint(f.Kind, task, l.class, s.Thread)
	tasks := unit.Plural(s.Cancelled, "cancelled task", "cancelled tasks")
	if l.class == "" {
		f.Title = fmt.Sprintf("%s in the queue of %s", tasks, s.called())
	} else {
		f.Title = fmt.Sprintf("%s held by %s of %s", l.held(), tasks, s.called())
	}
	in := "the queue"
	if s.others > 0 {
		in = "their queues"
	}
	f.Summary = fmt.Sprintf("%s of the %s tasks in %s are cancelled %s; only they keep %s alive (%s of what is in use).",
		unit.Count(s.Cancelled), unit.Count(s.Size), in, clip(simpleName(task), 60), unit.Bytes(l.bytes), unit.Share(l.bytes, h.inUse()))
	if len(l.others) > 0 {
		f.Summary += fmt.Sprintf(" They hold %s %s, too.", unit.Count(l.others[0].count), clip(simpleName(l.others[0].class), 60))
	}
	if l.finalizable {
		f.Summary += " Their Finalizers are registered, not pending: finalization is not the cause."
	}
	switch {
	case !slices.ContainsFunc(s.cancelled, h.reachable):
		f.Summary += " No GC root reaches them: they are garbage, or the dump lacks what keeps them."
	case l.class == "":
		f.Summary += " They are empty shells: what they were to run is let go."
	}
	f.Evidence = Evidence{
		Facts:   h.heldFacts(s, l, total, task),
		Refutes: "a second dump after the last task's time in which the queue is empty without a restart or a purge()",
	}
	if e := h.keeper(s); e != nil && s.Kind == kindWheel {
		h.wordWheelKept(&f, e)
	} else {
		f.Summary += " " + h.whenItLetsGo(s)
	}
	return f
}

// wordWheelKept says what keeps the worker of a wheel from its next tick, at which it would let go of
// the cancelled tasks.
func (h *Heap) wordWheelKept(f *Finding, e *errand) {
	class, method := e.call()
	w := h.waitOf(&e.thread)
	f.Summary += fmt.Sprintf(" Its thread takes them out at its next tick, but %s.%s() keeps it. %s", short(class), clip(method, 60), h.waiting(&e.thread, w))
	v := h.threadEvidence(&e.thread, w)
	f.Evidence.Stack, f.Evidence.Lock = v.Stack, v.Lock
	f.Evidence.Facts = append(append(f.Evidence.Facts, fact("kept by", "%s.%s", class, method)), v.Facts...)
	f.Evidence.Refutes = "a thread dump some seconds later in which the thread is elsewhere"
}

// heldKind is the kind of a finding on what the scheduler's queue holds.
func (s *scheduler) heldKind() string {
	if s.Kind == kindTimer {
		return "timer-held"
	}
	return "scheduler-held"
}

// culprit names the class behind the tasks, or, where that is anybody's, that of the tasks.
func (l *loss) culprit(task string) string {
	if platform(l.class) {
		return cmp.Or(task, l.class)
	}
	return cmp.Or(l.class, task)
}

// heldSeverity rests on the share of the heap and, for many tasks, on evidence that
// they do not go away.
func (h *Heap) heldSeverity(s *scheduler, l loss, total int64) Severity {
	switch {
	case l.bytes*100 >= total*criticalShare:
		return SeverityCritical
	case l.bytes*100 >= total*worthShare, s.Kind == kindTimer && s.Cancelled >= manyCancelled && s.last.Sub(h.Created) > lasting:
		return SeverityWarning
	}
	return SeverityInfo
}

// called names the scheduler for a sentence.
func (s *scheduler) called() string {
	switch {
	case s.others > 0:
		return fmt.Sprintf("%s with threads such as %q", unit.Plural(s.others+1, s.Kind, simpleName(s.Kind)+"s"), clip(s.Thread, 60))
	case s.Thread == "":
		return "a " + s.Kind
	case s.Kind == kindExecutor:
		return fmt.Sprintf("executor thread %q", clip(s.Thread, 60))
	}
	return fmt.Sprintf("timer thread %q", clip(s.Thread, 60))
}

// held names what lies behind the tasks.
func (l *loss) held() string {
	n := int64(len(l.instances))
	state := ""
	if l.closed == n {
		state = "closed "
	}
	return unit.Count(n) + " " + state + clip(simpleName(l.class), 60)
}

// heldFacts lists what the verdict rests on.
func (h *Heap) heldFacts(s *scheduler, l loss, total int64, task string) []Fact {
	facts := []Fact{
		fact("cancelled tasks", "%s of %s (%s)", unit.Count(s.Cancelled), unit.Count(s.Size), unit.Share(s.Cancelled, s.Size)),
		fact("task class", "%s", task),
		fact("kept only by them", "%s in %s objects, %s of the reachable heap", unit.Bytes(l.bytes), unit.Count(l.objects), unit.Share(l.bytes, total)),
	}
	if !s.head.IsZero() {
		facts = append(facts, fact("head task due", "%s%s", h.due(s.head), s.reckoned()), fact("last task due", "%s%s", h.due(s.last), s.reckoned()))
	}
	if l.class != "" {
		facts = append(facts, fact("held class", "%s: %s", l.class, unit.Plural(int64(len(l.instances)), "object", "objects")))
	}
	for _, o := range l.others[:min(len(l.others), 3)] {
		facts = append(facts, fact("held, too", "%s: %s", o.class, unit.Plural(o.count, "object", "objects")))
	}
	if v := h.driverVersion(task); v != "" {
		facts = append(facts, fact("driver", "%s", v))
	}
	if l.closed >= 0 {
		facts = append(facts, fact("closed", "%s of %s", unit.Count(l.closed), unit.Count(int64(len(l.instances)))))
	}
	return facts
}

// whenItLetsGo says when the queue would give up its first and its last task.
func (h *Heap) whenItLetsGo(s *scheduler) string {
	head, last := s.head.Sub(h.Created), s.last.Sub(h.Created)
	switch {
	case s.Kind == kindWheel || s.Kind == kindDelay:
		return "Its thread takes them out at its next turn: something keeps it from that."
	case s.head.IsZero():
		return "Each leaves the queue at its time, which the dump does not tell."
	case s.DueReckoned && last > 0:
		return fmt.Sprintf("Each leaves the queue at its time: the last one up to %s after the dump.", unit.Duration(last))
	case s.DueReckoned:
		return "Each leaves the queue at its time."
	case head < 0:
		return "The head task is overdue: the timer's thread is busy or dead."
	}
	return fmt.Sprintf("The head task is due %s after the dump, the last one after %s; none leaves before.",
		unit.Duration(head), unit.Duration(last))
}

// due words an instant with its distance from the dump.
func (h *Heap) due(at time.Time) string {
	d := at.Sub(h.Created)
	if d < 0 {
		return fmt.Sprintf("%s (%s before the dump)", at.Format(time.RFC3339), unit.Duration(-d))
	}
	return fmt.Sprintf("%s (%s after the dump)", at.Format(time.RFC3339), unit.Duration(d))
}

// reckoned is what an instant is followed by that may be too late.
func (s *scheduler) reckoned() string {
	if s.DueReckoned {
		return " at the latest"
	}
	return ""
}

// heldAdvice says what to do, by the kind of the scheduler and the class of the
// cancelled tasks.
func (h *Heap) heldAdvice(s *scheduler, task string) string {
	switch {
	case s.Kind == kindWheel:
		return "The timer takes cancelled timeouts out at its next tick: look at what keeps its worker thread, and take slow tasks off it (the timer's taskExecutor)."
	case s.Kind == kindDelay:
		return "The scheduler takes cancelled tasks out by itself: look at what keeps its thread."
	case s.Kind == kindExecutor:
		return "Call setRemoveOnCancelPolicy(true) on the executor, or purge() after cancelling. Shorter delays shorten the queue."
	case strings.HasPrefix(task, "org.postgresql."):
		return fmt.Sprintf("Upgrade the PostgreSQL JDBC driver (9.3-1101 or later purges its timer; 42.6 or later also has no finalizers). "+
			"Until then lower the query timeout (setQueryTimeout, about %s here): the queue is as long as the statements of that time.",
			unit.Duration(s.last.Sub(h.Created)))
	}
	return "Call Timer.purge() after cancelling, drop what the task refers to in its cancel(), " +
		"or use a ScheduledThreadPoolExecutor with setRemoveOnCancelPolicy(true). Shorter delays shorten the queue."
}

// clip bounds a name that comes from the dump.
func clip(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

package finding

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// timerHeld finds memory that only the cancelled tasks of a java.util.Timer hold.
// TimerTask.cancel() leaves the task, and all it refers to, in the queue until it
// is due or Timer.purge() is called.
type timerHeld struct{}

const (
	// fewCancelled is how many cancelled tasks nobody needs to hear of.
	fewCancelled = 100
	// manyCancelled is how many are worth a finding whatever they hold.
	manyCancelled = 1000
	// worthShare and criticalShare are percentages of the reachable heap.
	worthShare    = 5
	criticalShare = 25
	// lasting is how far off a queue's last task must be for the queue to keep
	// growing: with shorter timeouts it is as long as the traffic of that time.
	lasting = time.Minute
)

// loss is what only the cancelled tasks of one timer keep alive.
type loss struct {
	objects, bytes int64
	// class is the class of most of the memory behind the tasks, instances how many
	// of it are kept, and finalizable says whether they have Finalizers.
	class       string
	instances   []heap.ObjID
	finalizable bool
	// closed is how many of the instances say that they are closed, -1 if their
	// class has no such field.
	closed int64
}

// Detect implements Detector.
func (timerHeld) Detect(ctx context.Context, h *Heap) ([]Finding, error) {
	var found []Finding
	for _, t := range h.timers {
		if t.Cancelled < fewCancelled || 2*t.Cancelled < t.Size {
			continue
		}
		l, err := h.lossBy(ctx, t)
		if err != nil {
			return nil, err
		}
		total := int64(h.Tree.Total())
		if t.Cancelled < manyCancelled && l.bytes*100 < total*worthShare {
			continue
		}
		behind := l.instances
		if len(behind) == 0 {
			behind = t.cancelled
		}
		tracks, err := h.ShortestTracks(ctx, behind)
		if err != nil {
			return nil, err
		}
		paths, err := h.mergePaths(ctx, tracks, behind, 1)
		tracks.Free()
		if err != nil {
			return nil, err
		}
		f := h.timerFinding(t, l, total)
		if len(paths) > 0 {
			f.Evidence.Path = &paths[0]
		}
		found = append(found, f)
	}
	return found, nil
}

// lossBy measures what would go if the timer's cancelled tasks went.
func (h *Heap) lossBy(ctx context.Context, t *timer) (loss, error) {
	barred := h.NewSet()
	for _, task := range t.cancelled {
		barred.Add(task)
	}
	alive, err := h.ReachableWithout(ctx, barred)
	if err != nil {
		return loss{}, err
	}
	lost := func(o heap.ObjID) bool { return h.reachable(o) && !alive.Has(o) }
	l := loss{closed: -1}
	for o := heap.ObjID(1); int(o) <= h.Objects(); o++ {
		if lost(o) {
			l.objects++
			l.bytes += h.ShallowBytes(o)
		}
	}
	// What the tasks refer to, by class: the finalizable ones first, as those are
	// what an operator sees piling up; else what retains most.
	finalizable := map[string][]heap.ObjID{}
	states := newFinalizerStates(h.Graph)
	for row := range states.table.Len() {
		if s, referent := states.of(row); s == registered && lost(referent) {
			name := h.Class(referent).Name
			finalizable[name] = append(finalizable[name], referent)
		}
	}
	l.class, l.instances = most(finalizable, func(heap.ObjID) int64 { return 1 })
	if l.finalizable = l.class != ""; !l.finalizable {
		payload := map[string][]heap.ObjID{}
		seen := h.NewSet()
		for _, task := range t.cancelled {
			for o := range h.References(task) {
				if lost(o) && h.Tables[tableTask].Row(o) < 0 && seen.Add(o) {
					payload[h.Class(o).Name] = append(payload[h.Class(o).Name], o)
				}
			}
		}
		l.class, l.instances = most(payload, h.retained)
	}
	l.closed, err = h.closed(ctx, l.instances)
	return l, err
}

// most returns the group that weighs most.
func most(groups map[string][]heap.ObjID, weight func(heap.ObjID) int64) (string, []heap.ObjID) {
	var best string
	var heaviest int64
	for name, objects := range groups {
		var sum int64
		for _, o := range objects {
			sum += weight(o)
		}
		if sum > heaviest || sum == heaviest && name < best {
			best, heaviest = name, sum
		}
	}
	return best, groups[best]
}

// closed counts the objects whose boolean field isClosed or closed is true, -1 if
// they have none.
func (h *Heap) closed(ctx context.Context, objects []heap.ObjID) (int64, error) {
	n := int64(-1)
	err := h.Read(ctx, objects, func(c heap.Content) {
		for _, name := range []string{"isClosed", "closed"} {
			v, t, ok := h.Field(c, heap.FieldName{Field: name})
			if ok && t == hprof.TypeBoolean {
				n = max(n, 0)
				if v != 0 {
					n++
				}
				return
			}
		}
	})
	return n, err
}

// timerFinding words the verdict.
func (h *Heap) timerFinding(t *timer, l loss, total int64) Finding {
	task := t.cancelledClass()
	left := t.last.Sub(h.Created)
	f := Finding{
		Kind: "timer-held", Severity: SeverityInfo, Confidence: ConfidenceHigh,
		Culprit:     Culprit{Class: cmp.Or(l.class, task), Object: t.Object, Thread: t.Thread},
		Objects:     l.objects,
		Bytes:       l.bytes,
		Fingerprint: fingerprint("timer-held", task, l.class, t.Thread),
		Advice:      timerAdvice(task, left),
	}
	switch {
	case l.bytes*100 >= total*criticalShare:
		f.Severity = SeverityCritical
	case l.bytes*100 >= total*worthShare || t.Cancelled >= manyCancelled && left > lasting:
		f.Severity = SeverityWarning
	}
	timer := "a java.util.Timer"
	if t.Thread != "" {
		timer = fmt.Sprintf("timer thread %q", clip(t.Thread, 60))
	}
	what, state := unit.Plural(t.Cancelled, "cancelled task", "cancelled tasks"), ""
	held := unit.Count(t.Cancelled) + " " + clip(simpleName(task), 60)
	if l.class != "" {
		n := int64(len(l.instances))
		if l.closed == n {
			state = "closed "
		}
		held = unit.Count(n) + " " + state + clip(simpleName(l.class), 60)
	}
	f.Title = fmt.Sprintf("%s held by %s of %s", held, what, timer)
	f.Summary = fmt.Sprintf("%s of the %s tasks in the queue are cancelled %s; only they keep %s alive (%s of the reachable heap).",
		unit.Count(t.Cancelled), unit.Count(t.Size), clip(simpleName(task), 60), unit.Bytes(l.bytes), unit.Share(l.bytes, total))
	if l.finalizable {
		f.Summary += " Their Finalizers are registered, not pending: finalization is not the cause."
	}
	f.Summary += " " + h.whenItLetsGo(t)
	f.Evidence = Evidence{
		Facts: []Fact{
			fact("cancelled tasks", "%s of %s (%s)", unit.Count(t.Cancelled), unit.Count(t.Size), unit.Share(t.Cancelled, t.Size)),
			fact("task class", "%s", task),
			fact("kept only by them", "%s in %s objects, %s of the reachable heap", unit.Bytes(l.bytes), unit.Count(l.objects), unit.Share(l.bytes, total)),
			fact("head task due", "%s", h.due(t.head)),
			fact("last task due", "%s", h.due(t.last)),
		},
		Refutes: "a second dump after the last task's time in which the queue is empty without a restart or a purge()",
	}
	if l.class != "" {
		f.Evidence.Facts = append(f.Evidence.Facts, fact("held class", "%s: %s", l.class, unit.Plural(int64(len(l.instances)), "object", "objects")))
	}
	if l.closed >= 0 {
		f.Evidence.Facts = append(f.Evidence.Facts, fact("closed", "%s of %s", unit.Count(l.closed), unit.Count(int64(len(l.instances)))))
	}
	return f
}

// cancelledClass returns the class of most cancelled tasks.
func (t *timer) cancelledClass() string {
	i := slices.IndexFunc(t.Tasks, func(c TaskCount) bool { return c.State == "cancelled" })
	if i < 0 {
		return ""
	}
	return t.Tasks[i].Class
}

// whenItLetsGo says when the queue would give up its first and its last task.
func (h *Heap) whenItLetsGo(t *timer) string {
	head, last := t.head.Sub(h.Created), t.last.Sub(h.Created)
	if head < 0 {
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

// timerAdvice says what to do, by the class of the cancelled tasks.
func timerAdvice(task string, left time.Duration) string {
	if strings.HasPrefix(task, "org.postgresql.") {
		return fmt.Sprintf("Upgrade the PostgreSQL JDBC driver (9.3-1101 or later purges its timer; 42.6 or later also has no finalizers). "+
			"Until then lower the query timeout (setQueryTimeout, about %s here): the queue is as long as the statements of that time.", unit.Duration(left))
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

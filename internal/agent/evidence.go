package agent

import (
	"context"
	"fmt"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// EvidenceOptions say what is kept of a JVM on its way up. At its OutOfMemoryError
// a JVM answers no more: what it knows must be asked before.
type EvidenceOptions struct {
	// Directory keeps the records over restarts of the sidecar; empty keeps them in
	// memory.
	Directory string
	// MaxPause bounds the time for which a class histogram may stop a JVM; zero
	// takes none.
	MaxPause time.Duration
}

const (
	// maxRecords bounds the records kept of a target, the oldest go first.
	maxRecords = 16
	// evidenceClasses bounds the classes kept in a record.
	evidenceClasses = 30
	// evidenceRest is the least time between two records of a target.
	evidenceRest = time.Minute
	// stuckTime is how long the Finalizer thread may stand still before that is
	// worth a record.
	stuckTime = time.Minute
	// firstPausePerGB is the time for which a class histogram stops a JVM for each
	// gigabyte of heap in use, until this JVM has shown its own. Measured: 0.3 s on
	// one core.
	firstPausePerGB = 400 * time.Millisecond
)

// evidenceSteps are the shares of the old region in use after a collection at which
// a record is taken, once each until the region has emptied below forgetStep.
func evidenceSteps() []float64 { return []float64{0.5, 0.65, 0.75, 0.85, 0.95} }

const forgetStep = 0.4

// evidence decides when to take a record of one JVM and remembers what is known.
// It belongs to the goroutine of its watcher, but for the records in kept.
type evidence struct {
	opts EvidenceOptions
	kept *records
	// step is how many of evidenceSteps were taken.
	step int
	next time.Time
	// early is true after a record of an old region that no collection has covered.
	early bool
	// stuck is true from a record of a stuck thread until it goes on.
	stuck bool

	queue      []jvm.ClassCount
	thread     *jvm.FinalizerEvidence
	registered []jvm.RegisteredClass
	// pausePerGB is what the last class histogram took for each gigabyte.
	pausePerGB  time.Duration
	noHistogram bool
}

func newEvidence(opts EvidenceOptions, t jvm.Target) *evidence {
	return &evidence{opts: opts, kept: openRecords(opts.Directory, t), pausePerGB: firstPausePerGB}
}

func (e *evidence) restarted() {
	e.step, e.early, e.stuck, e.noHistogram = 0, false, false, false
	e.queue, e.thread, e.registered = nil, nil, nil
	e.pausePerGB = firstPausePerGB
}

func (e *evidence) sawQueue(q *jvm.FinalizerQueue) { e.queue = cut(q.Classes) }

func (e *evidence) sawRegistered(r *jvm.RegisteredFinalizers) { e.registered = cut(r.Classes) }

func (e *evidence) sawThread(f *jvm.FinalizerThread, h series.FinalizerHealth) {
	e.thread = &jvm.FinalizerEvidence{
		Time: f.Time, State: string(h.State), Frame: h.Frame, StuckSeconds: h.StuckFor.Seconds(),
		LockClass: h.LockClass, Owner: h.Owner, Stack: stackLines(f.Thread),
	}
	if f.Owner != nil {
		e.thread.OwnerStack = stackLines(*f.Owner)
	}
}

func cut[T any](s []T) []T { return s[:min(len(s), evidenceClasses)] }

func stackLines(t jvm.Thread) []string {
	lines := make([]string, len(t.Stack))
	for i, f := range t.Stack {
		lines[i] = f.Class + "." + f.Method
		if f.Line > 0 {
			lines[i] = fmt.Sprintf("%s:%d", lines[i], f.Line)
		}
	}
	return lines
}

// reason says why a record is due; empty if none is.
func (e *evidence) reason(s *jvm.Snapshot, old series.OldRegion, known bool) string {
	if e.thread != nil && e.thread.StuckSeconds >= stuckTime.Seconds() {
		if !e.stuck {
			e.stuck = true
			return fmt.Sprintf("the Finalizer thread stands still in %s", e.thread.Frame)
		}
	} else {
		e.stuck = false
	}
	if !known {
		return e.earlyReason(s)
	}
	ratio := old.Ratio()
	if ratio < forgetStep {
		e.step = 0
	}
	steps := evidenceSteps()
	reached := e.step
	for reached < len(steps) && ratio >= steps[reached] {
		reached++
	}
	if reached == e.step || !old.Telling() || s.Time.Before(e.next) && steps[reached-1] < 0.75 {
		return ""
	}
	e.step = reached
	return fmt.Sprintf("the old region is %.0f %% full after a collection", ratio*100)
}

// earlyStep is the share of an old region in use at which a record is taken although
// no collection has covered the region yet: the first may be the last.
const earlyStep = 0.75

// earlyReason is reason before the old region's first collection.
func (e *evidence) earlyReason(s *jvm.Snapshot) string {
	ratio, known := series.OldUseOf(s)
	if !known || ratio < earlyStep || e.early {
		return ""
	}
	e.early = true
	return fmt.Sprintf("the old region is %.0f %% full and has not been collected yet", ratio*100)
}

// takeEvidence takes a record where one is due.
func (w *watcher) takeEvidence(ctx context.Context, s *jvm.Snapshot) {
	e := w.evidence
	old, known := series.OldRegionOf(s)
	reason := e.reason(s, old, known)
	if reason == "" {
		return
	}
	e.next = s.Time.Add(evidenceRest)
	// What is kept of earlier polls may contradict this one.
	e.queue = nil
	w.askNow(ctx, &w.tiers.finalizer, s, w.askFinalizer)
	w.askNow(ctx, &w.tiers.queue, s, w.askQueue)
	w.askNow(ctx, &w.tiers.registered, s, w.askRegistered)
	r := jvm.Evidence{Time: s.Time, Reason: reason, Queue: e.queue, Thread: e.thread, Registered: e.registered}
	if known {
		r.OldAfterGCRatio = old.Ratio()
	}
	if pending, ok := pendingOf(s).Get(); ok {
		r.Pending = &pending
	}
	if s.Memory != nil {
		r.HeapUsedBytes = s.Memory.Heap.Used.Or(0)
	}
	w.addHistogram(ctx, &r)
	if ctx.Err() != nil {
		return
	}
	w.log.Info("evidence taken", append([]any{"reason", reason}, saidOf(&r)...)...)
	if err := e.kept.add(r); err != nil {
		w.log.Warn("evidence is kept in memory alone", "error", err)
	}
}

// saidOf is what the log tells of a record beside its reason: without a histogram nobody has counted
// Finalizers.
func saidOf(r *jvm.Evidence) []any {
	switch {
	case r.HistogramNote != "":
		return []any{"no_histogram", r.HistogramNote}
	case r.Suspicion != "":
		return []any{"finalizers", r.Finalizers, "suspicion", r.Suspicion}
	}
	return []any{"finalizers", r.Finalizers}
}

// addHistogram takes a class histogram where the JVM can bear it.
func (w *watcher) addHistogram(ctx context.Context, r *jvm.Evidence) {
	e := w.evidence
	pause := time.Duration(float64(e.pausePerGB) * float64(r.HeapUsedBytes) / 1e9)
	switch {
	case e.noHistogram:
		r.HistogramNote = "the JVM gives no class histogram"
		return
	case pause > e.opts.MaxPause:
		r.HistogramNote = fmt.Sprintf("it would stop the JVM for about %s with %s in use, more than the %s allowed", pause.Round(time.Millisecond), unit.Bytes(r.HeapUsedBytes), e.opts.MaxPause)
		return
	}
	var once pace
	answered := w.timed(ctx, &once, tierHistogram, func() error {
		h, err := w.client.ClassHistogram(ctx)
		if err != nil {
			r.HistogramNote = err.Error()
			return err
		}
		w.enterHistogram(r, h)
		return nil
	})
	e.noHistogram = !answered && once.next.After(time.Now().Add(never/2))
}

func (w *watcher) enterHistogram(r *jvm.Evidence, h *jvm.ClassHistogram) {
	if h.Bytes > 0 {
		w.evidence.pausePerGB = time.Duration(float64(h.Took) * 1e9 / float64(h.Bytes))
	}
	r.Histogram = cut(h.Classes)
	sign := series.SchedulerSignature(h)
	r.Finalizers = sign.Finalizers
	if sign.Found {
		r.Suspicion = fmt.Sprintf("a timer seems to hold %s objects of %s in its queue (%s): there are as many Finalizers and as many tasks of %s",
			unit.Count(sign.Finalizers), sign.Referent, sign.Queue, sign.Task)
	}
	w.keep(w.deriver.Histogram(h))
}

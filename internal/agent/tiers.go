package agent

import (
	"context"
	"errors"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

const (
	// queueThreshold is the number of pending objects from which the queue is asked
	// for by class and the Finalizer thread is looked at more often.
	queueThreshold    = 100
	queueInterval     = 30 * time.Second
	finalizerInterval = 10 * time.Second
	// registeredInterval is the time between two questions for registered
	// finalizers, which cost a tenth of a second of CPU; noRecordingRest follows an
	// answer that there is no flight recording, of a JVM older than that: before, a
	// recording may have nothing yet.
	registeredInterval = 5 * time.Minute
	noRecordingRest    = 30 * time.Minute
	// maxThreads is the number of threads up to which each of them is looked at.
	maxThreads = 2000
)

// tiers are the questions beside the fast tier, each at its own pace.
type tiers struct {
	details, threads, finalizer, queue, registered, limit pace

	// maxDirect is what the JVM said of its direct memory; 0 is as much as the heap.
	maxDirect jvm.Opt[int64]
	// threadIDs are those of the last details.
	threadIDs []int64
	// missing is the number of missing parts of the details.
	missing int
}

func newTiers(slow time.Duration) tiers {
	return tiers{
		details:    pace{interval: slow},
		threads:    pace{interval: slow},
		finalizer:  pace{interval: min(slow, finalizerInterval)},
		queue:      pace{interval: queueInterval},
		registered: pace{interval: registeredInterval},
		limit:      pace{interval: slow},
	}
}

// askTiers asks what is due after a poll of the fast tier that took so long, as far
// as the JVM is fit for it, and the machine of the sidecar is.
func (w *watcher) askTiers(ctx context.Context, s *jvm.Snapshot, took time.Duration) {
	reason := unfit(s, took)
	if w.late > tooLate {
		reason = skippedLate
	}
	if reason != "" {
		w.own.tierSkipped(reason, 1)
		return
	}
	w.askLimit(ctx)
	w.askDetails(ctx, s)
	w.askThreads(ctx, s)
	w.askFinalizer(ctx, s)
	w.askQueue(ctx, s)
	w.askRegistered(ctx, s)
}

// unfit says why the JVM is asked for the fast tier alone; empty if it is not.
func unfit(s *jvm.Snapshot, took time.Duration) string {
	if took > slowAnswer {
		return skippedSlow
	}
	if !olderThan(s, gentleStart) {
		return skippedCold
	}
	return ""
}

// timed asks one question and settles when it may be asked again. A JVM that cannot
// answer it is not asked again until it restarts.
func (w *watcher) timed(ctx context.Context, p *pace, tier string, question func() error) bool {
	if ctx.Err() != nil {
		return false
	}
	start := time.Now()
	err := question()
	if ctx.Err() != nil {
		return false
	}
	now := time.Now()
	took := now.Sub(start)
	w.own.tierAsked(tier, took)
	p.asked(now, took)
	switch {
	case err == nil:
		return true
	case errors.Is(err, jmx.ErrUnsupported), jmx.Reason(err) == jmx.ReasonDenied:
		w.log.Debug("part of the target is not available", "tier", tier, "error", err)
		p.rest(now, never)
	default:
		w.log.Debug("tier without an answer", "tier", tier, "error", err)
	}
	return false
}

// askLimit asks for the limit of direct memory, once: it does not change until the JVM
// restarts.
func (w *watcher) askLimit(ctx context.Context) {
	if !w.tiers.limit.due(time.Now()) {
		return
	}
	answered := w.timed(ctx, &w.tiers.limit, tierLimit, func() error {
		limit, err := w.client.MaxDirectMemory(ctx)
		if err == nil {
			w.tiers.maxDirect = jvm.Some(limit)
		}
		return err
	})
	if answered {
		w.tiers.limit.rest(time.Now(), never)
	}
}

// maxDirect is the limit of direct memory, which may be that of the heap.
func (w *watcher) maxDirect(s *jvm.Snapshot) jvm.Opt[int64] {
	if limit, ok := w.tiers.maxDirect.Get(); ok && limit == 0 && s.Memory != nil {
		return s.Memory.Heap.Max
	}
	return w.tiers.maxDirect
}

func (w *watcher) askDetails(ctx context.Context, s *jvm.Snapshot) {
	if !w.tiers.details.due(time.Now()) {
		return
	}
	w.timed(ctx, &w.tiers.details, tierDetails, func() error {
		d, err := w.client.Details(ctx)
		if err != nil {
			return err
		}
		w.tiers.threadIDs = d.ThreadIDs
		d.MaxDirectBytes = w.maxDirect(s)
		w.noteMissing(d.Missing, &w.tiers.missing)
		w.keep(w.deriver.Details(d))
		w.readHost(d.VM)
		return nil
	})
}

func (w *watcher) askThreads(ctx context.Context, s *jvm.Snapshot) {
	ids := w.tiers.threadIDs
	if len(ids) == 0 || !w.tiers.threads.due(s.Time) {
		return
	}
	if len(ids) > maxThreads {
		w.own.tierSkipped(skippedThreads, 1)
		w.tiers.threads.rest(s.Time, w.tiers.threads.interval)
		return
	}
	w.timed(ctx, &w.tiers.threads, tierThreads, func() error {
		states, err := w.client.ThreadStates(ctx, ids)
		if err == nil {
			w.keep(w.deriver.ThreadStates(states))
		}
		return err
	})
}

// pendingOf is the number of objects that wait for the Finalizer thread.
func pendingOf(s *jvm.Snapshot) jvm.Opt[int64] {
	if s.Memory == nil {
		return jvm.Opt[int64]{}
	}
	return s.Memory.PendingFinalizers
}

// askFinalizer looks at the Finalizer thread while objects wait for it, and now and
// then otherwise.
func (w *watcher) askFinalizer(ctx context.Context, s *jvm.Snapshot) {
	pending := pendingOf(s)
	if len(w.tiers.threadIDs) == 0 || !w.tiers.finalizer.due(s.Time) {
		return
	}
	answered := w.timed(ctx, &w.tiers.finalizer, tierFinalizer, func() error {
		thread, err := w.client.FinalizerThread(ctx, w.tiers.threadIDs)
		if err != nil {
			return err
		}
		health, samples := w.deriver.FinalizerThread(thread, pending)
		w.evidence.sawThread(thread, health)
		w.keep(samples)
		return nil
	})
	if answered && pending.Or(0) < queueThreshold {
		w.tiers.finalizer.rest(s.Time, w.tiers.details.interval)
	}
}

// askQueue asks for the finalizer queue by class where it is worth the question.
func (w *watcher) askQueue(ctx context.Context, s *jvm.Snapshot) {
	if pendingOf(s).Or(0) < queueThreshold || !w.tiers.queue.due(s.Time) {
		return
	}
	w.timed(ctx, &w.tiers.queue, tierQueue, func() error {
		queue, err := w.client.FinalizerQueue(ctx)
		if err == nil {
			w.evidence.sawQueue(queue)
			w.keep(w.deriver.Queue(queue, s.Time))
		}
		return err
	})
}

// askRegistered asks for registered finalizers, which only a JVM with a flight
// recording under way can tell.
func (w *watcher) askRegistered(ctx context.Context, s *jvm.Snapshot) {
	if !w.tiers.registered.due(s.Time) {
		return
	}
	recording := false
	answered := w.timed(ctx, &w.tiers.registered, tierRegistered, func() error {
		registered, err := w.client.RegisteredFinalizers(ctx)
		if err != nil {
			return err
		}
		if recording = registered != nil; recording {
			w.evidence.sawRegistered(registered)
			w.keep(w.deriver.Registered(registered, s.Time))
		}
		return nil
	})
	if !recording && answered && olderThan(s, noRecordingRest) {
		w.tiers.registered.rest(s.Time, noRecordingRest)
	}
}

// olderThan tells whether the JVM runs for longer; one that does not tell does.
func olderThan(s *jvm.Snapshot, age time.Duration) bool {
	return s.Runtime == nil || s.Runtime.UptimeMs.Or(age.Milliseconds()) >= age.Milliseconds()
}

// askNow asks out of turn what is of a tier, unless the JVM can't tell.
func (w *watcher) askNow(ctx context.Context, p *pace, s *jvm.Snapshot, ask func(context.Context, *jvm.Snapshot)) {
	if p.next.Before(s.Time.Add(never / 2)) {
		p.rest(s.Time, 0)
		ask(ctx, s)
	}
}

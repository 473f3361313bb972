package agent

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// watcher polls one target. All its state but polled belongs to its rounds.
type watcher struct {
	target  jvm.Target
	client  Client
	labels  []series.Label
	deriver *series.Deriver
	sink    Sink
	memory  *series.Memory
	capture *Capture
	// left is what an earlier run left of its last capture.
	left     leftover
	trigger  *Trigger
	own      *selfMetrics
	log      *slog.Logger
	interval time.Duration

	// polled is true once a poll has ended, well or not.
	polled atomic.Bool
	// status is what pages show.
	status atomic.Pointer[TargetStatus]

	// state is the reason of the last failure, "" after a success and "new"
	// before the first poll: only changes are logged.
	state string
	// muster is where the first poll is reported, nil afterwards and where it has a line of
	// its own.
	muster *muster
	// rest leaves out polls of a target that is down for long.
	rest backOff
	// began is true after the first round.
	began bool
	// late is how long after its moment this round began.
	late time.Duration
	// dumped is true when this round took a heap dump.
	dumped bool
	// kept are samples of this round that are handed over at its end.
	kept []series.Sample
	// missing is the number of missing parts at the last success.
	missing int
	// startMs identifies the JVM; a change is a restart.
	startMs int64
	// tiers are the questions beside the poll.
	tiers tiers
	// beside is the machine beside the JVM.
	beside beside
	// evidence is what is kept of finalizers and the heap on the way up.
	evidence *evidence
}

func newWatcher(w Watched, left leftover, opts Options) *watcher {
	labels := series.TargetLabels(w.Target)
	trigger := NewTrigger(opts.Trigger)
	trigger.DumpedAt(left.taken)
	out := &watcher{
		target:   w.Target,
		client:   w.Client,
		labels:   labels,
		deriver:  series.NewDeriver(series.Options{Labels: labels, Naming: opts.Naming, Memory: opts.Memory}),
		sink:     opts.Sink,
		memory:   opts.Memory,
		capture:  opts.Capture,
		left:     left,
		trigger:  trigger,
		own:      newSelfMetrics(w.Target),
		log:      opts.Logger.With("target", w.Target.Name()),
		interval: opts.intervalOf(w.Target),
		state:    "new",
		rest:     backOff{interval: opts.intervalOf(w.Target)},
		tiers:    newTiers(opts.SlowInterval),
		beside:   beside{machine: opts.Host},
		evidence: newEvidence(opts.Evidence, w.Target),
	}
	out.status.Store(firstStatus(w.Target, out.interval))
	return out
}

// turn polls at every interval until ctx ends. A poll that takes longer than the interval
// leaves out the moments it missed and counts them.
func (w *watcher) turn(ctx context.Context) *turn {
	return &turn{
		interval: w.interval,
		round:    func(late time.Duration) { w.round(ctx, late) },
		missed:   func(n int) { w.own.skipped(w.reasonToBeLate(), n) },
	}
}

// reasonToBeLate says what made the round that has just ended a long one.
func (w *watcher) reasonToBeLate() string {
	switch {
	case w.dumped:
		return skippedDump
	case w.late > tooLate:
		return skippedLate
	}
	return skippedBusy
}

// tooLate is how late a round may begin before questions beside the poll are left out: the
// sidecar's own machine has too much to do.
const tooLate = time.Second

// round asks, derives, hands over and judges, or leaves it at saying that the
// target is down still.
func (w *watcher) round(ctx context.Context, late time.Duration) {
	if !w.began && w.capture != nil {
		w.capture.resume(ctx, w.target, w.left, w.labels, w.sink)
	}
	w.began, w.late, w.dumped = true, late, false
	if w.rest.skip() {
		w.own.skipped(skippedBackOff, 1)
		w.hand(w.deriver.Down(time.Now()))
		return
	}
	start := time.Now()
	snapshot, err := w.client.Poll(ctx)
	if ctx.Err() != nil {
		return // our own end is no failure of the target
	}
	took := time.Since(start)
	w.polledAt(start, took, snapshot, err)
	w.polled.Store(true)
	if err != nil {
		w.down(err)
		w.report(false)
		return
	}
	w.up(snapshot)
	w.report(true)
	w.hand(w.deriver.Derive(snapshot))
	w.askTiers(ctx, snapshot, took)
	w.takeEvidence(ctx, snapshot)
	w.handKept()
	w.judge(ctx, snapshot)
}

// report tells how the first poll went where that has no line of its own.
func (w *watcher) report(up bool) {
	if w.muster != nil {
		w.muster.came(up)
		w.muster = nil
	}
}

// withdraw is report where there may have been no poll, and will be none.
func (w *watcher) withdraw() {
	if w.muster != nil {
		w.muster.gone()
		w.muster = nil
	}
}

// end marks the series of a target that is not watched any more.
func (w *watcher) end(now time.Time) {
	w.hand(series.Ended(w.deriver.Down(now)))
}

func (w *watcher) down(err error) {
	reason := jmx.Reason(err)
	w.rest.failed()
	if w.state != reason {
		w.log.Warn("target is down", "reason", reason, "error", err)
		w.state = reason
	}
	w.hand(w.deriver.Down(time.Now()))
}

func (w *watcher) up(s *jvm.Snapshot) {
	w.rest.succeeded()
	if w.state != "" && w.muster == nil {
		w.log.Info("target is up", "parts_missing", len(s.Missing))
	}
	w.state = ""
	w.noteMissing(s.Missing, &w.missing)
	if s.Runtime == nil {
		return
	}
	startMs, ok := s.Runtime.StartMs.Get()
	if ok && w.startMs != 0 && startMs != w.startMs {
		w.log.Info("target was restarted")
		w.own.restarted()
		w.trigger.Restarted()
		w.tiers = newTiers(w.tiers.details.interval)
		w.evidence.restarted()
	}
	if ok {
		w.startMs = startMs
	}
}

// noteMissing logs what cannot be read where its number has changed.
func (w *watcher) noteMissing(missing []jvm.Missing, before *int) {
	if len(missing) == *before {
		return
	}
	for _, m := range missing {
		w.log.Warn("part of the target cannot be read", "part", m.Part, "reason", m.Reason)
	}
	*before = len(missing)
}

// keep has samples of the deriver handed over together with others of this round: the
// sink takes its time, and that is not what a tier has cost the JVM.
func (w *watcher) keep(samples []series.Sample) {
	if len(w.kept) == 0 {
		w.kept = samples
		return
	}
	w.kept = append(w.kept, samples...)
	w.memory.Free(samples)
}

// handKept hands over what was kept.
func (w *watcher) handKept() {
	kept := w.kept
	w.kept = nil
	w.hand(kept)
}

// hand gives samples of the deriver to the sink; they are nobody's afterwards.
func (w *watcher) hand(samples []series.Sample) {
	n := len(samples)
	if n == 0 {
		return
	}
	err := w.sink.Append(samples)
	w.own.handed(n, err != nil)
	if err != nil { // the sink says so louder, once for all targets
		w.log.Debug("samples are lost", "error", err)
	}
}

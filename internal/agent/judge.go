package agent

import (
	"context"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// judge takes a heap dump if the trigger says so. The dump holds up the target's
// polls, which the JVM could not answer anyway; the analysis does not.
func (w *watcher) judge(ctx context.Context, s *jvm.Snapshot) {
	if w.capture == nil {
		return
	}
	reading, ok := readingOf(s)
	if !ok {
		return
	}
	reading.FreeBytes = w.capture.freeBytes()
	switch d := w.trigger.Observe(reading); d.Action {
	case ActionNone:
	case ActionNoSpace:
		w.own.captured("no_space")
		w.log.Warn("no heap dump", "reason", d.Reason)
	case ActionCapture:
		w.log.Info("taking a heap dump", "reason", d.Reason)
		w.dumped = true
		err := w.takeDump(ctx)
		switch {
		case err == nil:
			w.own.captured("ok")
		case ctx.Err() != nil: // our own end is no failure of the dump
			w.log.Info("stopping; the JVM may go on writing its heap dump, which the next run analyses")
		default:
			w.own.captured("failed")
			w.trigger.Failed()
			w.log.Error("no heap dump", "error", err, "retry", "after the cool-down")
		}
	}
}

// takeDump takes a heap dump and says at each interval that it is under way: the
// gap in the target's series is not to be taken for an outage.
func (w *watcher) takeDump(ctx context.Context) error {
	done := make(chan error, 1)
	go func() { done <- w.capture.Take(ctx, w.target, w.client, w.labels, w.sink) }()
	ticker := time.NewTicker(w.interval)
	defer ticker.Stop()
	for {
		w.hand(w.deriver.Dumping(time.Now()))
		select {
		case err := <-done:
			return err
		case <-ticker.C:
		}
	}
}

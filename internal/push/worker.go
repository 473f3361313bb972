package push

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// drainTimeout is how long a worker goes on after its context ended.
	drainTimeout = 2 * time.Second
	// tickInterval is how often it is looked whether acknowledgements are due.
	tickInterval = time.Second
	// retryMin doubles up to retryMax.
	retryMin = time.Second
	retryMax = time.Minute
	// maxReplays bounds replays in a row without progress: a receiver that closes
	// each connection would cause them for ever.
	maxReplays = 5
)

// worker brings the records of one queue to one destination.
type worker struct {
	queue   *queue
	dest    Destination
	log     *slog.Logger
	metrics *destinationMetrics
	refused *deadLetters
	packing *packing

	// raw and frame are memory for batches.
	raw, frame []byte
	// confirmed is when the receiver was last seen to be the one that accepted
	// what waits for its acknowledgement: the start of a delivery that went well.
	confirmed time.Time
	// awake is when the process was last seen to run.
	awake time.Time
	// replays counts those since the last acknowledgement.
	replays int
	// single is the range of offsets in which batches are of one record, to find the
	// one that was rejected.
	single struct{ from, until uint64 }
	// unsure is the offset before which the receiver may have what it did not confirm:
	// its answer was lost, or the process that would have heard it was killed.
	unsure uint64
	// anyOrder says that the receiver takes old samples after newer ones.
	anyOrder bool
	// trouble is nil while deliveries go well, losing while the queue takes samples.
	trouble, losing atomic.Pointer[trouble]
	// sayLost is when the log was told of the latter.
	sayLost seldom
	// dropped counts the samples rejected since one was accepted: a receiver that
	// takes none is logged once.
	dropped int

	// stop ends it, and ended is closed when it has; nil before it was started. The
	// Pusher guards them.
	stop  context.CancelFunc
	ended chan struct{}
}

// run delivers until ctx ends and the queue is empty, a delivery fails, or
// drainTimeout is over.
func (w *worker) run(ctx context.Context) error {
	sendCtx, cancel := withGrace(ctx, drainTimeout)
	defer cancel()
	tick := time.NewTicker(tickInterval)
	defer tick.Stop()
	retry := newBackOff()
	failures := 0
	asked := false // with nothing to send, since the last tick
	for {
		w.wake(time.Now())
		w.acknowledge()
		b, err := w.nextBatch()
		if err == nil && len(b.records) == 0 && (ctx.Err() != nil || asked || !w.queue.due(time.Now())) {
			asked = false
			select {
			case <-ctx.Done():
				return nil
			case <-w.queue.more:
			case <-tick.C:
			}
			continue
		}
		var pause time.Duration
		if err == nil {
			pause, err = w.deliver(sendCtx, b)
			w.awake = time.Now()
		}
		if errors.Is(err, errApart) {
			continue
		}
		if err == nil {
			if failures > 0 {
				w.log.Info("delivery works again", slog.Int("failed_attempts", failures))
			}
			failures, asked = 0, len(b.records) == 0
			w.trouble.Store(nil)
			retry.Reset()
			continue
		}
		if sendCtx.Err() != nil {
			return nil
		}
		failures++
		if w.failed(err) {
			w.log.Warn("delivery failed, samples are kept and sent again", slog.Any("error", err))
		}
		w.metrics.retries.Inc()
		if !wait(ctx, max(pause, retry.NextBackOff())) {
			return nil
		}
		w.awake = time.Now()
	}
}

// withGrace returns a context that ends d after ctx does.
func withGrace(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-out.Done():
		}
	})
	return out, func() { stop(); cancel() }
}

// newBackOff grows from retryMin to retryMax with jitter, without an end.
func newBackOff() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval = retryMin
	b.MaxInterval = retryMax
	b.Multiplier = 2
	b.RandomizationFactor = 0.25
	b.Reset()
	return b
}

// wait pauses before the next attempt; false when ctx ended.
func wait(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// acknowledge lets go what the receiver has on disk by now. That a window has
// passed is not enough: the receiver may have been restarted within it. It must
// have been seen alive, on an unbroken connection, after the window.
func (w *worker) acknowledge() {
	if w.queue.ackDue(w.confirmed) {
		w.replays = 0
	}
}

// deliver sends one batch and notes the outcome in the queue. An empty one only
// asks whether the receiver is still the same. An error means that it is to be
// tried again after a pause of at least the returned one.
func (w *worker) deliver(ctx context.Context, b pending) (time.Duration, error) {
	if b.Samples == 0 && len(b.records) > 0 { // nothing in it could be decoded
		w.settle(b, 0)
		return 0, nil
	}
	began := time.Now()
	receipt, err := w.dest.Deliver(ctx, b.Batch)
	w.metrics.duration.UpdateDuration(began)
	w.metrics.requests(receipt.Code).Inc()
	rejected := errors.Is(err, ErrRejected)
	switch {
	case err != nil && !rejected:
		w.noteUnsure(b)
		w.takeBack(b, receipt.MayHaveRestarted)
		return receipt.RetryAfter, fmt.Errorf("%s: %w", receipt.Code, err)
	case receipt.Lost && w.replay():
		return 0, nil
	case receipt.MayHaveRestarted && w.replays < maxReplays && w.replay():
		// This batch goes out again as well, after the ones before it.
		w.replays++
		return 0, nil
	}
	w.confirmed = began
	if !receipt.HeldAt.IsZero() {
		w.confirmed = receipt.HeldAt
	}
	if rejected {
		return w.reject(ctx, b, err)
	}
	w.anyOrder = receipt.AnyOrder
	if w.dropped > 0 && b.Samples > 0 {
		w.log.Info("samples are accepted again", slog.Int("samples_dropped", w.dropped))
		w.dropped = 0
	}
	w.metrics.samples.Add(b.Samples)
	w.settle(b, receipt.Window)
	return 0, nil
}

// noteUnsure notes that the receiver may have a batch that it did not confirm.
func (w *worker) noteUnsure(b pending) {
	for _, r := range b.records {
		w.unsure = max(w.unsure, r.end)
	}
}

// takeBack makes a batch go out again, and with a receiver that may have restarted what it
// accepted before as well.
func (w *worker) takeBack(b pending, mayHaveRestarted bool) {
	again := mayHaveRestarted && w.replay()
	if !again && len(b.records) > 0 {
		w.queue.stepBack(b.start, b.fresh)
	}
}

// replay makes everything go out again that was handed out and not acknowledged, if the
// receiver accepted some of it, which it may have lost. It is false, and all stays as it
// is, where there is nothing of that kind.
func (w *worker) replay() bool {
	if !w.queue.awaited() {
		return false
	}
	w.queue.rewind()
	w.metrics.replays.Inc()
	w.log.Debug("receiver may have restarted, its last window is sent again")
	return true
}

// settle notes that the records of b are with the receiver.
func (w *worker) settle(b pending, window time.Duration) {
	ackAt := w.confirmed
	if window > 0 {
		ackAt = time.Now().Add(window)
	}
	for i := range b.records {
		b.records[i].ackAt = ackAt
	}
	w.queue.delivered(b.records, b.fresh)
}

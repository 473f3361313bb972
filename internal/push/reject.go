package push

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// reject deals with a batch that the receiver refused for good. Of several records
// each is tried alone; a single one becomes a dead letter, if the receiver takes
// requests at all: what answers the same to an empty one is no receiver, but a
// wrong address or something in between, and that an operator can cure. The
// results are those of deliver.
func (w *worker) reject(ctx context.Context, b pending, cause error) (time.Duration, error) {
	if len(b.records) == 0 {
		return 0, nil
	}
	if len(b.records) > 1 {
		w.single.from, w.single.until = b.start, b.records[len(b.records)-1].end
		w.queue.stepBack(b.start, b.fresh)
		return 0, nil
	}
	receipt, err := w.dest.Deliver(ctx, Batch{})
	w.metrics.requests(receipt.Code).Inc()
	if err != nil {
		w.queue.stepBack(b.start, b.fresh)
		if errors.Is(err, ErrRejected) {
			err = fmt.Errorf("even a request without samples is refused; is the URL right? %w", err)
		}
		return min(receipt.RetryAfter, retryAfterMax), err
	}
	if w.dropped == 0 {
		w.log.Error("samples dropped until further notice, they are kept as dead letters",
			slog.String("folder", w.refused.dir), slog.Any("error", cause))
	}
	if err := w.refused.put(b.WriteRequest, b.Samples, time.Now()); err != nil {
		w.log.Error("dead letter not written", slog.Any("error", err))
	}
	w.dropped += b.Samples
	w.metrics.rejected.Add(b.Samples)
	w.settle(b, 0)
	return 0, nil
}

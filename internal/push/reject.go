package push

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// errApart says that the records of a refused batch go out again one by one, at once: that
// is neither a success nor a failure of the receiver yet.
var errApart = errors.New("refused together, to be tried one by one")

// siftedSamples is how many may become a dead letter together: those of one poll.
const siftedSamples = 100

// reject deals with a batch that the receiver refused for good. Of several records
// each is tried alone; of a single one the parts that the receiver does not take become
// dead letters, if it takes requests at all: what answers the same to an empty one is no
// receiver, but a wrong address or something in between, and that an operator can cure.
// The results are those of deliver.
func (w *worker) reject(ctx context.Context, b pending, cause error) (time.Duration, error) {
	if len(b.records) == 0 {
		return 0, nil
	}
	if len(b.records) > 1 {
		w.single.from, w.single.until = b.start, b.records[len(b.records)-1].end
		w.queue.stepBack(b.start, b.fresh)
		return 0, errApart
	}
	receipt, err := w.dest.Deliver(ctx, Batch{})
	w.metrics.requests(receipt.Code).Inc()
	if err != nil {
		w.takeBack(b, receipt.MayHaveRestarted)
		if errors.Is(err, ErrRejected) {
			err = fmt.Errorf("even a request without samples is refused; is the URL right? %w", err)
		}
		return receipt.RetryAfter, err
	}
	refused, restarted, err := w.sift(ctx, b.Batch)
	restarted = restarted || receipt.MayHaveRestarted
	switch {
	case err != nil:
		w.noteUnsure(b)
		w.takeBack(b, restarted)
		return 0, err
	case restarted && w.replays < maxReplays && w.replay():
		w.replays++
		return 0, nil
	}
	if w.has(b, cause) {
		w.log.Debug("the receiver has samples already that it did not confirm", slog.Int("samples", b.Samples))
		refused = nil
	}
	if w.dropped == 0 && len(refused) > 0 {
		w.log.Error("samples dropped until further notice, they are kept as dead letters",
			slog.String("folder", w.refused.dir), slog.Any("error", cause))
	}
	for _, letter := range refused {
		if err := w.refused.put(letter.Frame, letter.Samples, time.Now()); err != nil {
			w.log.Error("dead letter not written", slog.Any("error", err))
		}
		w.dropped += letter.Samples
		w.metrics.rejected.Add(letter.Samples)
		b.Samples -= letter.Samples
	}
	w.metrics.samples.Add(b.Samples)
	w.settle(b, receipt.Window)
	return 0, nil
}

// has tells whether the receiver refused a batch for having got it before: it may have,
// and it has newer samples of the same series, which were with them in the request that
// it did not confirm, as a receiver gets everything in its order.
func (w *worker) has(b pending, cause error) bool {
	return errors.Is(cause, ErrOutOfOrder) && b.records[len(b.records)-1].end <= w.unsure
}

// sift halves a batch that the receiver refused until what it refuses is small, and gives
// that; all else it has taken. It tells whether the receiver may have restarted meanwhile.
func (w *worker) sift(ctx context.Context, b Batch) (refused []Batch, restarted bool, err error) {
	if b.Samples <= siftedSamples {
		return []Batch{b}, false, nil
	}
	raw, err := b.WriteRequest(nil)
	if err != nil {
		return []Batch{b}, false, nil //nolint:nilerr // what cannot be unpacked cannot be halved
	}
	left := b.Samples / 2
	at := firstSeries(raw, left)
	for _, half := range []Batch{
		{w.packing.pack(nil, raw[:at]), left, w.packing},
		{w.packing.pack(nil, raw[at:]), b.Samples - left, w.packing},
	} {
		receipt, err := w.dest.Deliver(ctx, half)
		w.metrics.requests(receipt.Code).Inc()
		restarted = restarted || receipt.MayHaveRestarted
		if errors.Is(err, ErrRejected) {
			var more []Batch
			var again bool
			more, again, err = w.sift(ctx, half)
			refused, restarted = append(refused, more...), restarted || again
		}
		if err != nil {
			return nil, restarted, err
		}
	}
	return refused, restarted, nil
}

// firstSeries is the length of the first n TimeSeries of a WriteRequest.
func firstSeries(raw []byte, n int) int {
	rest := raw
	for range n {
		_, rest, _ = field(rest, tagTimeSeries)
	}
	return len(raw) - len(rest)
}

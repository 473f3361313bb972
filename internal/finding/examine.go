package finding

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// Examine looks into what takes longest of all that a report and its verdicts rest on, half of it
// beside the other half: the Finalizers and the ways to what they refer to; schedulers, what
// their cancelled tasks keep, and where much comes together. classRetained is what the reachable
// instances of a class retain together, by ClassID; nil where that was not summed up. To be called
// once, before Census, Kept, Schedulers and Detect. Errors: that of ctx; no memory.
func (h *Heap) Examine(ctx context.Context, classRetained []uint64) error {
	h.classRetained = classRetained
	atOnce, ctx := errgroup.WithContext(ctx)
	atOnce.Go(func() (err error) {
		if err = h.measureKept(ctx); err == nil {
			h.census, err = h.takeCensus(ctx)
		}
		return err
	})
	atOnce.Go(func() (err error) {
		if h.schedulers, err = h.readSchedulers(ctx); err != nil {
			return err
		}
		if h.losses, err = h.readLosses(ctx); err != nil {
			return err
		}
		h.accumulated, err = h.accumulate(ctx)
		return err
	})
	return atOnce.Wait()
}

package dom

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/apm-sidecar/apm-sidecar/internal/cores"
)

// stretch is how many nodes a worker takes at once, a multiple of 64.
const stretch = 1 << 14

// stretches hands out the numbers below n, a stretch at a time, to any number of workers.
type stretches struct {
	n    int
	next atomic.Int64
}

// run has work done on stretches, to not included, until there is none left or it fails.
func (s *stretches) run(ctx context.Context, work func(from, to int) error) error {
	for {
		from := int(s.next.Add(stretch) - stretch)
		if from >= s.n {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := work(from, min(from+stretch, s.n)); err != nil {
			return err
		}
	}
}

// each runs work on stretches of the numbers below n, to not included, on all cores.
func each(ctx context.Context, n int, work func(from, to int) error) error {
	s := &stretches{n: n}
	g, ctx := errgroup.WithContext(ctx)
	for range cores.Workers() {
		g.Go(func() error { return s.run(ctx, work) })
	}
	return g.Wait()
}

// atOnce runs work on the numbers below n, as many at once as there are cores.
func atOnce(ctx context.Context, n int, work func(ctx context.Context, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(cores.Workers())
	for i := range n {
		g.Go(func() error { return work(ctx, i) })
	}
	return g.Wait()
}

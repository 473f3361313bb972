package main

import (
	"context"
	"log/slog"

	"github.com/apm-sidecar/apm-sidecar/internal/discover"
)

// finder is a discoverer at work.
type finder struct {
	*discover.Discoverer
	stop context.CancelFunc
	done chan struct{}
}

// newFinder begins discovery.
func newFinder(ctx context.Context, jobs []discover.Job, log *slog.Logger) (*finder, error) {
	d, err := discover.New(jobs, log)
	if err != nil {
		return nil, err
	}
	f := &finder{Discoverer: d, done: make(chan struct{})}
	own, stop := context.WithCancel(ctx)
	f.stop = stop
	go func() {
		defer close(f.done)
		// It ends with its context, without an error.
		_ = d.Run(own)
	}()
	return f, nil
}

func (f *finder) end() {
	f.stop()
	<-f.done
}

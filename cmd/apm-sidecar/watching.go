package main

import (
	"context"
	"errors"
	"io/fs"

	"golang.org/x/sync/errgroup"

	"github.com/apm-sidecar/apm-sidecar/internal/agent"
	"github.com/apm-sidecar/apm-sidecar/internal/config"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// watching are the parts that look at JVMs.
type watching struct {
	agent *agent.Agent
	spans *spanTraffic
	// reports is nil where no dumps are taken.
	reports fs.FS
	closers []func() error
}

// watchingSettings are those of a configuration that watching is made of.
func watchingSettings(c config.Config) config.Config {
	return config.Config{
		Interval: c.Interval, SlowInterval: c.SlowInterval, Naming: c.Naming, Evidence: c.Evidence, DataDir: c.DataDir,
		Capture: c.Capture, Transactions: c.Transactions, Databases: c.Databases,
	}
}

// openWatching opens them, without targets yet.
func openWatching(env environment, c config.Config, sink agent.Sink, memory *series.Memory) (_ *watching, err error) {
	w := &watching{}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	records, err := openRecords(env, c)
	if err != nil {
		return nil, err
	}
	w.closers = append(w.closers, records.Close)
	databases, closeDatabases, err := openDatabases(env, c)
	w.closers = append(w.closers, closeDatabases)
	if err != nil {
		return nil, usageError{err}
	}
	var closeReports func() error
	if w.reports, closeReports, err = openReports(c.Capture); err != nil {
		return nil, err
	}
	w.closers = append(w.closers, closeReports)
	if w.spans, err = newSpanTraffic(env, c.Transactions); err != nil {
		return nil, err
	}
	w.agent, err = newAgent(env, c, sink, memory, tracing(c.Transactions, records, databases, w.spans.options))
	return w, err
}

// Run watches until ctx ends. The agent's last records may go out as spans.
func (w *watching) Run(ctx context.Context) error {
	carryCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	carriers, carryCtx := errgroup.WithContext(carryCtx)
	carriers.Go(func() error { return w.spans.Run(carryCtx) })
	own, end := context.WithCancel(ctx)
	defer end()
	defer context.AfterFunc(carryCtx, end)() // spans failed
	err := w.agent.Run(own)
	stop()
	return errors.Join(err, carriers.Wait())
}

// Close closes what was opened, the last first.
func (w *watching) Close() error {
	var errs []error
	for i := len(w.closers) - 1; i >= 0; i-- {
		errs = append(errs, w.closers[i]())
	}
	return errors.Join(errs...)
}

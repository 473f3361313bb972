package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/apm-sidecar/apm-sidecar/internal/agent"
	"github.com/apm-sidecar/apm-sidecar/internal/config"
	"github.com/apm-sidecar/apm-sidecar/internal/host"
	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/push"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
	"github.com/apm-sidecar/apm-sidecar/internal/web"
)

// serve builds the parts back to front, runs them until ctx ends or one fails,
// and stops them front to back: first whatever makes samples, then whatever
// carries and shows them, at last the store.
func serve(ctx context.Context, env environment, s *settings, c config.Config) (err error) {
	log := env.logger()
	dest, err := openDestinations(env, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dest.close()) }()

	pusher, err := push.Open(push.Options{
		Dir:          filepath.Join(c.DataDir, "queue"),
		Destinations: dest.list,
		MaxBytes:     int64(c.Store.Queue),
		MinFreeBytes: int64(c.Store.MinFreeDisk) / 2, // the store stops before the queue does
		Logger:       log,
	})
	if err != nil {
		return dataDirError(c, err)
	}
	defer func() { err = errors.Join(err, pusher.Close()) }()

	records, err := openRecords(env, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, records.Close()) }()

	databases, closeDatabases, err := openDatabases(env, c)
	if err != nil {
		return usageError{err}
	}
	defer func() { err = errors.Join(err, closeDatabases()) }()

	spans, err := newSpanTraffic(env, c.Transactions)
	if err != nil {
		return err
	}

	watch, err := newAgent(env, c, pusher, tracing(c.Transactions, records, databases, spans.options))
	if err != nil {
		return err
	}

	steer := newSteering(env, s, c, watch)

	reports, closeReports, err := openReports(c.Capture)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeReports()) }()

	alerts, err := newAlerting(env, c, dest)
	if err != nil {
		return err
	}

	whole := func(w io.Writer) { // what is not about a single target
		// A failed write is the scraper's own doing.
		_, _ = fmt.Fprintf(w, "apm_sidecar_build_info{version=%q} 1\n", version())
		steer.WriteMetrics(w)
		pusher.WriteMetrics(w)
		alerts.WriteMetrics(w)
		spans.WriteMetrics(w)
	}
	metrics := func(w io.Writer) {
		whole(w)
		watch.WriteMetrics(w)
	}
	server, err := newServer(env, c, web.Options{
		Store:        dest.handler,
		Reports:      reports,
		Metrics:      metrics,
		Alerts:       alerts.pages(),
		Targets:      func() []web.Target { return rows(watch.Targets()) },
		Reload:       func() error { return steer.Reload(ctx) },
		Ready:        watch.Ready,
		Evidence:     watch.Evidence,
		Transactions: transactions(watch),
	})
	if err != nil {
		return err
	}

	// The carriers outlive the agent: they see its last samples.
	carryCtx, stopCarriers := context.WithCancel(context.WithoutCancel(ctx))
	defer stopCarriers()
	carriers, carryCtx := errgroup.WithContext(carryCtx)
	carriers.Go(func() error { return pusher.Run(carryCtx) })
	carriers.Go(func() error { return server.Run(carryCtx) })
	carriers.Go(func() error { return alerts.Run(carryCtx) })
	carriers.Go(func() error { return spans.Run(carryCtx) })
	carriers.Go(func() error {
		recordSelf(carryCtx, dest.store, time.Duration(c.Interval), server.Addr(), whole)
		return nil
	})

	agentCtx, stopAgent := context.WithCancel(ctx)
	defer stopAgent()
	defer context.AfterFunc(carryCtx, stopAgent)() // a carrier failed
	steered := make(chan error, 1)
	go func() {
		defer stopAgent()
		steered <- steer.Run(agentCtx)
	}()
	err = errors.Join(watch.Run(agentCtx), <-steered)
	if ctx.Err() != nil {
		log.Info("stopping")
	}
	stopCarriers()
	return errors.Join(err, carriers.Wait())
}

// newAgent builds the agent, without targets yet.
func newAgent(env environment, c config.Config, sink agent.Sink, follow *agent.TracingOptions) (*agent.Agent, error) {
	capture, err := newCapture(env, c.Capture)
	if err != nil {
		return nil, err
	}
	naming, err := series.ParseNaming(c.Naming)
	if err != nil {
		return nil, usageError{err}
	}
	buffers := jmx.NewBuffers()
	opts := agent.Options{
		Connect: func(t jvm.Target) agent.Watched {
			if t.TLS.InsecureSkipVerify {
				env.logger().Warn("whoever answers in the target's place gets its credentials: its certificate is not checked (insecure_skip_verify)", "target", t.Name())
			}
			client := jmx.New(t, jmx.Options{Timeout: t.Timeout, Buffers: buffers})
			return agent.Watched{Target: t, Client: client, Requests: client, Close: client.Close}
		},
		Interval:     time.Duration(c.Interval),
		SlowInterval: time.Duration(c.SlowInterval),
		Naming:       naming,
		Host:         host.Local(),
		Evidence:     agent.EvidenceOptions{Directory: filepath.Join(c.DataDir, "evidence"), MaxPause: time.Duration(c.Evidence.MaxPause)},
		Sink:         sink,
		Capture:      capture,
		Trigger: agent.TriggerOptions{
			OldAfterGCRatio: c.Capture.OldAfterGCRatio,
			CoolDown:        time.Duration(c.Capture.CoolDown),
		},
		Tracing: follow,
		Logger:  env.logger(),
	}
	return agent.New(opts), nil
}

// newCapture is nil where heap dumps are not wanted.
func newCapture(env environment, c config.Capture) (*agent.Capture, error) {
	if !c.Enabled() {
		return nil, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program, to run it again for the analysis: %w", err)
	}
	return agent.NewCapture(agent.CaptureOptions{
		Directory:        c.Directory,
		JVMDirectory:     c.JVMDirectory,
		Live:             c.Live,
		KeepDumps:        c.KeepDumps,
		Analyser:         []string{self, analyzeCommand},
		MemoryLimitBytes: agent.AnalysisMemoryBytes(),
		Stdout:           env.stdout,
		Logger:           env.logger(),
	})
}

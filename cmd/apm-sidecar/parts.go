package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/apm-sidecar/apm-sidecar/internal/agent"
	"github.com/apm-sidecar/apm-sidecar/internal/config"
	"github.com/apm-sidecar/apm-sidecar/internal/push"
	"github.com/apm-sidecar/apm-sidecar/internal/web"
)

// parts are what a sidecar at work consists of.
type parts struct {
	env     environment
	pusher  *push.Pusher
	spans   *spanTraffic
	watch   *agent.Agent
	steer   *steering
	reports fs.FS
	alerts  *alerting
	server  *web.Server
	// dest are the destinations of the moment; only apply changes them.
	dest atomic.Pointer[destinations]
}

// run runs the parts until ctx ends or one fails. The carriers outlive the agent: they
// see its last samples.
func (p *parts) run(ctx context.Context) error {
	carryCtx, stopCarriers := context.WithCancel(context.WithoutCancel(ctx))
	defer stopCarriers()
	carriers, carryCtx := errgroup.WithContext(carryCtx)
	carriers.Go(func() error { return p.pusher.Run(carryCtx) })
	carriers.Go(func() error { return p.server.Run(carryCtx) })
	carriers.Go(func() error { return p.alerts.Run(carryCtx) })
	carriers.Go(func() error { return p.spans.Run(carryCtx) })
	carriers.Go(func() error { return p.recordSelf(carryCtx) })

	agentCtx, stopAgent := context.WithCancel(ctx)
	defer stopAgent()
	defer context.AfterFunc(carryCtx, stopAgent)() // a carrier failed
	steered := make(chan error, 1)
	go func() {
		defer stopAgent()
		steered <- p.steer.Run(agentCtx)
	}()
	err := errors.Join(p.watch.Run(agentCtx), <-steered)
	if ctx.Err() != nil {
		p.env.logger().Info("stopping")
	}
	stopCarriers()
	return errors.Join(err, carriers.Wait())
}

// apply has the receivers, the pages and the rules follow a new configuration, from the
// old one. What may well be refused comes first; on an error all stays as it was.
func (p *parts) apply(ctx context.Context, old, next config.Config) error {
	if err := checkAlerting(next); err != nil {
		return err
	}
	before := p.dest.Load()
	dest, err := openDestinations(p.env, next, before)
	if err != nil {
		return err
	}
	undo := func(err error) error {
		return errors.Join(err, p.server.Update(pageOptions(p.env, old, p.show(old, before))), p.pusher.Follow(before.list), dest.close(before))
	}
	if err := p.server.Update(pageOptions(p.env, next, p.show(next, dest))); err != nil {
		return undo(err)
	}
	if err := p.pusher.Follow(dest.list); err != nil {
		return undo(err)
	}
	if err := p.alerts.follow(ctx, next, dest.store); err != nil {
		return undo(err)
	}
	p.dest.Store(dest)
	return before.close(dest)
}

// show is what the pages show under a configuration and its destinations.
func (p *parts) show(c config.Config, dest *destinations) web.Options {
	return web.Options{
		Store:         dest.handler(),
		Reports:       p.reports,
		Metrics:       func(w io.Writer) { p.writeMetrics(w); p.watch.WriteMetrics(w) },
		Alerts:        p.alerts.pages(c),
		Targets:       func() []web.Target { return rows(p.watch.Targets()) },
		Reload:        p.steer.Reload,
		Configuration: p.steer.notes,
		Ready:         p.watch.Ready,
		Evidence:      p.watch.Evidence,
		Transactions:  transactions(p.watch),
	}
}

// writeMetrics writes the self metrics that are not about a single target.
func (p *parts) writeMetrics(w io.Writer) {
	// A failed write is the scraper's own doing.
	_, _ = fmt.Fprintf(w, "apm_sidecar_build_info{version=%q} 1\n", version())
	p.steer.WriteMetrics(w)
	p.pusher.WriteMetrics(w)
	p.alerts.WriteMetrics(w)
	p.spans.WriteMetrics(w)
}

// recordSelf keeps these in the embedded store while there is one.
func (p *parts) recordSelf(ctx context.Context) error {
	every := time.Duration(p.steer.config().Interval)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			if s := p.dest.Load().store; s != nil {
				writeSelf(s, p.server.Addr(), p.writeMetrics, now)
			}
			if is := time.Duration(p.steer.config().Interval); is != every {
				every = is
				tick.Reset(every)
			}
		}
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/apm-sidecar/apm-sidecar/internal/alert"
	"github.com/apm-sidecar/apm-sidecar/internal/config"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/push"
	"github.com/apm-sidecar/apm-sidecar/internal/web"
)

// parts are what a sidecar at work consists of.
type parts struct {
	env    environment
	pusher *push.Pusher
	watch  *succession[config.Config, *watching]
	steer  *steering
	alerts *alerting
	server *web.Server
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
	carriers.Go(func() error { return p.recordSelf(carryCtx) })

	agentCtx, stopAgent := context.WithCancel(ctx)
	defer stopAgent()
	defer context.AfterFunc(carryCtx, stopAgent)() // a carrier failed
	steered := make(chan error, 1)
	go func() {
		defer stopAgent()
		steered <- p.steer.Run(agentCtx)
	}()
	err := p.watch.Run(agentCtx)
	stopAgent()
	err = errors.Join(err, <-steered)
	if ctx.Err() != nil {
		p.env.logger().Info("stopping")
	}
	stopCarriers()
	return errors.Join(err, carriers.Wait())
}

// watching are the parts of the moment that look at JVMs.
func (p *parts) watching() *watching { return *p.watch.now.Load() }

// engine evaluates the rules of the moment.
func (p *parts) engine() *alert.Engine { return p.alerts.now.Load().engine }

// apply has everything but the targets follow a new configuration, from the old one; on
// an error all stays as it was.
func (p *parts) apply(ctx context.Context, old, next config.Config) error {
	if err := checkAlerting(next); err != nil {
		return err
	}
	before := p.dest.Load()
	dest, err := openDestinations(p.env, next, before)
	if err != nil {
		return err
	}
	if err := p.turn(ctx, old, next, before, dest); err != nil {
		return errors.Join(err, p.turn(ctx, next, old, dest, before), dest.close(before))
	}
	p.dest.Store(dest)
	return before.close(dest)
}

// turn goes from one configuration with its destinations to another. What goes on without
// a change is not disturbed.
func (p *parts) turn(ctx context.Context, old, next config.Config, before, dest *destinations) error {
	if err := p.pusher.Follow(dest.list); err != nil {
		return err
	}
	if err := p.watch.follow(ctx, watchingSettings(old), watchingSettings(next)); err != nil {
		return err
	}
	bound := p.server.Addr()
	if err := p.alerts.follow(ctx, alertingSettingsOf(old, before.store, bound), alertingSettingsOf(next, dest.store, bound)); err != nil {
		return err
	}
	return p.server.Update(pageOptions(p.env, next, p.show(next, dest)))
}

// show is what the pages show under a configuration and its destinations.
func (p *parts) show(c config.Config, dest *destinations) web.Options {
	return web.Options{
		Store:        dest.handler(),
		Reports:      p.watching().reports,
		Metrics:      func(w io.Writer) { p.writeMetrics(w); p.watching().agent.WriteMetrics(w) },
		Alerts:       alertPages(p.engine, c),
		Targets:      func() []web.Target { return rows(p.watching().agent.Targets()) },
		Reload:       p.steer.Reload,
		Notes:        func() []string { return append(p.steer.notes(), p.pusher.Troubles()...) },
		Ready:        func() error { return p.watching().agent.Ready() },
		Evidence:     func() map[string][]jvm.Evidence { return p.watching().agent.Evidence() },
		Transactions: transactions(p.watching().agent),
	}
}

// writeMetrics writes the self metrics that are not about a single target.
func (p *parts) writeMetrics(w io.Writer) {
	// A failed write is the scraper's own doing.
	_, _ = fmt.Fprintf(w, "apm_sidecar_build_info{version=%q} 1\n", version())
	p.steer.WriteMetrics(w)
	p.pusher.WriteMetrics(w)
	if s := p.dest.Load().store; s != nil {
		s.WriteMetrics(w)
	}
	p.alerts.now.Load().WriteMetrics(w)
	p.watching().spans.WriteMetrics(w)
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

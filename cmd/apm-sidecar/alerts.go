package main

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/alert"
	"github.com/apm-sidecar/apm-sidecar/internal/config"
	"github.com/apm-sidecar/apm-sidecar/internal/store"
)

// alerting is the engine of the rules, or none.
type alerting struct {
	env environment
	// asked takes requests to work by other settings.
	asked chan alertingRequest
	// engine points to nil where no rules are evaluated.
	engine atomic.Pointer[alert.Engine]
	// settings are those of the engine; Run's alone.
	settings alertingSettings
}

// alertingSettings are what the engine is made of.
type alertingSettings struct {
	config config.Config
	store  *store.Store
}

type alertingRequest struct {
	settings alertingSettings
	answer   chan error
}

// newAlerting reads the rules where there is a store to ask.
func newAlerting(env environment, c config.Config, s *store.Store) (*alerting, error) {
	a := &alerting{env: env, asked: make(chan alertingRequest)}
	return a, a.open(alertingSettings{c, s})
}

// open makes the engine; the one before must have ended.
func (a *alerting) open(s alertingSettings) error {
	c := s.config
	if !c.Alerts() {
		a.engine.Store(nil)
		a.settings = s
		return nil
	}
	receivers, err := receiversOf(c.Alerting)
	if err != nil {
		return err
	}
	external := c.Alerting.ExternalURL
	if external == "" {
		external = pageURL(scheme(c.Web), c.Listen)
	}
	engine, err := alert.New(alert.Options{
		Dir:         filepath.Join(c.DataDir, "alerts"),
		Query:       s.store.Handler(),
		Sink:        s.store,
		OwnRules:    c.Alerting.BuiltinRules,
		Rules:       c.Alerting.Rules,
		Interval:    time.Duration(c.Alerting.Interval),
		ExternalURL: strings.TrimSuffix(external, "/"),
		Policy: alert.Policy{
			GroupBy: c.Alerting.GroupBy, Wait: time.Duration(c.Alerting.GroupWait),
			Interval: time.Duration(c.Alerting.GroupInterval), Repeat: time.Duration(c.Alerting.RepeatInterval),
		},
		Receivers: receivers,
		Logger:    a.env.logger(),
	})
	if err != nil {
		return err
	}
	a.engine.Store(engine)
	a.settings = s
	return nil
}

// Run evaluates the rules until ctx ends.
func (a *alerting) Run(ctx context.Context) error {
	for {
		own, stop := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { ended <- a.evaluate(own) }()
		select {
		case err := <-ended:
			stop()
			return err
		case r := <-a.asked:
			a.engine.Store(nil) // what people say to it now would be forgotten
			stop()
			err := <-ended
			if err == nil {
				err = a.open(r.settings)
			}
			if err != nil {
				err = errors.Join(err, a.open(a.settings))
			}
			r.answer <- err
		}
	}
}

// evaluate runs the engine of the moment until ctx ends.
func (a *alerting) evaluate(ctx context.Context) error {
	if engine := a.engine.Load(); engine != nil {
		return engine.Run(ctx)
	}
	<-ctx.Done()
	return nil
}

// follow has the rules evaluated by the settings of c. Run must be at work.
func (a *alerting) follow(ctx context.Context, c config.Config, s *store.Store) error {
	r := alertingRequest{alertingSettings{c, s}, make(chan error, 1)}
	select {
	case a.asked <- r:
		return <-r.answer
	case <-ctx.Done():
		return ctx.Err()
	}
}

// receiversOf makes the clients of those who are told.
func receiversOf(c config.Alerting) ([]alert.Receiver, error) {
	var out []alert.Receiver
	for i, n := range c.Notifiers {
		client, err := authOf(config.RemoteWrite{
			BasicAuth: n.BasicAuth, BearerTokenFile: n.BearerTokenFile, TLS: n.TLS, Headers: n.Headers,
		}).Client()
		if err != nil {
			return nil, usagef("alerting.notifiers[%d]: %w", i, err)
		}
		out = append(out, alert.Receiver{
			Kind: alert.Kind(n.Type), Name: n.Label(), URL: n.URL, URLFile: n.URLFile, Client: client, Timeout: time.Duration(n.Timeout),
		})
	}
	return out, nil
}

// WriteMetrics writes the self metrics in Prometheus' text form.
func (a *alerting) WriteMetrics(w io.Writer) {
	if engine := a.engine.Load(); engine != nil {
		engine.WriteMetrics(w)
	}
}

// checkAlerting says what stands against the rules.
func checkAlerting(c config.Config) error {
	if !c.Alerts() {
		return nil
	}
	if _, err := alert.Check(c.Alerting.BuiltinRules, c.Alerting.Rules); err != nil {
		return usageError{err}
	}
	return nil
}

// scheme is that of the sidecar's pages.
func scheme(c config.Web) string {
	if c.CertFile != "" {
		return "https"
	}
	return "http"
}

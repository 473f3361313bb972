package main

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/alert"
	"github.com/apm-sidecar/apm-sidecar/internal/config"
	"github.com/apm-sidecar/apm-sidecar/internal/store"
)

// rules is the engine, or none.
type rules struct {
	engine *alert.Engine
}

// alerting are the rules as the configuration has them one time and another.
type alerting = succession[alertingSettings, rules]

// alertingSettings are what the rules are evaluated by. Without a store they are not.
type alertingSettings struct {
	config.Alerting
	store *store.Store
	// bound is the address of the pages: the sidecar's own metrics are known by it.
	bound string
	// dir is the folder of what outlives the process.
	dir string
}

// alertingSettingsOf are those of a configuration whose pages are bound to an address.
func alertingSettingsOf(c config.Config, s *store.Store, bound string) alertingSettings {
	out := alertingSettings{Alerting: c.Alerting, store: s, bound: bound, dir: filepath.Join(c.DataDir, "alerts")}
	if out.ExternalURL == "" {
		out.ExternalURL = pageURL(scheme(c.Web), withPortOf(bound, c.Listen))
	}
	return out
}

// openRules reads the rules where they are wanted and there is a store to ask.
func openRules(env environment, s alertingSettings) (rules, error) {
	if !s.Enabled || s.store == nil {
		return rules{}, nil
	}
	receivers, err := receiversOf(s.Alerting)
	if err != nil {
		return rules{}, err
	}
	engine, err := alert.New(alert.Options{
		Dir:         s.dir,
		Query:       s.store.Handler(),
		Sink:        s.store,
		OwnRules:    s.BuiltinRules,
		Rules:       s.Rules,
		Interval:    time.Duration(s.Interval),
		Instance:    s.bound,
		ExternalURL: strings.TrimSuffix(s.ExternalURL, "/"),
		Policy: alert.Policy{
			GroupBy: s.GroupBy, Wait: time.Duration(s.GroupWait),
			Interval: time.Duration(s.GroupInterval), Repeat: time.Duration(s.RepeatInterval),
		},
		Receivers: receivers,
		Logger:    env.logger(),
	})
	return rules{engine}, err
}

// Run evaluates the rules until ctx ends.
func (r rules) Run(ctx context.Context) error {
	if r.engine != nil {
		return r.engine.Run(ctx)
	}
	<-ctx.Done()
	return nil
}

// Close has nothing to do: the engine's end was its Run's.
func (rules) Close() error { return nil }

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
func (r rules) WriteMetrics(w io.Writer) {
	if r.engine != nil {
		r.engine.WriteMetrics(w)
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

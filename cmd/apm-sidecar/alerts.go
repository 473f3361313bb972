package main

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/alert"
	"github.com/apm-sidecar/apm-sidecar/internal/config"
	"github.com/apm-sidecar/apm-sidecar/internal/web"
)

// alerting is the engine of the rules, or none.
type alerting struct {
	engine *alert.Engine // nil where no rules are evaluated
}

// newAlerting reads the rules where there is a store to ask.
func newAlerting(env environment, c config.Config, dest *destinations) (alerting, error) {
	if !c.Alerts() {
		return alerting{}, nil
	}
	receivers, err := receiversOf(c.Alerting)
	if err != nil {
		return alerting{}, err
	}
	external := c.Alerting.ExternalURL
	if external == "" {
		external = pageURL(scheme(c.Web), c.Listen)
	}
	engine, err := alert.New(alert.Options{
		Dir:         filepath.Join(c.DataDir, "alerts"),
		Query:       dest.handler,
		Sink:        dest.store,
		OwnRules:    c.Alerting.BuiltinRules,
		Rules:       c.Alerting.Rules,
		Interval:    time.Duration(c.Alerting.Interval),
		ExternalURL: strings.TrimSuffix(external, "/"),
		Policy: alert.Policy{
			GroupBy: c.Alerting.GroupBy, Wait: time.Duration(c.Alerting.GroupWait),
			Interval: time.Duration(c.Alerting.GroupInterval), Repeat: time.Duration(c.Alerting.RepeatInterval),
		},
		Receivers: receivers,
		Logger:    env.logger(),
	})
	if err != nil {
		return alerting{}, err
	}
	return alerting{engine}, nil
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

// Run evaluates the rules until ctx ends.
func (a alerting) Run(ctx context.Context) error {
	if a.engine == nil {
		return nil
	}
	return a.engine.Run(ctx)
}

// WriteMetrics writes the self metrics in Prometheus' text form.
func (a alerting) WriteMetrics(w io.Writer) {
	if a.engine != nil {
		a.engine.WriteMetrics(w)
	}
}

// pages are the alerts as the pages show them, nil without an engine.
func (a alerting) pages() web.Alerts {
	if a.engine == nil {
		return nil
	}
	return a
}

// List implements web.Alerts.
func (a alerting) List() []web.Alert {
	var out []web.Alert
	for _, x := range a.engine.Alerts() {
		row := web.Alert{
			ID: x.ID, Name: x.Name(), Severity: x.Severity(), State: string(x.State), Summary: x.Summary(),
			Labels: x.Labels, Annotations: x.Annotations, Value: x.Value,
			Since: x.Since, FiredAt: x.FiredAt, CompletedAt: x.CompletedAt,
			RuleGroup: x.Source.Group, RuleFile: x.Source.File,
		}
		if k := x.Acknowledgement; k != nil {
			row.AcknowledgedBy, row.AcknowledgedAt, row.Comment = k.By, k.At, k.Comment
		}
		out = append(out, row)
	}
	return out
}

// Acknowledge implements web.Alerts.
func (a alerting) Acknowledge(id, by, comment string) error {
	return a.engine.Acknowledge(id, by, comment)
}

// Faults implements web.Alerts.
func (a alerting) Faults() []string { return a.engine.Faults() }

// Rules implements web.Alerts.
func (a alerting) Rules() int { return a.engine.Rules() }

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

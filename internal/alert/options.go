package alert

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// Options are the settings of an Engine.
type Options struct {
	// Dir is the folder of what outlives the process; it is created. Required.
	Dir string
	// Query answers Prometheus' API at /api/v1/query. Required.
	Query http.Handler
	// Sink takes what rules record, ALERTS among it. Required.
	Sink Sink
	// OwnRules are the rules of the product; Rules are more: files, folders, patterns.
	// All of them are read again when they change.
	OwnRules bool
	Rules    []string
	// Interval is that of groups that give none; zero means 30 s.
	Interval time.Duration
	// Instance is the label of the sidecar's own metrics.
	Instance string
	// ExternalURL is where people reach the sidecar's pages: links begin with it.
	ExternalURL string
	// Policy says what a webhook is told when; zero fields take their defaults.
	Policy Policy
	// Receivers are told of alerts. Their names differ.
	Receivers []Receiver
	// Logger gets faults; nil discards them.
	Logger *slog.Logger
}

// withDefaults fills the zero values in.
func (o Options) withDefaults() Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&o.Interval, 30*time.Second)
	def(&o.Policy.Wait, 30*time.Second)
	def(&o.Policy.Interval, 5*time.Minute)
	def(&o.Policy.Repeat, 4*time.Hour)
	if o.Policy.GroupBy == nil {
		o.Policy.GroupBy = []string{"job", "instance"}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Validate joins all faults.
func (o Options) Validate() error {
	var errs []error
	if o.Dir == "" {
		errs = append(errs, errors.New("alert: no folder"))
	}
	if o.Query == nil || o.Sink == nil {
		errs = append(errs, errors.New("alert: nothing to ask, or nothing to record to"))
	}
	seen := map[string]bool{}
	for _, r := range o.Receivers {
		if seen[r.Name] {
			errs = append(errs, fmt.Errorf("alert: two receivers are named %q", r.Name))
		}
		seen[r.Name] = true
		if r.Kind != Alertmanager && r.Kind != Webhook {
			errs = append(errs, fmt.Errorf("alert: receiver %q: unknown kind %q", r.Name, r.Kind))
		}
		if r.Client == nil {
			errs = append(errs, fmt.Errorf("alert: receiver %q has no client", r.Name))
		}
	}
	return errors.Join(errs...)
}

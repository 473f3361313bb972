package alert

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/VictoriaMetrics/VictoriaMetrics/app/vmalert/config"
	"github.com/VictoriaMetrics/VictoriaMetrics/app/vmalert/datasource"
	"github.com/VictoriaMetrics/VictoriaMetrics/app/vmalert/notifier"
	"github.com/VictoriaMetrics/VictoriaMetrics/app/vmalert/rule"
	"github.com/VictoriaMetrics/VictoriaMetrics/app/vmalert/templates"
	"github.com/VictoriaMetrics/VictoriaMetrics/lib/prompb"

	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// prepare sets what vmalert's packages keep in globals: the URL that templates begin
// links with, and that nothing is sent by them.
func prepare(externalURL string) error {
	u, err := url.Parse(externalURL)
	if err != nil {
		return fmt.Errorf("alert: external URL: %w", err)
	}
	if err := flag.Set("notifier.blackhole", "true"); err != nil {
		return fmt.Errorf("alert: %w", err)
	}
	if err := templates.Load(nil, *u); err != nil {
		return fmt.Errorf("alert: templates: %w", err)
	}
	templates.Reload() // those of an Engine before
	if err := notifier.Init(nil, externalURL); err != nil {
		return fmt.Errorf("alert: %w", err)
	}
	return nil
}

// Check reads rules as an Engine does, says how many there are, and joins their faults.
// An Engine may be at work.
func Check(own bool, paths []string) (rules int, err error) {
	if err := templates.Load(nil, url.URL{}); err != nil {
		return 0, fmt.Errorf("alert: templates: %w", err)
	}
	files, err := readRules(own, paths)
	if err != nil {
		return 0, err
	}
	parsed, err := parseRules(files)
	return len(parsed), err
}

// Sink takes what rules record; *store.Store is one.
type Sink interface {
	WriteOwn(samples []series.Sample) error
	// Blind tells whether samples of targets do not get in: that a rule finds nothing means
	// nothing then.
	Blind() bool
	// Full tells whether what rules record does not get in either, nor what the sidecar says of
	// itself.
	Full() bool
}

// errNotRecorded is of a rule that was evaluated all the same.
var errNotRecorded = errors.New("what it found cannot be recorded")

// evaluator evaluates one rule. It is for one goroutine.
type evaluator struct {
	group  *rule.Group // of this rule alone
	name   string
	source Source
	next   time.Time
	// began is true once the rule was evaluated without an error.
	began bool
	// keepUntil is until when alerts of before stay active that it does not find.
	keepUntil time.Time
}

// newEvaluator makes a rule ready; its first evaluation is an interval from now, as
// the first samples must be there.
func newEvaluator(g config.Group, query http.Handler, interval time.Duration, now time.Time) *evaluator {
	client := datasource.NewPrometheusClient("http://embedded", nil, false, &http.Client{Transport: inProcess{query}})
	e := &evaluator{
		group:  rule.NewGroup(g, client, interval, nil),
		name:   g.Rules[0].Name(),
		source: Source{File: g.File, Group: g.Name, Rule: fmt.Sprintf("%016x", g.Rules[0].ID)},
	}
	e.group.Init()
	e.next = now.Add(e.group.Interval)
	if alerting, ok := e.group.Rules[0].(*rule.AlertingRule); ok {
		e.keepUntil = now.Add(alerting.KeepFiringFor)
	}
	return e
}

// keeps tells whether an alert that the rule does not find stays active, as its
// keep_firing_for has it: vmalert does not know of those of before.
func (e *evaluator) keeps(a *Alert, now time.Time) bool { return a.firing() && now.Before(e.keepUntil) }

// close gives the group's metrics back. Its Close waits for the end of its Start, so
// it is started to end at once.
func (e *evaluator) close() {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	e.group.Start(ended, nil, nil)
	e.group.Close()
}

// isDue tells whether the time of the next evaluation has come. One that is further away
// than it ever was put was put by a clock that has been set back since.
func (e *evaluator) isDue(now time.Time) bool {
	return !now.Before(e.next) || e.next.Sub(now) > e.group.Interval
}

// clockSet has what is known of the rule's alerts be as old as before, the clock having been set by
// d: by vmalert's times a condition that holds for a minute would hold for an hour, or for less than
// nothing. When it is evaluated next isDue tells.
func (e *evaluator) clockSet(d time.Duration) {
	e.keepUntil = e.keepUntil.Add(d)
	alerting, ok := e.group.Rules[0].(*rule.AlertingRule)
	if !ok {
		return
	}
	for _, a := range alerting.GetAlerts() {
		for _, at := range []*time.Time{&a.ActiveAt, &a.Start, &a.KeepFiringSince, &a.ResolvedAt} {
			if !at.IsZero() {
				*at = at.Add(d)
			}
		}
	}
}

// evaluate runs the rule as of now, records what it makes, and returns the alerts that
// are pending or firing. before finds an alert as it is known: after a restart, or after
// the rules were read again, it goes on where it stood. The error wraps errNotRecorded
// where the alerts are right.
func (e *evaluator) evaluate(ctx context.Context, now time.Time, before func(id string) (Alert, bool), sink Sink) ([]Alert, error) {
	ctx, cancel := context.WithTimeout(ctx, max(e.group.Interval, time.Second))
	defer cancel()
	recorded := &recorder{}
	for err := range e.group.ExecOnce(ctx, recorded, now) {
		if err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err // vmalert takes the end of a context for no error
	}
	e.began = true
	var err error
	if len(recorded.samples) > 0 {
		if err = sink.WriteOwn(recorded.samples); err != nil {
			err = fmt.Errorf("%w: %w", errNotRecorded, err)
		}
	}
	alerting, ok := e.group.Rules[0].(*rule.AlertingRule)
	if !ok {
		return nil, err
	}
	var out []Alert
	for _, a := range alerting.GetAlerts() {
		if a.State == notifier.StateInactive {
			continue
		}
		id := alertID(a.ID)
		if old, ok := before(id); ok && a.ActiveAt.Equal(now) && old.State != Completed {
			resume(a, old)
		}
		out = append(out, e.found(id, a))
	}
	return out, err
}

// alertID is how an alert's number is written.
func alertID(n uint64) string { return fmt.Sprintf("%016x", n) }

// resume gives an alert that is new to vmalert the state it had before. It has not begun in the
// future, though it did so by the clock of then.
func resume(a *notifier.Alert, old Alert) {
	now := a.ActiveAt
	past := func(t time.Time) time.Time {
		if t.After(now) {
			return now
		}
		return t
	}
	a.ActiveAt, a.Restored = past(old.Since), true
	if old.firing() {
		a.State, a.Start = notifier.StateFiring, past(old.FiredAt)
	}
}

// found is an alert in our words; it shares nothing with vmalert's.
func (e *evaluator) found(id string, a *notifier.Alert) Alert {
	f := Alert{
		ID: id, Source: e.source, State: Pending,
		Labels: maps.Clone(a.Labels), Annotations: maps.Clone(a.Annotations),
		Value: strconv.FormatFloat(a.Value, 'g', -1, 64), Since: a.ActiveAt.UTC(),
	}
	if a.State == notifier.StateFiring {
		f.State, f.FiredAt = Active, a.Start.UTC()
	}
	return f
}

// recorder keeps the samples that rules make.
type recorder struct {
	samples []series.Sample
}

// Push implements vmalert's RWClient.
func (r *recorder) Push(ts prompb.TimeSeries) error {
	var name string
	labels := make([]series.Label, 0, len(ts.Labels))
	for _, l := range ts.Labels {
		if l.Name == "__name__" {
			name = l.Value
			continue
		}
		labels = append(labels, series.Label{Name: l.Name, Value: l.Value})
	}
	for _, s := range ts.Samples {
		r.samples = append(r.samples, series.Sample{Name: name, Labels: labels, TimeMs: s.Timestamp, Value: s.Value})
	}
	return nil
}

// Close implements vmalert's RWClient.
func (*recorder) Close() error { return nil }

package alert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"golang.org/x/sync/errgroup"

	"github.com/apm-sidecar/apm-sidecar/internal/host"
)

const (
	// tickInterval is how often it is looked whether a rule is due.
	tickInterval = time.Second
	// rereadInterval is how often the files of rules are looked at.
	rereadInterval = 5 * time.Second
)

// Engine evaluates rules and has people told. One process has one.
type Engine struct {
	opts    Options
	book    *book
	senders []*sender
	set     *metrics.Set

	evaluations, faults *metrics.Counter

	// These are Run's alone. files are those in use, seen those of the last look; unsaved is
	// true while the state on disk is an old one.
	files      []ruleFile
	seen       []ruleFile
	evaluators []*evaluator
	unsaved    bool
	// fullSince is since when the store takes nothing, zero while it does.
	fullSince time.Time
	clock     host.Clock

	mu     sync.Mutex
	status map[Source]ruleStatus
	// shown are the rules as the API shows them, order is that of their files.
	shown map[Source]evaluated
	order []Source
	// refused is why the rules, as they are in their files now, are not in use.
	refused error
}

// ruleStatus is how the last evaluation of a rule went.
type ruleStatus struct {
	name string
	// err is empty where it went well, or has not been yet.
	err string
}

// New reads the rules and what is known of alerts. It keeps what it needs in globals of
// vmalert's packages: an Engine before must have ended, it has saved what it knew by then.
func New(opts Options) (*Engine, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	opts = opts.withDefaults()
	if err := prepare(opts.ExternalURL); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(opts.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("alert: %w", err)
	}
	e := &Engine{opts: opts, set: metrics.NewSet()}
	e.book = newBook(e.awaited)
	e.evaluations = e.set.NewCounter("apm_sidecar_alert_evaluations_total")
	e.faults = e.set.NewCounter("apm_sidecar_alert_evaluation_errors_total")
	kept, err := loadState(opts.Dir)
	if errors.Is(err, errDamaged) {
		opts.Logger.Error("alerts begin anew", slog.Any("error", err))
	} else if err != nil {
		return nil, err
	}
	e.book.load(kept.Alerts)
	for _, r := range opts.Receivers {
		told := map[string]*Told{}
		for key, t := range kept.Told[r.Name] {
			switch {
			case t == nil || (key == ungrouped) != (r.Kind == Alertmanager): // the name may have been another kind's
			case key == ungrouped:
				told[key] = t
			default: // an earlier build may have written the key in another way
				told[groupKey(t.Labels)] = t
			}
		}
		e.senders = append(e.senders, &sender{
			receiver: r, policy: opts.Policy, externalURL: opts.ExternalURL, log: opts.Logger, told: told,
			sent:   e.set.NewCounter(fmt.Sprintf("apm_sidecar_alert_messages_total{receiver=%q}", r.Name)),
			failed: e.set.NewCounter(fmt.Sprintf("apm_sidecar_alert_message_errors_total{receiver=%q}", r.Name)),
		})
	}
	files, err := readRules(opts.OwnRules, opts.Rules)
	if err != nil {
		return nil, err
	}
	if err := e.take(files, time.Now()); err != nil {
		return nil, err
	}
	return e, nil
}

// look takes the rules over as they are in their files, if they are others than those in use and
// the same as at the look before: half of a file may be rules, too. On an error all stays.
func (e *Engine) look(now time.Time) error {
	files, err := readRules(e.opts.OwnRules, e.opts.Rules)
	if err != nil {
		return err
	}
	before := e.seen
	e.seen = files
	if sameRules(files, e.files) || !sameRules(files, before) {
		return nil
	}
	return e.take(files, now)
}

// sameRules says whether files are the same.
func sameRules(a, b []ruleFile) bool {
	return slices.EqualFunc(a, b, func(a, b ruleFile) bool { return a.name == b.name && bytes.Equal(a.text, b.text) })
}

// take has the rules of the files evaluated; on an error all stays.
func (e *Engine) take(files []ruleFile, now time.Time) error {
	groups, err := parseRules(files)
	if err != nil {
		return err
	}
	e.closeEvaluators()
	e.files, e.evaluators = files, nil
	status, shown, order := map[Source]ruleStatus{}, map[Source]evaluated{}, make([]Source, 0, len(groups))
	for _, g := range groups {
		ev := newEvaluator(g, e.opts.Query, e.opts.Interval, now)
		e.evaluators = append(e.evaluators, ev)
		status[ev.source] = ruleStatus{name: ev.name}
		shown[ev.source], order = apiOf(ev, e.opts.ExternalURL), append(order, ev.source)
	}
	e.mu.Lock()
	e.status, e.shown, e.order = status, shown, order
	e.mu.Unlock()
	return nil
}

func (e *Engine) closeEvaluators() {
	for _, ev := range e.evaluators {
		ev.close()
	}
}

// Run evaluates and tells until ctx ends. It runs once.
func (e *Engine) Run(ctx context.Context) error {
	defer e.closeEvaluators()
	parts, ctx := errgroup.WithContext(ctx)
	for _, s := range e.senders {
		parts.Go(func() error {
			s.run(ctx, e.book)
			return nil
		})
	}
	parts.Go(func() error {
		e.evaluate(ctx)
		return nil
	})
	err := parts.Wait()
	e.book.close()
	return errors.Join(err, e.save())
}

// evaluate is the loop over the rules.
func (e *Engine) evaluate(ctx context.Context) {
	tick := time.NewTicker(tickInterval)
	defer tick.Stop()
	reread := time.NewTicker(rereadInterval)
	defer reread.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-reread.C:
			e.reread()
		case <-tick.C:
			now := time.Now()
			e.clockSet(e.clock.Step(now))
			e.step(ctx, now)
			e.keep()
		}
	}
}

// keep saves the state, and says when that begins to fail and when it works again.
func (e *Engine) keep() {
	failing := e.unsaved
	err := e.save()
	switch {
	case err != nil && !failing:
		e.opts.Logger.Error("alerts are not kept for the next start until further notice", slog.Any("error", err))
	case failing && !e.unsaved:
		e.opts.Logger.Info("alerts are kept for the next start again")
	}
}

// reread looks whether the rules have changed, and says once why it refuses them.
func (e *Engine) reread() {
	err := e.look(time.Now())
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil && e.refused == nil {
		e.opts.Logger.Error("the new rules are not taken over, the last good ones stay", slog.Any("error", err))
	}
	e.refused = err
}

// clockSet notes by how much the clock was set, zero if it was not: what lasts goes on as if the
// clock had always been as it is now.
func (e *Engine) clockSet(d time.Duration) {
	if d == 0 {
		return
	}
	e.opts.Logger.Warn("the clock was set; alerts stay as old as they are", slog.Duration("by", d.Round(time.Millisecond)))
	for _, ev := range e.evaluators {
		ev.clockSet(d)
	}
	if !e.fullSince.IsZero() {
		e.fullSince = e.fullSince.Add(d)
	}
}

// step evaluates the rules that are due.
func (e *Engine) step(ctx context.Context, now time.Time) {
	now = now.Truncate(time.Second) // as precise as a query's time
	sources, notYet := map[Source]bool{}, map[string]bool{}
	for _, ev := range e.evaluators {
		if ev.isDue(now) {
			ev.next = now.Add(ev.group.Interval)
			e.evaluateOne(ctx, ev, now)
		}
		sources[ev.source] = true
		if !ev.began || now.Before(ev.keepUntil) {
			notYet[ev.name] = true
		}
	}
	e.observeStore(now)
	sources[fullSource()] = true
	if ctx.Err() == nil {
		e.book.Retain(sources, notYet, now)
	}
}

// evaluateOne evaluates a rule. One that fails keeps its alerts.
func (e *Engine) evaluateOne(ctx context.Context, ev *evaluator, now time.Time) {
	found, err := ev.evaluate(ctx, now, e.book.Get, e.opts.Sink)
	if ctx.Err() != nil {
		return
	}
	e.evaluations.Inc()
	e.mu.Lock()
	status := e.status[ev.source]
	before := status.err
	status.err = ""
	if err != nil {
		status.err = err.Error()
	}
	e.status[ev.source], e.shown[ev.source] = status, apiOf(ev, e.opts.ExternalURL)
	e.mu.Unlock()
	if err != nil {
		e.faults.Inc()
		if before == "" {
			e.opts.Logger.Error("a rule fails", slog.String("rule", ev.name), slog.String("file", ev.source.File), slog.Any("error", err))
		}
		if !errors.Is(err, errNotRecorded) {
			return
		}
	}
	blind := e.opts.Sink.Blind()
	e.book.Observe(ev.source, found, func(a *Alert) bool { return blind || ev.keeps(a, now) }, now)
}

// awaited are the IDs of the alerts that some receiver takes for active.
func (e *Engine) awaited() map[string]bool {
	ids := map[string]bool{}
	for _, s := range e.senders {
		s.awaits(ids)
	}
	return ids
}

// save writes the state if it has changed.
func (e *Engine) save() error {
	alerts, changed := e.book.takeChanged()
	told := map[string]map[string]*Told{}
	for _, s := range e.senders {
		t, c := s.state()
		told[s.receiver.Name], changed = t, changed || c
	}
	if !changed && !e.unsaved {
		return nil
	}
	if alerts == nil {
		alerts = e.book.List()
	}
	err := state{Alerts: alerts, Told: told}.save(e.opts.Dir)
	e.unsaved = err != nil
	return err
}

// Alerts lists all, what is active first.
func (e *Engine) Alerts() []Alert { return e.book.List() }

// Acknowledge notes that somebody takes an alert on: it is not told of again. It returns
// ErrUnknown and ErrNotActive.
func (e *Engine) Acknowledge(id, by, comment string) error {
	return e.book.Acknowledge(id, by, comment, time.Now())
}

// Faults are what keeps alerts from being found or told: rules that fail, rules that are
// refused, receivers that do not answer.
func (e *Engine) Faults() []string {
	var out []string
	e.mu.Lock()
	if e.refused != nil {
		out = append(out, "the new rules are refused: "+e.refused.Error())
	}
	for source, s := range e.status {
		if s.err != "" {
			out = append(out, "rule "+s.name+" of "+source.File+": "+s.err)
		}
	}
	e.mu.Unlock()
	for _, s := range e.senders {
		if err := s.status(); err != nil {
			out = append(out, "receiver "+s.receiver.Name+": "+err.Error())
		}
	}
	slices.Sort(out)
	return out
}

// Rules is how many rules there are.
func (e *Engine) Rules() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.status)
}

// WriteMetrics writes the self metrics in Prometheus' text form.
func (e *Engine) WriteMetrics(w io.Writer) {
	e.set.WritePrometheus(w)
	counts, left := e.book.counts()
	for _, state := range []State{Pending, Active, Acknowledged, Completed} {
		metrics.WriteGaugeUint64(w, fmt.Sprintf("apm_sidecar_alerts{state=%q}", state), uint64(counts[state]))
	}
	metrics.WriteCounterUint64(w, "apm_sidecar_alerts_dropped_total", uint64(left))
	e.mu.Lock()
	refused := uint64(0)
	if e.refused != nil {
		refused = 1
	}
	e.mu.Unlock()
	metrics.WriteGaugeUint64(w, "apm_sidecar_alert_rules_refused", refused)
}

package web

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/tx"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

const (
	// maxNamed is how many targets a line names, maxShownAlerts how many alerts have a line.
	maxNamed       = 3
	maxShownAlerts = 8
)

// overview is what the page at / shows: what is the matter now, and what is here.
type overview struct {
	HasStore, HasReports, HasAlerts, HasTransactions bool

	NotReady string
	Notes    []string
	Signs    []sign
}

// sign is a line about what is the matter, or that nothing is.
type sign struct {
	// Class is its colour: bad, warn, good or soft.
	Class, Text, Path string
}

// newOverview asks every part how things are.
func newOverview(opts Options) overview {
	o := overview{
		HasStore: opts.Store != nil, HasReports: opts.Reports != nil, HasAlerts: opts.Alerts != nil, HasTransactions: opts.Transactions != nil,
		Notes: opts.notes(),
	}
	if err := opts.Ready(); err != nil {
		o.NotReady = err.Error()
	}
	if opts.Alerts != nil {
		o.Signs = append(o.Signs, alertSigns(opts.Alerts)...)
	}
	if opts.Targets != nil {
		o.Signs = append(o.Signs, targetSign(opts.Targets()))
	}
	if opts.Transactions != nil {
		o.Signs = append(o.Signs, transactionSign(opts.Transactions, time.Now()))
	}
	if opts.Reports != nil {
		if rows, err := listReports(opts.Reports); err == nil && len(rows) > 0 {
			newest := rows[0]
			o.Signs = append(o.Signs, sign{"soft", fmt.Sprintf("newest heap dump, %s ago: %s", unit.Duration(time.Since(newest.at)), cmp.Or(newest.Verdict, newest.Name)), "/reports/" + newest.File})
		}
	}
	return o
}

// alertSigns are the alerts that nobody has taken on, what is critical first, and how many others
// there are.
func alertSigns(alerts Alerts) []sign {
	var signs []sign
	for _, fault := range alerts.Faults() {
		signs = append(signs, sign{"bad", "✗ " + fault, "/alerts"})
	}
	var active []Alert
	acknowledged := 0
	for _, a := range alerts.List() {
		switch a.State {
		case "active":
			active = append(active, a)
		case "acknowledged":
			acknowledged++
		}
	}
	slices.SortStableFunc(active, func(a, b Alert) int { return gravity(a) - gravity(b) })
	for _, a := range active[:min(len(active), maxShownAlerts)] {
		signs = append(signs, sign{[]string{"bad", "warn"}[gravity(a)], fmt.Sprintf("✗ %s, %s, for %s: %s", a.Name, cmp.Or(a.Severity, "no severity"), a.For(), a.Summary), "/alerts#" + a.ID})
	}
	if more := len(active) - maxShownAlerts; more > 0 {
		signs = append(signs, sign{"bad", fmt.Sprintf("✗ and %s more alerts", unit.Count(int64(more))), "/alerts"})
	}
	if acknowledged > 0 {
		signs = append(signs, sign{"warn", fmt.Sprintf("◐ %s acknowledged", plural(acknowledged, "alert")), "/alerts"})
	}
	if len(active)+acknowledged == 0 {
		signs = append(signs, sign{"good", "✓ no alert", "/alerts"})
	}
	return signs
}

// gravity is 0 for an alert that is critical, 1 for others.
func gravity(a Alert) int {
	if a.Severity == "critical" {
		return 0
	}
	return 1
}

// targetSign tells how many targets answer, and names those that do not.
func targetSign(targets []Target) sign {
	var down []string
	unknown := 0
	for _, t := range targets {
		switch t.State {
		case "down":
			down = append(down, t.Name)
		case "new":
			unknown++
		}
	}
	switch {
	case len(targets) == 0:
		return sign{"warn", "… no target is watched now", "/targets"}
	case len(down) > 0:
		named, more := down[:min(len(down), maxNamed)], ""
		if n := len(down) - len(named); n > 0 {
			more = " and " + unit.Count(int64(n)) + " more"
		}
		return sign{"bad", fmt.Sprintf("✗ %s of %s down: %s%s", unit.Count(int64(len(down))), plural(len(targets), "target"), strings.Join(named, ", "), more), "/targets"}
	case unknown > 0:
		return sign{"warn", fmt.Sprintf("… %s of %s not polled yet", unit.Count(int64(unknown)), plural(len(targets), "target")), "/targets"}
	}
	return sign{"good", fmt.Sprintf("✓ %s up", plural(len(targets), "target")), "/targets"}
}

// transactionSign tells of requests in flight that are slow already.
func transactionSign(t Transactions, now time.Time) sign {
	board := t.Active(now, "")
	if !slices.ContainsFunc(board.Targets, func(t tx.TargetState) bool { return t.State == "following" }) {
		return sign{"warn", "… requests of no target are followed now", "/transactions"}
	}
	slow := 0
	for _, a := range board.Transactions {
		if a.Slow {
			slow++
		}
	}
	if slow == 0 {
		return sign{"good", fmt.Sprintf("✓ %s in flight, none slow", plural(board.Total, "request")), "/transactions"}
	}
	oldest := board.Transactions[0]
	return sign{"warn", fmt.Sprintf("▲ slow in flight: %d of %s, the oldest for %s: %s of %s", slow, plural(board.Total, "request"),
		unit.Duration(time.Duration(oldest.ElapsedMs)*time.Millisecond), cmp.Or(oldest.Route, "no path seen"), oldest.Target), "/transactions"}
}

// plural is a number with its noun.
func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return unit.Count(int64(n)) + " " + noun
}

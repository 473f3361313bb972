package web

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// shownClasses is how many classes of a histogram are seen before one asks for all.
const shownClasses = 10

// targetView is what the page of a target shows.
type targetView struct {
	Target
	HasStore, HasTransactions bool
	// Alerts are those about it that have not ended, Reports those on its heap dumps, the
	// latest first.
	Alerts  []Alert
	Reports []reportRow
	// Evidence is what was kept, the latest first.
	Evidence []evidenceView
}

func newTargetView(opts Options, t Target) targetView {
	v := targetView{Target: t, HasStore: opts.Store != nil, HasTransactions: opts.Transactions != nil}
	if opts.Alerts != nil {
		v.Alerts = slices.DeleteFunc(opts.Alerts.List(), func(a Alert) bool {
			return a.State == "completed" || a.Labels["job"]+"/"+a.Labels["instance"] != t.Name
		})
	}
	if opts.Reports != nil {
		rows, _ := listReports(opts.Reports) // the page /reports tells why not
		ours := regexp.MustCompile(t.Files + `$`)
		v.Reports = slices.DeleteFunc(rows, func(r reportRow) bool { return !ours.MatchString(r.Name) })
	}
	if opts.Evidence != nil {
		for _, e := range slices.Backward(opts.Evidence()[t.Name]) {
			v.Evidence = append(v.Evidence, evidenceView{e})
		}
	}
	return v
}

// Every is the interval for people.
func (v targetView) Every() string {
	return unit.Duration(time.Duration(v.IntervalSeconds * float64(time.Second)))
}

// InFlight is the address of what is in flight in it.
func (v targetView) InFlight() string { return "/transactions?target=" + url.QueryEscape(v.Name) }

// evidenceView is a record as the page shows it.
type evidenceView struct{ jvm.Evidence }

// When is its moment.
func (e evidenceView) When() string { return e.Time.UTC().Format("2006-01-02 15:04:05 UTC") }

// Old is the share of the old region in use after its collection, empty if unknown.
func (e evidenceView) Old() string {
	if e.OldAfterGCRatio == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f %%", e.OldAfterGCRatio*100)
}

// Heap is what of the heap was in use, empty if unknown.
func (e evidenceView) Heap() string {
	if e.HeapUsedBytes == 0 {
		return ""
	}
	return unit.Bytes(e.HeapUsedBytes)
}

// Waiting is the number of objects in the queue of the Finalizer thread, empty if
// unknown.
func (e evidenceView) Waiting() string {
	if e.Pending == nil {
		return ""
	}
	return unit.Count(*e.Pending)
}

// Known is the number of Finalizer objects, empty without a histogram.
func (e evidenceView) Known() string {
	if len(e.Histogram) == 0 {
		return ""
	}
	return unit.Count(e.Finalizers)
}

// First are the classes with most bytes, Rest the others.
func (e evidenceView) First() []classRow { return e.classes(0, shownClasses) }

// Rest are the classes after First.
func (e evidenceView) Rest() []classRow { return e.classes(shownClasses, len(e.Histogram)) }

// classRow is a class with two figures for people.
type classRow struct{ Class, Objects, Bytes string }

func (e evidenceView) classes(from, to int) []classRow {
	n := len(e.Histogram)
	var rows []classRow
	for _, c := range e.Histogram[min(from, n):min(to, n)] {
		rows = append(rows, classRow{c.Class, unit.Count(c.Objects), unit.Bytes(c.Bytes)})
	}
	return rows
}

// registeredRow is a finalizable class.
type registeredRow struct{ Class, Objects, Run string }

// RegisteredRows are the finalizable classes of which the JVM told.
func (e evidenceView) RegisteredRows() []registeredRow {
	var rows []registeredRow
	for _, c := range e.Registered {
		rows = append(rows, registeredRow{c.Class, unit.Count(c.Objects), unit.Count(c.Run)})
	}
	return rows
}

// QueueRows are the classes in the queue of the Finalizer thread.
func (e evidenceView) QueueRows() []classRow {
	var rows []classRow
	for _, c := range e.Queue {
		rows = append(rows, classRow{Class: c.Class, Objects: unit.Count(c.Count)})
	}
	return rows
}

// Stuck is how long the Finalizer thread stood still, empty if it did not.
func (e evidenceView) Stuck() string {
	if e.Thread == nil || e.Thread.StuckSeconds == 0 {
		return ""
	}
	return unit.Duration(time.Duration(e.Thread.StuckSeconds * float64(time.Second)))
}

package report

import (
	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// stateView is one state of the Finalizers with its place in the bar.
type stateView struct {
	Name, Key, Meaning string
	Count, Share       string
	X, W               string // empty where there is none
}

// stateMeanings say what the states mean, by their short names.
func stateMeanings() map[string]string {
	return map[string]string{
		"HELD":     "alive: a GC root reaches the object",
		"DEAD":     "garbage that no collection has noticed yet",
		"PENDING":  "noticed, waits for the Reference Handler",
		"ENQUEUED": "waits for the Finalizer thread",
		"RUNNING":  "its finalize() is running",
		"DONE":     "its finalize() has run",
		"UNKNOWN":  "held or dead: the damaged dump does not tell",
	}
}

// stateViews lists the states in the order of a Finalizer's life.
func stateViews(f *finding.Finalizers) []stateView {
	all := states(f.States)
	if f.RegisteredUnknown > 0 {
		all = append(all, state{"registered, ?", "UNKNOWN", f.RegisteredUnknown})
	}
	meanings := stateMeanings()
	var views []stateView
	var at int64
	for _, s := range all {
		v := stateView{Name: s.name, Key: "s-" + s.short, Meaning: meanings[s.short], Count: unit.Count(s.count), Share: unit.Share(s.count, f.Total)}
		if w := portion(s.count, f.Total, whole); s.count > 0 {
			v.X, v.W = percent(at), percent(max(w, thin))
			at += w
		}
		views = append(views, v)
	}
	return views
}

package series

import (
	"cmp"
	"slices"
	"sync"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// ownLabels are the labels that metrics bring along, under every profile.
var ownLabels = sync.OnceValue(func() map[string]bool {
	own := map[string]bool{}
	for _, m := range Catalogue() {
		for _, name := range m.Labels {
			own[name] = true
		}
	}
	for _, m := range otelMetrics() {
		for _, name := range m.labels {
			own[name] = true
		}
	}
	return own
})

// IsOwnLabel tells whether metrics bring a label of that name along: a target's would hide
// what theirs says.
func IsOwnLabel(name string) bool { return ownLabels()[name] }

// TargetLabels are the labels of every series of a target: job, instance and the
// user's own, sorted by name, without empty values. The user's own never replace
// job or instance; one that metrics bring along has target_ before its name.
func TargetLabels(t jvm.Target) []Label {
	labels := []Label{{"instance", t.Instance}, {"job", t.Job}}
	for name, value := range t.Labels {
		if name == "job" || name == "instance" {
			continue
		}
		if IsOwnLabel(name) {
			name = "target_" + name
			if t.Labels[name] != "" {
				continue
			}
		}
		labels = append(labels, Label{name, value})
	}
	labels = slices.DeleteFunc(labels, func(l Label) bool { return l.Value == "" })
	sortLabels(labels)
	return labels
}

// With are the base labels and the given ones in a new slice, sorted by name and
// without empty values. A given label that is in base already, which only a
// user's own can be, is left as base has it.
func With(base []Label, own ...Label) []Label {
	labels := slices.Concat(base, besides(base, own))
	sortLabels(labels)
	return labels
}

// besides are the labels that have a value and are not in base; the same slice if all
// are so.
func besides(base, own []Label) []Label {
	useless := func(l Label) bool {
		return l.Value == "" || slices.ContainsFunc(base, func(b Label) bool { return b.Name == l.Name })
	}
	if !slices.ContainsFunc(own, useless) {
		return own
	}
	return slices.DeleteFunc(slices.Clone(own), useless)
}

func sortLabels(labels []Label) {
	slices.SortFunc(labels, func(a, b Label) int { return cmp.Compare(a.Name, b.Name) })
}

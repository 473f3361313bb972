package series

import (
	"cmp"
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// TargetLabels are the labels of every series of a target: job, instance and the
// user's own, sorted by name, without empty values. The user's own never replace
// job or instance.
func TargetLabels(t jvm.Target) []Label {
	labels := []Label{{"instance", t.Instance}, {"job", t.Job}}
	for name, value := range t.Labels {
		if name != "job" && name != "instance" {
			labels = append(labels, Label{name, value})
		}
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

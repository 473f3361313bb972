// Package series holds the metric catalogue and the pure step from two
// consecutive snapshots of a JVM to the samples that describe it.
package series

import "unsafe"

// Label is one name and value pair of a series.
type Label struct {
	Name  string
	Value string
}

// Sample is one value of one series at one instant. A Sample is a plain value:
// whoever receives it owns it, nobody changes its labels afterwards.
type Sample struct {
	// Name is the metric name in Prometheus form, such as
	// "jvm_memory_used_bytes".
	Name string
	// Target are the labels of a target, which all its samples have; Labels are those of
	// the series beside them. Both are sorted by Name, with no empty value and no
	// "__name__"; no name is in both.
	Target, Labels []Label
	// TimeMs is the instant in milliseconds since the Unix epoch.
	TimeMs int64
	// Value is finite, or the staleness marker: undefined values are left out
	// upstream.
	Value float64
}

// AllLabels are the sample's labels of both kinds, sorted by name.
func (s *Sample) AllLabels() []Label { return With(s.Target, s.Labels...) }

// SharesLabels tells that two samples have the very same labels, without a look at them.
func (s *Sample) SharesLabels(other *Sample) bool {
	return sameSlice(s.Target, other.Target) && sameSlice(s.Labels, other.Labels)
}

// sameSlice tells labels that are in the same memory, and so alike, from others, which may
// be alike, too: that is quicker than to compare them.
func sameSlice(a, b []Label) bool {
	return len(a) == len(b) && unsafe.SliceData(a) == unsafe.SliceData(b)
}

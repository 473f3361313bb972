// Package series holds the metric catalogue and the pure step from two
// consecutive snapshots of a JVM to the samples that describe it.
package series

// Label is one name and value pair of a series.
type Label struct {
	Name  string
	Value string
}

// Sample is one value of one series at one instant. A Sample is a plain value:
// whoever receives it owns it, nobody changes its Labels afterwards.
type Sample struct {
	// Name is the metric name in Prometheus form, such as
	// "jvm_memory_used_bytes".
	Name string
	// Labels are complete (the target's labels included), sorted by Name, with
	// no empty value and no "__name__".
	Labels []Label
	// TimeMs is the instant in milliseconds since the Unix epoch.
	TimeMs int64
	// Value is finite, or the staleness marker: undefined values are left out
	// upstream.
	Value float64
}

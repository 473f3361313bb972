package series

import (
	"fmt"
	"strings"
)

// Naming is the profile of metric names and labels.
type Naming string

// The profiles.
const (
	// NamingPrometheus are the names of Prometheus' client_java 1.x.
	NamingPrometheus Naming = "prometheus"
	// NamingOTel are those of OpenTelemetry's semantic conventions, as Prometheus
	// spells them, for the metrics that these have; all others keep their names.
	NamingOTel Naming = "otel"
)

// ParseNaming reads the name of a profile; empty is NamingPrometheus.
func ParseNaming(s string) (Naming, error) {
	switch n := Naming(s); n {
	case "":
		return NamingPrometheus, nil
	case NamingPrometheus, NamingOTel:
		return n, nil
	}
	return "", fmt.Errorf("naming %q is neither %s nor %s", s, NamingPrometheus, NamingOTel)
}

// otelMetric is a metric under OpenTelemetry's conventions.
type otelMetric struct {
	// name is empty for what the conventions leave to sums over others.
	name string
	// labels are the new names of labels; one that becomes "" is dropped.
	labels map[string]string
}

// otelMetrics maps names; source: opentelemetry semantic-conventions 1.44,
// docs/runtime/jvm-metrics.md and docs/database/database-metrics.md, and the rules
// by which the collector translates them for Prometheus.
func otelMetrics() map[string]otelMetric {
	pool := map[string]string{"area": "jvm_memory_type", "kind": "kind", "pool": "jvm_memory_pool_name"}
	buffer := map[string]string{"pool": "jvm_buffer_pool_name"}
	jdbc := map[string]string{"pool": "db_client_connection_pool_name", "state": "db_client_connection_state", "kind": "kind"}
	return map[string]otelMetric{
		"jvm_memory_used_bytes":                 {},
		"jvm_memory_committed_bytes":            {},
		"jvm_memory_max_bytes":                  {},
		"jvm_memory_init_bytes":                 {},
		"jvm_memory_pool_used_bytes":            {"jvm_memory_used_bytes", pool},
		"jvm_memory_pool_committed_bytes":       {"jvm_memory_committed_bytes", pool},
		"jvm_memory_pool_max_bytes":             {"jvm_memory_limit_bytes", pool},
		"jvm_memory_pool_init_bytes":            {"jvm_memory_init_bytes", pool},
		"jvm_memory_pool_collection_used_bytes": {"jvm_memory_used_after_last_gc_bytes", pool},
		"jvm_threads_current":                   {},
		"jvm_threads_daemon":                    {},
		"jvm_threads_state":                     {"jvm_thread_count", map[string]string{"state": "jvm_thread_state"}},
		"jvm_classes_currently_loaded":          {"jvm_class_count", nil},
		"jvm_classes_loaded_total":              {"jvm_class_loaded_total", nil},
		"jvm_classes_unloaded_total":            {"jvm_class_unloaded_total", nil},
		"jvm_buffer_pool_used_bytes":            {"jvm_buffer_memory_used_bytes", buffer},
		"jvm_buffer_pool_capacity_bytes":        {"jvm_buffer_memory_limit_bytes", buffer},
		"jvm_buffer_pool_used_buffers":          {"jvm_buffer_count", buffer},
		"process_cpu_seconds_total":             {"jvm_cpu_time_seconds_total", nil},
		"process_open_fds":                      {"jvm_file_descriptor_count", nil},
		"process_max_fds":                       {"jvm_file_descriptor_limit", nil},
		"jdbc_pool_connections":                 {"db_client_connection_count", jdbc},
		"jdbc_pool_connections_max":             {"db_client_connection_max", jdbc},
		"jdbc_pool_connections_min_idle":        {"db_client_connection_idle_min", jdbc},
		"jdbc_pool_connections_max_idle":        {"db_client_connection_idle_max", jdbc},
		"jdbc_pool_pending_requests":            {"db_client_connection_pending_requests", jdbc},
	}
}

// Metric is the name that the profile gives a metric of the catalogue; empty if it
// leaves it out.
func (n Naming) Metric(name string) string { return n.rename(identity{name: name}).name }

// rename is the series under the profile; its name is empty if it is left out.
func (n Naming) rename(s identity) identity {
	if n != NamingOTel {
		return s
	}
	m, ok := otelMetrics()[s.name]
	switch {
	case !ok:
		return s
	case m.name == "":
		return identity{}
	case len(m.labels) == 0:
		return identity{m.name, s.labels}
	}
	labels := make([]Label, len(s.labels))
	for i, l := range s.labels {
		labels[i] = l
		if to, ok := m.labels[l.Name]; ok {
			labels[i] = Label{to, otelValue(to, l.Value)}
		}
	}
	sortLabels(labels)
	return identity{m.name, labels}
}

// otelValue spells a label's value as the conventions do.
func otelValue(label, value string) string {
	switch {
	case label == "jvm_memory_type" && value == "nonheap":
		return "non_heap"
	case label == "jvm_thread_state":
		return strings.ToLower(value)
	}
	return value
}

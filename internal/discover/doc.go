// Package discover finds targets: in files, over HTTP, in DNS, in Kubernetes, and
// among the processes of this host. Settings and relabelling are those of
// Prometheus and VictoriaMetrics, whose own package asks Kubernetes.
//
//	source ──► labels with __address__ and __meta_... ──► relabelling ──► jvm.Target
//
// A source that fails keeps what it found last: an outage of DNS is no outage of
// the JVMs.
package discover

// Package alert evaluates alerting rules in the process that holds the metrics,
// keeps what came of them, and tells people, once for each cause.
//
//	rules ──► evaluator ──► book (pending, active, acknowledged, completed) ──► sender ──► Alertmanager | webhook
//
// Rules are those of Prometheus and vmalert, and vmalert's own packages read and
// evaluate them: templates, "for", "keep_firing_for" and limits mean here what they
// mean there. What is ours is the loop, the book with its states, which survives
// restarts, and the delivery: vmalert takes its receivers from global flags, knows
// no acknowledgement, and leaves grouping to an Alertmanager.
package alert

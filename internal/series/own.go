package series

// Own lists what the sidecar writes at /metrics of itself as a whole: of its
// configuration, of discovery, delivery and alerts. What it counts for each target is
// agent.OwnMetrics.
func Own() []Metric {
	url, source, receiver, reason := []string{"url"}, []string{"job", "source"}, []string{"receiver"}, []string{"reason"}
	return []Metric{
		{"apm_sidecar_build_info", Gauge, Flag, []string{"version"}, "1, with the program's version."},
		{"apm_sidecar_targets", Gauge, Count, nil, "Targets that are watched."},
		{"apm_sidecar_target_name_clashes", Gauge, Count, nil, "Targets that are not watched, as others have their job and instance already."},
		{"apm_sidecar_config_reload_success", Gauge, Flag, nil, "1 if the configuration at work is the one in the file, 0 after a faulty change."},
		{"apm_sidecar_config_last_reload_success_timestamp_seconds", Gauge, Seconds, nil, "When the configuration at work was read, since the Unix epoch."},
		{"apm_sidecar_discovered_targets", Gauge, Count, source, "Targets that a source of a job gives, after relabelling."},
		{"apm_sidecar_discovery_errors_total", Counter, Count, source, "Questions to a source that failed; what it gave before stays."},
		{"apm_sidecar_discovery_dropped_total", Counter, Count, source, "Targets of a source that have no usable address."},
		{"apm_sidecar_push_queue_bytes", Gauge, Bytes, url, "Size of the files of samples that wait for a receiver."},
		{"apm_sidecar_push_queue_samples", Gauge, Count, url, "Samples that wait for a receiver."},
		{"apm_sidecar_push_queue_oldest_age_seconds", Gauge, Seconds, url, "Age of the oldest of them; 0 if none waits."},
		{"apm_sidecar_push_samples_total", Counter, Count, url, "Samples that a receiver has taken."},
		{"apm_sidecar_push_requests_total", Counter, Count, []string{"url", "code"}, "Deliveries by the HTTP status or the kind of failure."},
		{"apm_sidecar_push_duration_seconds", Histogram, Seconds, []string{"url", "le"}, "Duration of deliveries."},
		{"apm_sidecar_push_retries_total", Counter, Count, url, "Deliveries tried again."},
		{"apm_sidecar_push_replays_total", Counter, Count, url, "Times that what a receiver had confirmed was sent again, as it may have restarted."},
		{"apm_sidecar_push_append_errors_total", Counter, Count, url, "Failures to put samples into the queue."},
		{"apm_sidecar_push_sync_errors_total", Counter, Count, url, "Failures to bring the queue to the disk itself, as a power cut wants it."},
		{"apm_sidecar_push_dropped_samples_total", Counter, Count, []string{"url", "reason"}, "Samples lost: queue_full and disk_full (the oldest went), damaged (on our disk), undecodable, rejected (by the receiver, and kept as dead letters)."},
		{"apm_sidecar_push_refused_samples_total", Counter, Count, []string{"reason"}, "Samples that no receiver gets, as VictoriaMetrics would drop them: not_finite, name, labels (too many, or too long) or time."},
		{"apm_sidecar_push_dead_letter_bytes", Gauge, Bytes, url, "Size of the files of samples that a receiver rejected."},
		{"apm_sidecar_push_dead_letter_evicted_samples_total", Counter, Count, url, "Rejected samples removed to make room for newer ones."},
		{"apm_sidecar_store_free_bytes", Gauge, Bytes, nil, "Space on the disk of the embedded store that is free."},
		{"apm_sidecar_store_min_free_bytes", Gauge, Bytes, nil, "Free space below which the embedded store takes no samples of targets."},
		{"apm_sidecar_spans_requests_total", Counter, Count, []string{"code"}, "Requests to the receiver of spans by the HTTP status of the answer."},
		{"apm_sidecar_spans_received_total", Counter, Count, nil, "Spans taken."},
		{"apm_sidecar_spans_rejected_total", Counter, Count, reason, "Spans not taken, as their sender was told: no_id, no_time (no start, or an end before it), too_many (in one request)."},
		{"apm_sidecar_spans_values_cut_total", Counter, Count, nil, "Values of spans that were shortened or left out, as they were too long or too many."},
		{"apm_sidecar_spans_waiting", Gauge, Count, nil, "Spans in memory of requests that are not decided on yet."},
		{"apm_sidecar_spans_waiting_bytes", Gauge, Bytes, nil, "Memory that they take, about."},
		{"apm_sidecar_spans_dropped_total", Counter, Count, reason, "Spans dropped: quick (of quick requests), full (refused for want of room, to be sent again), evicted (made room), expired (the end of their request was not heard of), trace_too_big, repeated (sent twice), no_target (of slow requests of no target), no_request (of slow operations that are no requests), ambiguous (they fit several records)."},
		{"apm_sidecar_span_traces_total", Counter, Count, []string{"result"}, "Slow requests with spans: joined (to a record), own_record (made of spans alone), ambiguous."},
		{"apm_sidecar_spans_exported_total", Counter, Count, nil, "Spans that the backend has taken."},
		{"apm_sidecar_spans_export_requests_total", Counter, Count, []string{"code"}, "Deliveries of spans by the HTTP status or the kind of failure."},
		{"apm_sidecar_spans_export_dropped_total", Counter, Count, reason, "Spans not delivered: queue_full, rejected (by the backend), given_up (not taken for five minutes)."},
		{"apm_sidecar_spans_export_queue_bytes", Gauge, Bytes, nil, "Memory of the spans that wait for the backend, about."},
		{"apm_sidecar_alerts", Gauge, Count, []string{"state"}, "Alerts by state: pending, active, acknowledged, completed."},
		{"apm_sidecar_alerts_dropped_total", Counter, Count, nil, "Alerts left out, as there were too many at once."},
		{"apm_sidecar_alert_rules_refused", Gauge, Flag, nil, "1 if the rule files were changed and are faulty: those before stay at work."},
		{"apm_sidecar_alert_evaluations_total", Counter, Count, nil, "Evaluations of single rules."},
		{"apm_sidecar_alert_evaluation_errors_total", Counter, Count, nil, "Those that failed."},
		{"apm_sidecar_alert_messages_total", Counter, Count, receiver, "Messages that a receiver of alerts has taken."},
		{"apm_sidecar_alert_message_errors_total", Counter, Count, receiver, "Tries to deliver a message that failed."},
	}
}

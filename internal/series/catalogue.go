package series

import "slices"

// Type is how a metric behaves, in Prometheus' words.
type Type string

// The types. A summary's _count and _sum stand as counters of their own.
const (
	Gauge     Type = "gauge"
	Counter   Type = "counter"
	Histogram Type = "histogram"
)

// Unit is the base unit of a metric's values.
type Unit string

// The units.
const (
	Bytes   Unit = "bytes"
	Seconds Unit = "seconds"
	Ratio   Unit = "ratio" // 0 to 1 unless the help says otherwise
	Count   Unit = "count"
	Flag    Unit = "flag" // 0 or 1
)

// Metric describes one metric.
type Metric struct {
	Name string
	Type Type
	Unit Unit
	// Labels are the metric's own, beside those every series has (job, instance
	// and the target's). Nil means none.
	Labels []string
	Help   string
}

// The names of the metrics that other packages refer to.
const (
	NameUp             = "up"
	NameTargetUp       = "apm_sidecar_target_up"
	NameDumping        = "apm_sidecar_heap_dump_in_progress"
	NameFindingObjects = "apm_heap_finding_objects"
	NameFindingBytes   = "apm_heap_finding_bytes"
	NameOldRatio       = "jvm_memory_old_after_gc_ratio"
	NameOldFullIn      = "jvm_memory_old_full_in_seconds"
	NameFinalizerStuck = "jvm_finalizer_thread_stuck_seconds"
	NameFinalizers     = "jvm_finalizers_objects"
	NameSchedulerHeld  = "apm_scheduler_held_finalizers"

	NameInFlight           = "apm_transactions_in_flight"
	NameInFlightClass      = "apm_transactions_in_flight_by_wait"
	NameInFlightMax        = "apm_transactions_in_flight_max_seconds"
	NameSlow               = "apm_slow_transactions_total"
	NameSlowClassSeconds   = "apm_slow_transaction_wait_seconds_total"
	NameSlowDurationBucket = "apm_slow_transaction_duration_seconds_bucket"
	NameSlowDurationSum    = "apm_slow_transaction_duration_seconds_sum"
	NameSlowDurationCount  = "apm_slow_transaction_duration_seconds_count"
	NameEdgeInFlight       = "apm_transaction_edge_in_flight"
	NameEdgeSlow           = "apm_transaction_edge_slow_total"
	NameEdgeWait           = "apm_transaction_edge_wait_seconds_total"
	NameEdgeRTT            = "apm_transaction_edge_rtt_seconds"
)

const (
	nameQueueObjects = "jvm_finalizer_queue_objects"
	nameQueueClasses = "jvm_finalizer_queue_classes"
)

// Catalogue lists every metric that samples are made of, in reading order. Names
// and labels are those of Prometheus' client_java 1.x where it has the metric, so
// that existing dashboards and alerts work; labels beyond it never change a sum.
func Catalogue() []Metric { return slices.Concat(jvmMetrics(), hostMetrics()) }

// jvmMetrics are what JVMs say, and what the sidecar makes of it.
func jvmMetrics() []Metric {
	return []Metric{
		{NameUp, Gauge, Flag, nil, "1 if the last poll of the JVM succeeded, else 0. While it is 0 the series of the JVM itself end."},
		{NameTargetUp, Gauge, Flag, nil, "The same as up, under a name that no scraper overwrites."},
		{NameDumping, Gauge, Flag, nil, "1 while the JVM writes a heap dump for the sidecar: it stands still, is not polled, and no other series of it gets samples. Else 0."},

		{"jvm_memory_used_bytes", Gauge, Bytes, areaLabel(), "Memory in use."},
		{"jvm_memory_committed_bytes", Gauge, Bytes, areaLabel(), "Memory the JVM has reserved from the system."},
		{"jvm_memory_max_bytes", Gauge, Bytes, areaLabel(), "Most memory the JVM may use; absent where there is no limit."},
		{"jvm_memory_init_bytes", Gauge, Bytes, areaLabel(), "Memory asked for at the start."},
		{"jvm_memory_pool_used_bytes", Gauge, Bytes, poolLabels(), "Memory in use in a pool."},
		{"jvm_memory_pool_committed_bytes", Gauge, Bytes, poolLabels(), "Memory reserved for a pool."},
		{"jvm_memory_pool_max_bytes", Gauge, Bytes, poolLabels(), "Most memory the pool may use; absent where there is no limit."},
		{"jvm_memory_pool_init_bytes", Gauge, Bytes, poolLabels(), "Memory asked for at the start."},
		{"jvm_memory_pool_collection_used_bytes", Gauge, Bytes, poolLabels(), "Memory in use after the last collection of the pool: the cheapest measure of what is really alive. Absent until the pool has been collected; G1 before JDK 20 collects its old region late."},
		{"jvm_memory_pool_collection_committed_bytes", Gauge, Bytes, poolLabels(), "Memory reserved after the last collection of the pool."},
		{"jvm_memory_pool_collection_max_bytes", Gauge, Bytes, poolLabels(), "Most memory the pool could use after its last collection."},
		{"jvm_memory_pool_collection_init_bytes", Gauge, Bytes, poolLabels(), "Memory asked for at the start, as the last collection of the pool noted it."},
		{"jvm_memory_pool_peak_used_bytes", Gauge, Bytes, poolLabels(), "Most memory in use in a pool since the start."},
		{"jvm_memory_old_after_gc_bytes", Gauge, Bytes, nil, "Memory in use in the old region, or in the whole heap of a collector without generations, after its last collection. Under G1 after the last pause, where that was a young collection: garbage may be in it then."},
		{"jvm_memory_old_limit_bytes", Gauge, Bytes, nil, "Most memory that region may use."},
		{NameOldRatio, Gauge, Ratio, nil, "The share of that region in use after its last collection."},
		{"jvm_memory_old_growth_bytes_per_second", Gauge, Bytes, nil, "How fast that region grows, a second: the median over up to half an hour of collections; negative if it shrinks. Absent until there are six of them, five seconds apart or more."},
		{NameOldFullIn, Gauge, Seconds, nil, "When that region is full at this pace. Absent unless it grows steadily, under G1 unless it is 60 % full, and beyond 30 days."},
		{"jvm_memory_objects_pending_finalization", Gauge, Count, nil, "Objects in the queue of the Finalizer thread. Registered objects that something still holds are not in it."},
		{nameQueueObjects, Gauge, Count, []string{"class"}, "Objects in the queue of the Finalizer thread by class; classes past the first 20 are summed as class=\"other\". Asked for only while objects are pending."},
		{nameQueueClasses, Gauge, Count, nil, "Different classes in the queue of the Finalizer thread."},

		{"jvm_finalizer_thread_state", Gauge, Flag, []string{"state"}, "1 for the state that the Finalizer thread was seen in, else 0: idle, working (in a finalize() method), blocked (waiting in one, as far as JMX tells: not for a monitor that a virtual thread has)."},
		{NameFinalizerStuck, Gauge, Seconds, nil, "How long the Finalizer thread has been seen in the same place without going on; 0 while it is idle."},
		{"jvm_finalizer_drained_objects_per_second", Gauge, Count, nil, "By how much the queue of the Finalizer thread shrank a second, between two looks; negative if it grew."},
		{"jvm_finalizer_thread_info", Gauge, Flag, []string{"frame", "lock", "owner"}, "1 while the Finalizer thread is in the finalize() method named by frame; lock is the class of what it waits for, owner the thread that holds it, each none if there is none."},
		{"jvm_finalizers_registered_objects", Gauge, Count, []string{"class"}, "Objects that have a Finalizer and are not finalized yet, those in use among them, by class; classes past the first 20 are summed as class=\"other\". Told by JVMs from 21 on with a flight recording that has jdk.FinalizerStatistics#period set; others tell at the end of a chunk."},
		{"jvm_finalizers_run_total", Counter, Count, []string{"class"}, "Objects finalized, by class, from the same source."},
		{NameFinalizers, Gauge, Count, nil, "Objects of class java.lang.ref.Finalizer at the last class histogram: all registered ones, and those that are done and not collected yet."},
		{NameSchedulerHeld, Gauge, Count, nil, "The same number if the class histogram shows as many objects of one class and tasks of another, and a timer's queue with room for all of them; else 0. A guess: a heap dump tells."},
		{"apm_scheduler_held_objects", Gauge, Count, []string{"class", "task"}, "The same with the two classes; absent if there is nothing to see."},
		{"jvm_class_histogram_objects", Gauge, Count, []string{"class"}, "Objects by class, garbage included; the 20 classes with most bytes. Taken only while the old region fills, and only where it is cheap enough."},
		{"jvm_class_histogram_bytes", Gauge, Bytes, []string{"class"}, "Bytes of those objects, without what they refer to."},
		{"jvm_class_histogram_duration_seconds", Gauge, Seconds, nil, "How long the class histogram took, most of which the JVM stood still."},

		{"jvm_gc_collection_seconds_count", Counter, Count, gcLabels(), "Collections of a collector."},
		{"jvm_gc_collection_seconds_sum", Counter, Seconds, gcLabels(), "Time spent in a collector. Only phase=\"pause\" stops the application."},
		{"jvm_gc_last_duration_seconds", Gauge, Seconds, []string{"gc", "phase"}, "Duration of the last collection."},
		{"jvm_gc_last_end_timestamp_seconds", Gauge, Seconds, []string{"gc"}, "When the last collection ended, since the Unix epoch, by the JVM's clock."},
		{"jvm_gc_last_id", Gauge, Count, []string{"gc"}, "Number of the last collection; its increase less one between two samples is how many were not seen."},
		{"jvm_gc_last_before_bytes", Gauge, Bytes, []string{"gc", "pool"}, "Memory in use in a heap pool before the last collection."},
		{"jvm_gc_last_after_bytes", Gauge, Bytes, []string{"gc", "pool"}, "Memory in use in a heap pool after the last collection."},
		{"jvm_gc_last_freed_bytes", Gauge, Bytes, []string{"gc"}, "Heap freed by the last collection; negative if the heap grew meanwhile."},
		{"jvm_gc_pressure_ratio", Gauge, Ratio, []string{"phase", "window"}, "Share of time spent in collectors over the last poll, minute or five minutes. phase=\"pause\" is time in which the application stood still; JVMs count it in whole milliseconds a pause, which hides those of ZGC."},
		{"jvm_gc_memory_allocated_bytes_total", Counter, Bytes, nil, "Bytes allocated on the heap. JVMs from 21 on count them; for others they are added up from what polls and collections show since the sidecar began, which misses what concurrent collectors free while they run."},
		{"jvm_gc_memory_promoted_bytes_total", Counter, Bytes, nil, "Bytes by which young collections made the old region grow since the sidecar began; of several collections between two polls the last stands for all. Generational ZGC does not tell what its major collections promote, which are most of them where little is allocated: it is missing. Shenandoah tells nothing."},
		{"jvm_gc_cpu_seconds_total", Counter, Seconds, nil, "CPU time of all collector threads; JDK 26 and later."},

		{"jvm_threads_current", Gauge, Count, nil, "Live threads."},
		{"jvm_threads_daemon", Gauge, Count, nil, "Live daemon threads."},
		{"jvm_threads_peak", Gauge, Count, nil, "Most live threads since the start."},
		{"jvm_threads_started_total", Counter, Count, nil, "Threads started."},
		{"jvm_threads_state", Gauge, Count, []string{"state"}, "Threads in each of Java's six states; a state without threads is 0. Left out for JVMs with more than 2,000 threads."},
		{"jvm_threads_deadlocked", Gauge, Count, nil, "Threads that wait in a circle for monitors or locks."},
		{"jvm_threads_deadlocked_monitor", Gauge, Count, nil, "Threads that wait in a circle for monitors alone."},
		{"jvm_classes_currently_loaded", Gauge, Count, nil, "Classes loaded now."},
		{"jvm_classes_loaded_total", Counter, Count, nil, "Classes loaded since the start."},
		{"jvm_classes_unloaded_total", Counter, Count, nil, "Classes unloaded since the start."},
		{"jvm_compilation_time_seconds_total", Counter, Seconds, nil, "Time spent in the JIT compiler."},
		{"jvm_buffer_pool_used_bytes", Gauge, Bytes, []string{"pool"}, "Memory in use by java.nio buffers."},
		{"jvm_buffer_pool_capacity_bytes", Gauge, Bytes, []string{"pool"}, "Capacity of java.nio buffers."},
		{"jvm_buffer_pool_max_bytes", Gauge, Bytes, []string{"pool"}, "Most memory that direct buffers may use (-XX:MaxDirectMemorySize, else as much as the heap); of pool=\"direct\" alone."},
		{"jvm_buffer_pool_used_buffers", Gauge, Count, []string{"pool"}, "Number of java.nio buffers."},

		{"process_cpu_seconds_total", Counter, Seconds, nil, "CPU time of the JVM's process."},
		{"process_open_fds", Gauge, Count, nil, "Open file descriptors; absent on Windows."},
		{"process_max_fds", Gauge, Count, nil, "Most file descriptors the process may open; absent on Windows."},
		{"process_start_time_seconds", Gauge, Seconds, nil, "Start of the JVM since the Unix epoch. A change is a restart."},
		{"jvm_uptime_seconds", Gauge, Seconds, nil, "Age of the JVM."},
		{"jvm_cpu_recent_utilization_ratio", Gauge, Ratio, nil, "CPU use of the JVM as a share of all processors, between two polls of the slow tier."},
		{"jvm_system_cpu_utilization_ratio", Gauge, Ratio, nil, "CPU use of the whole machine or container, between two polls of the slow tier."},
		{"jvm_system_cpu_load_1m", Gauge, Count, nil, "Load average over one minute."},
		{"jvm_cpu_count", Gauge, Count, nil, "Processors the JVM may use."},
		{"jvm_runtime_info", Gauge, Flag, []string{"runtime", "vendor", "version"}, "Always 1; the labels name the virtual machine."},

		{"appserver_requests_total", Counter, Count, connectorLabels(), "Requests served. Tomcat's own counter has 32 bits; it is carried on."},
		{"appserver_request_errors_total", Counter, Count, connectorLabels(), "Requests that ended with an error."},
		{"appserver_request_duration_seconds_sum", Counter, Seconds, connectorLabels(), "Time spent on requests."},
		{"appserver_request_duration_max_seconds", Gauge, Seconds, connectorLabels(), "Longest request since the server started."},
		{"appserver_received_bytes_total", Counter, Bytes, connectorLabels(), "Bytes received."},
		{"appserver_sent_bytes_total", Counter, Bytes, connectorLabels(), "Bytes sent."},
		{"appserver_connections_current", Gauge, Count, connectorLabels(), "Open connections."},
		{"appserver_connections_keepalive", Gauge, Count, connectorLabels(), "Connections kept open without a request."},
		{"appserver_connections_max", Gauge, Count, connectorLabels(), "Most connections the server takes."},
		{"appserver_threads_current", Gauge, Count, workerLabels(), "Threads that serve requests."},
		{"appserver_threads_busy", Gauge, Count, workerLabels(), "Those of them that do."},
		{"appserver_threads_max", Gauge, Count, workerLabels(), "Most threads the pool may have."},
		{"appserver_queue_size", Gauge, Count, workerLabels(), "Requests that wait for a thread; Jetty and Undertow only."},
		{"appserver_sessions_active", Gauge, Count, sessionLabels(), "HTTP sessions."},
		{"appserver_sessions_created_total", Counter, Count, sessionLabels(), "HTTP sessions created."},
		{"appserver_sessions_expired_total", Counter, Count, sessionLabels(), "HTTP sessions that ended."},
		{"appserver_sessions_rejected_total", Counter, Count, sessionLabels(), "HTTP sessions refused."},
		{"jdbc_pool_connections", Gauge, Count, []string{"kind", "pool", "state"}, "Connections of a pool by state, used or idle."},
		{"jdbc_pool_connections_max", Gauge, Count, jdbcLabels(), "Most connections the pool may have."},
		{"jdbc_pool_connections_min_idle", Gauge, Count, jdbcLabels(), "Idle connections the pool keeps."},
		{"jdbc_pool_connections_max_idle", Gauge, Count, jdbcLabels(), "Most idle connections it keeps."},
		{"jdbc_pool_pending_requests", Gauge, Count, jdbcLabels(), "Threads that wait for a connection."},
		{"jdbc_pool_borrowed_total", Counter, Count, jdbcLabels(), "Connections borrowed."},
		{"jdbc_pool_returned_total", Counter, Count, jdbcLabels(), "Connections returned."},
		{"jdbc_pool_created_total", Counter, Count, jdbcLabels(), "Connections opened."},
		{"jdbc_pool_destroyed_total", Counter, Count, jdbcLabels(), "Connections closed."},
		{"jdbc_pool_abandoned_total", Counter, Count, jdbcLabels(), "Connections taken back because nobody returned them."},
		{"jdbc_pool_borrow_wait_mean_seconds", Gauge, Seconds, jdbcLabels(), "Mean wait for a connection; dbcp2 only."},
		{"jdbc_pool_borrow_wait_max_seconds", Gauge, Seconds, jdbcLabels(), "Longest wait for a connection; dbcp2 only."},

		{NameFindingObjects, Gauge, Count, findingLabels(), "Objects held by the problem that the last heap dump shows; the ten biggest findings."},
		{NameFindingBytes, Gauge, Bytes, findingLabels(), "Bytes that would go with the problem that the last heap dump shows; the ten biggest findings."},

		{NameInFlight, Gauge, Count, []string{"bucket"}, "Transactions in flight by age in seconds: 0-1, 1-3, 3-8, 8+. Those that are estimated from their thread by how long that has stood still."},
		{NameInFlightClass, Gauge, Count, []string{"wait"}, "Transactions in flight by what they spend their time on now; those nobody has looked at yet are in none."},
		{NameInFlightMax, Gauge, Seconds, nil, "Age of the oldest transaction in flight. Of one that is estimated from its thread, for how long that has stood still: it may be several in a row."},
		{NameSlow, Counter, Count, []string{"route"}, "Transactions that took longer than the threshold of their route. Paths are templated; past the first 200 routes they are summed as route=\"other\"."},
		{NameSlowClassSeconds, Counter, Seconds, []string{"wait"}, "Time that slow transactions spent, by what on; an estimate from samples, calibrated by what the JVM counts."},
		{NameSlowDurationBucket, Counter, Count, []string{"le"}, "Slow transactions of at most le seconds: the buckets of a histogram."},
		{NameSlowDurationSum, Counter, Seconds, nil, "Time that slow transactions took."},
		{NameSlowDurationCount, Counter, Count, nil, "Slow transactions."},
		{NameEdgeInFlight, Gauge, Count, edgeLabels(), "Transactions in flight that wait for a peer; their mean over time is the rate of calls times their response time. Peers past the first 50 are summed as peer=\"other\"."},
		{NameEdgeSlow, Counter, Count, edgeLabels(), "Slow transactions that were seen to wait for a peer."},
		{NameEdgeWait, Counter, Seconds, edgeLabels(), "Time that slow transactions were seen to wait for a peer; an estimate from samples. Divided by the number of them it is the response time as they saw it."},
		{NameEdgeRTT, Gauge, Seconds, edgeLabels(), "Least round trip of the last minutes between JVM and peer, as TCP measured it on the connection that was waited on last; absent where nobody waits, and on other hosts."},
	}
}

func areaLabel() []string       { return []string{"area"} }
func poolLabels() []string      { return []string{"area", "kind", "pool"} }
func gcLabels() []string        { return []string{"gc", "generation", "phase"} }
func findingLabels() []string   { return []string{"class", "kind", "severity"} }
func connectorLabels() []string { return []string{"connector", "server"} }
func workerLabels() []string    { return []string{"pool", "server"} }
func edgeLabels() []string      { return []string{"kind", "peer"} }
func sessionLabels() []string   { return []string{"context", "server", "vhost"} }
func jdbcLabels() []string      { return []string{"kind", "pool"} }

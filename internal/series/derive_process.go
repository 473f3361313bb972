package series

import "github.com/apm-sidecar/apm-sidecar/internal/jvm"

func (b *builder) activity(s *jvm.Snapshot) {
	if t := s.Threads; t != nil {
		b.count(nil, "jvm_threads_current", t.Current, 1)
		b.count(nil, "jvm_threads_daemon", t.Daemon, 1)
		b.count(nil, "jvm_threads_peak", t.Peak, 1)
		b.count(nil, "jvm_threads_started_total", t.Started, 1)
	}
	if o := s.OS; o != nil {
		b.count(nil, "process_cpu_seconds_total", o.CPUTimeNs, 1e9)
		b.count(nil, "process_open_fds", o.OpenFiles, 1)
		b.number("jvm_system_cpu_load_1m", o.LoadAverage)
	}
	if r := s.Runtime; r != nil {
		b.count(nil, "process_start_time_seconds", r.StartMs, 1000)
		b.count(nil, "jvm_uptime_seconds", r.UptimeMs, 1000)
	}
}

func (b *builder) slow(d *jvm.Details) {
	if c := d.Classes; c != nil {
		b.count(nil, "jvm_classes_currently_loaded", c.Loaded, 1)
		b.count(nil, "jvm_classes_loaded_total", c.LoadedTotal, 1)
		b.count(nil, "jvm_classes_unloaded_total", c.UnloadedTotal, 1)
	}
	b.count(nil, "jvm_compilation_time_seconds_total", d.CompilationMs, 1000)
	b.count(nil, "jvm_gc_cpu_seconds_total", d.GCCPUTimeNs, 1e9)
	for _, p := range d.Peaks {
		b.count(b.pool(p.Pool), "jvm_memory_pool_peak_used_bytes", p.UsedBytes, 1)
	}
	for _, p := range d.Buffers {
		pool := b.with(Label{"pool", p.Name})
		b.count(pool, "jvm_buffer_pool_used_bytes", p.UsedBytes, 1)
		b.count(pool, "jvm_buffer_pool_capacity_bytes", p.CapacityBytes, 1)
		b.count(pool, "jvm_buffer_pool_used_buffers", p.Count, 1)
		if p.Name == "direct" {
			b.count(pool, "jvm_buffer_pool_max_bytes", d.MaxDirectBytes, 1)
		}
	}
	b.count(nil, "process_max_fds", d.MaxFiles, 1)
	b.count(nil, "jvm_cpu_count", d.Processors, 1)
	b.number("jvm_cpu_recent_utilization_ratio", d.ProcessLoad)
	b.number("jvm_system_cpu_utilization_ratio", d.SystemLoad)
	if vm := d.VM; vm != nil && (vm.Name != "" || vm.Version != "") {
		b.addTo(b.with(Label{"runtime", vm.Name}, Label{"vendor", vm.Vendor}, Label{"version", vm.Version}), "jvm_runtime_info", 1)
	}
}

// threadStates gives every state a value: one that is not there is none.
func (b *builder) threadStates(s *jvm.ThreadStates) {
	if s.Count != nil {
		for _, state := range jvm.AllThreadStates() {
			b.addTo(b.with(Label{"state", string(state)}), "jvm_threads_state", float64(s.Count[state]))
		}
	}
	b.count(nil, "jvm_threads_deadlocked", s.Deadlocked, 1)
	b.count(nil, "jvm_threads_deadlocked_monitor", s.DeadlockedMonitor, 1)
}

package series

import "github.com/apm-sidecar/apm-sidecar/internal/jvm"

func (b *builder) activity(s *jvm.Snapshot) {
	if t := s.Threads; t != nil {
		b.count("jvm_threads_current", t.Current, 1)
		b.count("jvm_threads_daemon", t.Daemon, 1)
		b.count("jvm_threads_peak", t.Peak, 1)
		b.count("jvm_threads_started_total", t.Started, 1)
	}
	if c := s.Classes; c != nil {
		b.count("jvm_classes_currently_loaded", c.Loaded, 1)
		b.count("jvm_classes_loaded_total", c.LoadedTotal, 1)
		b.count("jvm_classes_unloaded_total", c.UnloadedTotal, 1)
	}
	b.count("jvm_compilation_time_seconds_total", s.CompilationMs, 1000)
}

func (b *builder) process(s *jvm.Snapshot) {
	if o := s.OS; o != nil {
		b.count("process_cpu_seconds_total", o.CPUTimeNs, 1e9)
		b.count("process_open_fds", o.OpenFiles, 1)
		b.count("process_max_fds", o.MaxFiles, 1)
		b.share("jvm_cpu_recent_utilization_ratio", o.ProcessLoad)
		b.share("jvm_system_cpu_utilization_ratio", o.SystemLoad)
		b.share("jvm_system_cpu_load_1m", o.LoadAverage)
		b.count("jvm_cpu_count", o.Processors, 1)
	}
	if r := s.Runtime; r != nil {
		b.count("process_start_time_seconds", r.StartMs, 1000)
		b.count("jvm_uptime_seconds", r.UptimeMs, 1000)
		if r.Name != "" || r.Version != "" {
			b.add("jvm_runtime_info", 1, Label{"runtime", r.Name}, Label{"vendor", r.Vendor}, Label{"version", r.Version})
		}
	}
}

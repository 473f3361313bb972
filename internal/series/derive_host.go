package series

import (
	"slices"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// Host gives the samples of the machine beside the JVM.
func (d *Deriver) Host(h *jvm.Host) []Sample {
	b := d.host.at(h.Time.UnixMilli())
	b.cpus(h.CPUs)
	b.number("node_load1", h.Load1)
	b.number("node_load5", h.Load5)
	b.number("node_load15", h.Load15)
	for _, m := range hostMemory() {
		if v, ok := h.Memory[m.field]; ok {
			b.add(m.metric, float64(v))
		}
	}
	b.count(nil, "node_vmstat_pswpin", h.SwapIn, 1)
	b.count(nil, "node_vmstat_pswpout", h.SwapOut, 1)
	for _, disk := range h.Disks {
		own := b.with(Label{"device", disk.Name})
		b.addTo(own, "node_disk_read_bytes_total", float64(disk.ReadBytes))
		b.addTo(own, "node_disk_written_bytes_total", float64(disk.WrittenBytes))
		b.addTo(own, "node_disk_io_time_seconds_total", disk.BusySeconds)
	}
	for _, f := range h.Filesystems {
		own := b.with(Label{"device", f.Device}, Label{"fstype", f.Type}, Label{"mountpoint", f.Mount})
		b.addTo(own, "node_filesystem_size_bytes", float64(f.SizeBytes))
		b.addTo(own, "node_filesystem_free_bytes", float64(f.FreeBytes))
		b.addTo(own, "node_filesystem_avail_bytes", float64(f.LeftBytes))
	}
	b.count(nil, "node_filefd_allocated", h.FilesAllocated, 1)
	b.count(nil, "node_filefd_maximum", h.FilesMax, 1)
	b.count(nil, "process_resident_memory_bytes", h.ResidentBytes, 1)
	b.count(nil, "process_virtual_memory_bytes", h.VirtualBytes, 1)
	b.count(nil, "process_swap_bytes", h.SwapBytes, 1)
	b.cgroup(h.Cgroup)
	return b.done()
}

// HostGone ends the series of the machine: the JVM's process is not known any more.
func (d *Deriver) HostGone(timeMs int64) []Sample { return d.host.end(timeMs) }

func (b *builder) cpus(cpus []jvm.CPU) {
	modes := jvm.CPUModes()
	for _, cpu := range cpus {
		for i, seconds := range cpu.Seconds {
			b.addTo(b.with(Label{"cpu", cpu.Name}, Label{"mode", modes[i]}), "node_cpu_seconds_total", seconds)
		}
	}
}

func (b *builder) cgroup(c jvm.Cgroup) {
	b.count(nil, "container_spec_memory_limit_bytes", c.MemoryLimitBytes, 1)
	b.count(nil, "container_memory_usage_bytes", c.MemoryUsedBytes, 1)
	if used, ok := c.MemoryUsedBytes.Get(); ok {
		b.add("container_memory_working_set_bytes", float64(max(0, used-c.MemoryCacheBytes.Or(0))))
	}
	b.count(nil, "container_spec_cpu_quota", c.CPUQuotaUs, 1)
	b.count(nil, "container_spec_cpu_period", c.CPUPeriodUs, 1)
	b.count(nil, "container_cpu_cfs_periods_total", c.Periods, 1)
	b.count(nil, "container_cpu_cfs_throttled_periods_total", c.Throttled, 1)
	b.number("container_cpu_cfs_throttled_seconds_total", c.ThrottledSeconds)
	b.count(nil, "container_threads", c.Threads, 1)
	b.count(nil, "container_threads_max", c.ThreadsMax, 1)
}

type hostField struct{ field, metric string }

// hostMemory are the kernel's figures and node_exporter's names for them.
func hostMemory() []hostField {
	return []hostField{
		{"MemTotal", "node_memory_MemTotal_bytes"}, {"MemFree", "node_memory_MemFree_bytes"}, {"MemAvailable", "node_memory_MemAvailable_bytes"},
		{"Buffers", "node_memory_Buffers_bytes"}, {"Cached", "node_memory_Cached_bytes"},
		{"SwapTotal", "node_memory_SwapTotal_bytes"}, {"SwapFree", "node_memory_SwapFree_bytes"},
	}
}

// hostMetrics are the part of the catalogue that a machine gives.
func hostMetrics() []Metric {
	disk, files := []string{"device"}, []string{"device", "fstype", "mountpoint"}
	list := []Metric{
		{"node_cpu_seconds_total", Counter, Seconds, []string{"cpu", "mode"}, "Time that a processor of the machine spent in a mode, iowait among them."},
		{"node_load1", Gauge, Count, nil, "Load average over one minute."},
		{"node_load5", Gauge, Count, nil, "Load average over five minutes."},
		{"node_load15", Gauge, Count, nil, "Load average over fifteen minutes."},
	}
	for _, m := range hostMemory() {
		list = append(list, Metric{m.metric, Gauge, Bytes, nil, m.field + " of the machine's /proc/meminfo."})
	}
	return slices.Concat(list, []Metric{
		{"node_vmstat_pswpin", Gauge, Count, nil, "Pages read from swap since the boot."},
		{"node_vmstat_pswpout", Gauge, Count, nil, "Pages written to swap since the boot."},
		{"node_disk_read_bytes_total", Counter, Bytes, disk, "Bytes read from a disk."},
		{"node_disk_written_bytes_total", Counter, Bytes, disk, "Bytes written to a disk."},
		{"node_disk_io_time_seconds_total", Counter, Seconds, disk, "Time in which a disk had anything to do."},
		{"node_filesystem_size_bytes", Gauge, Bytes, files, "Size of a local file system."},
		{"node_filesystem_free_bytes", Gauge, Bytes, files, "Free space of a local file system."},
		{"node_filesystem_avail_bytes", Gauge, Bytes, files, "Free space of a local file system for others than root."},
		{"node_filefd_allocated", Gauge, Count, nil, "File descriptors open on the machine."},
		{"node_filefd_maximum", Gauge, Count, nil, "Most file descriptors the machine allows."},
		{"process_resident_memory_bytes", Gauge, Bytes, nil, "Memory of the JVM's process that is in the machine's memory."},
		{"process_virtual_memory_bytes", Gauge, Bytes, nil, "Address space of the JVM's process."},
		{"process_swap_bytes", Gauge, Bytes, nil, "Memory of the JVM's process that is swapped out."},
		{"container_spec_memory_limit_bytes", Gauge, Bytes, nil, "Memory limit of the JVM's control group; absent without one."},
		{"container_memory_usage_bytes", Gauge, Bytes, nil, "Memory used by the control group, file cache included."},
		{"container_memory_working_set_bytes", Gauge, Bytes, nil, "The same without cache that is not in use: what counts against the limit."},
		{"container_spec_cpu_quota", Gauge, Count, nil, "Microseconds of CPU time that the control group may use in each period; absent without a limit."},
		{"container_spec_cpu_period", Gauge, Count, nil, "Length of a period in microseconds."},
		{"container_cpu_cfs_periods_total", Counter, Count, nil, "Periods in which the control group ran."},
		{"container_cpu_cfs_throttled_periods_total", Counter, Count, nil, "Periods in which it was stopped, its quota being used up."},
		{"container_cpu_cfs_throttled_seconds_total", Counter, Seconds, nil, "Time for which it was stopped."},
		{"container_threads", Gauge, Count, nil, "Threads of all processes of the control group, or of the group above it that is nearest to its limit; absent without a limit."},
		{"container_threads_max", Gauge, Count, nil, "Most threads that group may have."},
	})
}

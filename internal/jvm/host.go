package jvm

import "time"

// Host is the machine that a JVM runs on, and the JVM's process as that machine sees
// it. The rules of a Snapshot hold.
type Host struct {
	Time time.Time
	// CPUs are in the kernel's order.
	CPUs []CPU
	// Load1, Load5 and Load15 are the mean length of the run queue, in minutes.
	Load1, Load5, Load15 Opt[float64]
	// Memory are the kernel's figures in bytes by its names, such as MemAvailable.
	Memory map[string]int64
	// SwapIn and SwapOut are pages since the boot.
	SwapIn, SwapOut Opt[int64]
	Disks           []Disk
	Filesystems     []Filesystem
	// FilesAllocated and FilesMax are the descriptors of the whole machine.
	FilesAllocated, FilesMax Opt[int64]

	// ResidentBytes, VirtualBytes and SwapBytes are the process's.
	ResidentBytes, VirtualBytes, SwapBytes Opt[int64]
	Cgroup                                 Cgroup
}

// CPU is the time that one processor has spent in each mode since the boot.
type CPU struct {
	Name string
	// Seconds are in the order of CPUModes.
	Seconds []float64
}

// CPUModes are node_exporter's words for the columns of /proc/stat, in its order.
func CPUModes() []string {
	return []string{"user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"}
}

// Disk is a block device since the boot.
type Disk struct {
	Name                    string
	ReadBytes, WrittenBytes int64
	// BusySeconds is the time in which it had anything to do.
	BusySeconds float64
}

// Filesystem is a mounted one with a disk behind it.
type Filesystem struct {
	Device, Mount, Type             string
	SizeBytes, FreeBytes, LeftBytes int64 // LeftBytes is what others than root may use
}

// Cgroup is the process's control group: its bounds, and what it uses of them.
type Cgroup struct {
	MemoryLimitBytes, MemoryUsedBytes, MemoryCacheBytes Opt[int64]
	// CPUQuotaUs in each CPUPeriodUs is what its processes may use together; no quota
	// is no bound.
	CPUQuotaUs, CPUPeriodUs Opt[int64]
	// Periods are those in which it ran, Throttled those in which it was stopped.
	Periods, Throttled Opt[int64]
	ThrottledSeconds   Opt[float64]
	// Threads and ThreadsMax are those of the group, or of the one above it that is nearest to
	// its limit; without a limit both are missing.
	Threads, ThreadsMax Opt[int64]
}

package host

import (
	"fmt"
	"path"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// unlimited is from where on a limit of version 1 means none: the kernel says the
// greatest multiple of a page that fits.
const unlimited = 1 << 60

// cgroup reads the control group of a process, of version 1 or 2 (cgroup-v2.rst and
// the documents on memory and cpu of version 1, in the kernel's tree). A process in a
// container sees its own group as the root: where the group's path does not exist,
// the root is taken.
func (h *Host) cgroup(pid int) jvm.Cgroup {
	var c jvm.Cgroup
	for line := range strings.Lines(h.text(fmt.Sprintf("proc/%d/cgroup", pid))) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		if parts[0] == "0" && parts[1] == "" {
			h.cgroup2(&c, parts[2])
			continue
		}
		for controller := range strings.SplitSeq(parts[1], ",") {
			h.cgroup1(&c, parts[1], controller, parts[2])
		}
	}
	return c
}

func (h *Host) cgroup2(c *jvm.Cgroup, group string) {
	read := func(name string) string {
		for _, base := range []string{"sys/fs/cgroup", "sys/fs/cgroup/unified"} {
			for _, dir := range []string{path.Join(base, group), base} {
				if s := h.text(path.Join(dir, name)); s != "" {
					return strings.TrimSpace(s)
				}
			}
		}
		return ""
	}
	if used := integer(read("memory.current")); used.Known() {
		c.MemoryUsedBytes = used
		c.MemoryLimitBytes = integer(read("memory.max")) // "max" is none
		c.MemoryCacheBytes = integer(pairs(read("memory.stat"))["inactive_file"])
	}
	for _, base := range []string{"sys/fs/cgroup", "sys/fs/cgroup/unified"} {
		h.threads(c, base, group)
	}
	if f := strings.Fields(read("cpu.max")); len(f) == 2 {
		c.CPUQuotaUs, c.CPUPeriodUs = integer(f[0]), integer(f[1])
	}
	stat := pairs(read("cpu.stat"))
	if periods := integer(stat["nr_periods"]); periods.Known() {
		c.Periods, c.Throttled = periods, integer(stat["nr_throttled"])
		c.ThrottledSeconds = scale(stat["throttled_usec"], 1e6)
	}
}

func (h *Host) cgroup1(c *jvm.Cgroup, mounted, controller, group string) {
	read := func(name string) string {
		for _, base := range []string{"sys/fs/cgroup/" + mounted, "sys/fs/cgroup/" + controller} {
			for _, dir := range []string{path.Join(base, group), base} {
				if s := h.text(path.Join(dir, name)); s != "" {
					return strings.TrimSpace(s)
				}
			}
		}
		return ""
	}
	switch controller {
	case "memory":
		c.MemoryUsedBytes = integer(read("memory.usage_in_bytes"))
		c.MemoryCacheBytes = integer(pairs(read("memory.stat"))["total_inactive_file"])
		if limit := integer(read("memory.limit_in_bytes")); limit.Or(unlimited) < unlimited {
			c.MemoryLimitBytes = limit
		}
	case "cpu":
		if quota := integer(read("cpu.cfs_quota_us")); quota.Or(-1) > 0 {
			c.CPUQuotaUs = quota
		}
		c.CPUPeriodUs = integer(read("cpu.cfs_period_us"))
		stat := pairs(read("cpu.stat"))
		c.Periods, c.Throttled = integer(stat["nr_periods"]), integer(stat["nr_throttled"])
		c.ThrottledSeconds = scale(stat["throttled_time"], 1e9)
	case "pids":
		h.threads(c, "sys/fs/cgroup/pids", group)
	}
}

// threads takes the group's number of threads and its limit, or those of the group above it that is
// nearest to its limit: Kubernetes limits the pod, not the container. See pids.rst in the
// kernel's tree, where each thread is a process.
func (h *Host) threads(c *jvm.Cgroup, base, group string) {
	for dir := path.Join("/", group); ; dir = path.Dir(dir) {
		used, most := integer(strings.TrimSpace(h.text(path.Join(base, dir, "pids.current")))), integer(strings.TrimSpace(h.text(path.Join(base, dir, "pids.max"))))
		if used.Known() && most.Known() && used.Or(0)*c.ThreadsMax.Or(1) >= c.Threads.Or(0)*most.Or(1) {
			c.Threads, c.ThreadsMax = used, most
		}
		if dir == "/" {
			return
		}
	}
}

func scale(s string, divisor float64) jvm.Opt[float64] {
	n, ok := number(s).Get()
	if !ok {
		return jvm.Opt[float64]{}
	}
	return jvm.Some(n / divisor)
}

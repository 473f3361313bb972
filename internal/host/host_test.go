package host_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/host"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// bootSeconds is the boot of the machines in these tests, startMs the start of their JVM.
const (
	bootSeconds = 1_700_000_000
	startMs     = (bootSeconds + 500) * 1000
)

// files are a root file system with the given files.
func files(content map[string]string) fstest.MapFS {
	out := fstest.MapFS{"proc/stat": {Data: fmt.Appendf(nil, "cpu  1 2 3 4 5 6 7 8 0 0\ncpu0 100 200 300 400 500 600 700 800 0 0\nintr 1\nbtime %d\n", bootSeconds)}}
	for name, text := range content {
		out[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

// process are the files of a process that started so many hundredths of a second after
// the boot, with its ids from outside to inside.
func process(pid int, ids string, ticks int) map[string]string {
	return map[string]string{
		fmt.Sprintf("proc/%d/status", pid): "Name:\tjava\nNSpid:\t" + ids + "\nVmSize:\t2048 kB\nVmRSS:\t1024 kB\nVmSwap:\t 4 kB\n",
		fmt.Sprintf("proc/%d/stat", pid):   fmt.Sprintf("%d (a) b) S 1 1 1 0 -1 4194304 1 0 0 0 1 1 0 0 20 0 1 0 %d 1 1", pid, ticks),
	}
}

func join(parts ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, p := range parts {
		for k, v := range p {
			out[k] = v
		}
	}
	return out
}

func TestFind(t *testing.T) {
	t.Parallel()
	local, err := jvm.ParseTarget("http://127.0.0.1:8778/")
	require.NoError(t, err)
	away, err := jvm.ParseTarget("http://10.9.8.7:8778/")
	require.NoError(t, err)
	f := func(name string, want int, reason string, content map[string]string, target jvm.Target, says string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := host.New(host.Options{Root: files(content), Hostname: "here", Addresses: []string{"10.0.0.1"}})
			pid, err := h.Find(target, jvm.VM{Process: says}, startMs)
			if reason != "" {
				require.ErrorContains(t, err, reason)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, want, pid)
		})
	}
	f("by its own id and the address", 42, "", process(42, "42", 50_100), local, "42@else")
	f("by its own id and the name", 42, "", process(42, "42", 50_100), away, "42@here")
	f("in a container", 4711, "", join(process(4711, "4711 1", 50_100), map[string]string{"proc/4711/root/etc/hostname": "c0ffee\n"}), away, "1@c0ffee")
	f("another process took the id", 0, "0 processes", process(42, "42", 90_000), local, "42@here")
	f("the same id and start elsewhere", 0, "neither the host", process(4711, "4711 1", 50_100), away, "1@c0ffee")
	f("two containers that started together", 0, "2 processes", join(process(10, "10 1", 50_100), process(11, "11 1", 50_000)), local, "1@x")
	f("a kernel without namespaces", 42, "", map[string]string{"proc/42/status": "Name:\tjava\n", "proc/42/stat": process(42, "42", 50_100)["proc/42/stat"]}, local, "42@here")
	f("no id", 0, "does not say", nil, local, "whoever")
	f("a broken stat", 0, "0 processes", join(process(42, "42", 50_100), map[string]string{"proc/42/stat": "42 (x"}), local, "42@here")
	_, err = host.New(host.Options{}).Find(local, jvm.VM{Process: "1@x"}, startMs)
	require.Error(t, err)
}

func TestRead(t *testing.T) {
	t.Parallel()
	root := files(join(process(42, "42", 1), map[string]string{
		"proc/loadavg":        "0.50 1.50 2.50 1/100 42\n",
		"proc/meminfo":        "MemTotal:       1000 kB\nMemAvailable:    500 kB\nHugePages_Total:       7\n",
		"proc/vmstat":         "pswpin 3\npswpout 4\n",
		"proc/sys/fs/file-nr": "960\t0\t1000\n",
		"proc/diskstats":      "   8 0 sda 1 2 10 4 5 6 20 8 0 1500 9 0 0\n   8 1 sda1 1 2 10 4 5 6 20 8 0 1500 9 0 0\n   7 0 loop0 1 2 10 4 5 6 20 8 0 1500 9 0 0\n",
		"sys/block/sda/size":  "1\n",
		"proc/self/mounts":    "/dev/sda1 / ext4 rw 0 0\nserver:/x /nfs nfs rw 0 0\n/dev/sda2 /my\\040disk xfs rw 0 0\n/dev/sda1 /again ext4 rw 0 0\n",
	}))
	statfs := func(path string) (int64, int64, int64, error) {
		if path == "/nfs" {
			return 0, 0, 0, errors.New("would hang")
		}
		return 100, 50, 40, nil
	}
	h, err := host.New(host.Options{Root: root, Statfs: statfs}).Read(42)
	require.NoError(t, err)
	assert.Equal(t, []jvm.CPU{{Name: "0", Seconds: []float64{1, 2, 3, 4, 5, 6, 7, 8}}}, h.CPUs)
	assert.Equal(t, jvm.Some(2.5), h.Load15)
	assert.Equal(t, map[string]int64{"MemTotal": 1000 << 10, "MemAvailable": 500 << 10}, h.Memory)
	assert.Equal(t, jvm.Some[int64](4), h.SwapOut)
	assert.Equal(t, jvm.Some[int64](1000), h.FilesMax)
	assert.Equal(t, []jvm.Disk{{Name: "sda", ReadBytes: 5120, WrittenBytes: 10240, BusySeconds: 1.5}}, h.Disks)
	assert.Equal(t, []jvm.Filesystem{{Device: "/dev/sda1", Mount: "/", Type: "ext4", SizeBytes: 100, FreeBytes: 50, LeftBytes: 40},
		{Device: "/dev/sda2", Mount: "/my disk", Type: "xfs", SizeBytes: 100, FreeBytes: 50, LeftBytes: 40}}, h.Filesystems)
	assert.Equal(t, jvm.Some[int64](1<<20), h.ResidentBytes)
	assert.Equal(t, jvm.Some[int64](4096), h.SwapBytes)
	assert.Equal(t, jvm.Cgroup{}, h.Cgroup)

	_, err = host.New(host.Options{Root: root}).Read(43)
	require.Error(t, err, "it has ended")
}

func TestCgroups(t *testing.T) {
	t.Parallel()
	f := func(name string, content map[string]string, want jvm.Cgroup) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, err := host.New(host.Options{Root: files(join(process(42, "42", 1), content))}).Read(42)
			require.NoError(t, err)
			assert.Equal(t, want, h.Cgroup)
		})
	}
	n := jvm.Some[int64]
	limited := jvm.Cgroup{MemoryLimitBytes: n(1000), MemoryUsedBytes: n(900), MemoryCacheBytes: n(300), CPUQuotaUs: n(50_000), CPUPeriodUs: n(100_000),
		Periods: n(10), Throttled: n(3), ThrottledSeconds: jvm.Some(1.5)}
	v2 := func(dir string) map[string]string {
		return map[string]string{"proc/42/cgroup": "0::/app.slice\n", dir + "/memory.current": "900\n", dir + "/memory.max": "1000\n", dir + "/memory.stat": "anon 600\ninactive_file 300\n",
			dir + "/cpu.max": "50000 100000\n", dir + "/cpu.stat": "usage_usec 1\nnr_periods 10\nnr_throttled 3\nthrottled_usec 1500000\n"}
	}
	f("version 2", v2("sys/fs/cgroup/app.slice"), limited)
	f("version 2 seen from a container", v2("sys/fs/cgroup"), limited)
	f("version 2 without limits", map[string]string{"proc/42/cgroup": "0::/\n", "sys/fs/cgroup/memory.current": "900\n", "sys/fs/cgroup/memory.max": "max\n", "sys/fs/cgroup/cpu.max": "max 100000\n"},
		jvm.Cgroup{MemoryUsedBytes: n(900), CPUPeriodUs: n(100_000)})
	f("version 1", map[string]string{"proc/42/cgroup": "4:cpu,cpuacct:/a\n3:memory:/a\n1:name=systemd:/a\n", "sys/fs/cgroup/memory/a/memory.usage_in_bytes": "900\n",
		"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "1000\n", "sys/fs/cgroup/memory/a/memory.stat": "total_inactive_file 300\n", "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": "50000\n",
		"sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us": "100000\n", "sys/fs/cgroup/cpu,cpuacct/a/cpu.stat": "nr_periods 10\nnr_throttled 3\nthrottled_time 1500000000\n"}, limited)
	f("version 1 without limits", map[string]string{"proc/42/cgroup": "4:cpu:/\n3:memory:/\n", "sys/fs/cgroup/memory/memory.usage_in_bytes": "900\n",
		"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n", "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n"}, jvm.Cgroup{MemoryUsedBytes: n(900)})
	threads := func(base string) map[string]string {
		return map[string]string{base + "/pids.current": "9000\n", base + "/pids.max": "32000\n", base + "/pod/pids.current": "950\n", base + "/pod/pids.max": "1000\n",
			base + "/pod/jvm/pids.current": "940\n", base + "/pod/jvm/pids.max": "max\n"}
	}
	f("threads of a pod, version 2", join(threads("sys/fs/cgroup"), map[string]string{"proc/42/cgroup": "0::/pod/jvm\n"}), jvm.Cgroup{Threads: n(950), ThreadsMax: n(1000)})
	f("threads of a pod, version 1", join(threads("sys/fs/cgroup/pids"), map[string]string{"proc/42/cgroup": "8:pids:/pod/jvm\n"}), jvm.Cgroup{Threads: n(950), ThreadsMax: n(1000)})
	f("threads of a container, seen from inside", map[string]string{"proc/42/cgroup": "0::/\n", "sys/fs/cgroup/pids.current": "7\n", "sys/fs/cgroup/pids.max": "512\n"}, jvm.Cgroup{Threads: n(7), ThreadsMax: n(512)})
}

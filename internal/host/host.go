package host

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// ticksPerSecond is the kernel's USER_HZ, which is 100 wherever Go runs.
const ticksPerSecond = 100

// sectorBytes is the unit of /proc/diskstats whatever the disk's own is.
const sectorBytes = 512

// Options say where to look. The zero value finds nothing.
type Options struct {
	// Root is the root of the file system, such as os.DirFS("/").
	Root fs.FS
	// Hostname is this machine's name, Addresses its addresses.
	Hostname  string
	Addresses []string
	// Statfs measures the file system at a path; nil measures none.
	Statfs func(path string) (size, free, left int64, err error)
}

// Host reads this machine. Safe for concurrent use.
type Host struct{ opts Options }

// New is a Host.
func New(opts Options) *Host { return &Host{opts: opts} }

// Read reads the machine and the process with the given id. What cannot be read is
// missing; an error means that the process is gone.
func (h *Host) Read(pid int) (*jvm.Host, error) {
	status, err := h.fields(fmt.Sprintf("proc/%d/status", pid))
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	out := &jvm.Host{
		Time:          time.Now(),
		ResidentBytes: kibibytes(status["VmRSS"]),
		VirtualBytes:  kibibytes(status["VmSize"]),
		SwapBytes:     kibibytes(status["VmSwap"]),
		CPUs:          h.cpus(),
		Memory:        h.memory(),
		Disks:         h.disks(),
		Filesystems:   h.filesystems(),
		Cgroup:        h.cgroup(pid),
	}
	if f := strings.Fields(h.text("proc/loadavg")); len(f) >= 3 {
		out.Load1, out.Load5, out.Load15 = number(f[0]), number(f[1]), number(f[2])
	}
	vmstat := pairs(h.text("proc/vmstat"))
	out.SwapIn, out.SwapOut = integer(vmstat["pswpin"]), integer(vmstat["pswpout"])
	if f := strings.Fields(h.text("proc/sys/fs/file-nr")); len(f) == 3 {
		out.FilesAllocated, out.FilesMax = integer(f[0]), integer(f[2])
	}
	return out, nil
}

// cpus reads the lines cpu0, cpu1, ... of /proc/stat (proc_stat(5)).
func (h *Host) cpus() []jvm.CPU {
	var cpus []jvm.CPU
	for line := range strings.Lines(h.text("proc/stat")) {
		f := strings.Fields(line)
		name, isCPU := strings.CutPrefix(first(f), "cpu")
		modes := len(jvm.CPUModes())
		if !isCPU || name == "" || len(f) < 1+modes {
			continue
		}
		cpu := jvm.CPU{Name: name, Seconds: make([]float64, modes)}
		for i := range modes {
			cpu.Seconds[i] = number(f[1+i]).Or(0) / ticksPerSecond
		}
		cpus = append(cpus, cpu)
	}
	return cpus
}

// memory reads the figures of /proc/meminfo that are in kB.
func (h *Host) memory() map[string]int64 {
	fields, err := h.fields("proc/meminfo")
	if err != nil {
		return nil
	}
	out := map[string]int64{}
	for _, name := range MemoryFields() {
		if v, ok := kibibytes(fields[name]).Get(); ok {
			out[name] = v
		}
	}
	return out
}

// MemoryFields are the figures of /proc/meminfo that are kept.
func MemoryFields() []string {
	return []string{"MemTotal", "MemFree", "MemAvailable", "Buffers", "Cached", "SwapTotal", "SwapFree"}
}

// disks reads whole devices from /proc/diskstats (iostats.rst of the kernel): those
// that have a folder of their own under /sys/block, but for loop and RAM disks.
func (h *Host) disks() []jvm.Disk {
	var disks []jvm.Disk
	for line := range strings.Lines(h.text("proc/diskstats")) {
		f := strings.Fields(line)
		if len(f) < 13 || strings.HasPrefix(f[2], "loop") || strings.HasPrefix(f[2], "ram") {
			continue
		}
		if _, err := fs.Stat(h.opts.Root, "sys/block/"+strings.ReplaceAll(f[2], "/", "!")); err != nil {
			continue
		}
		disks = append(disks, jvm.Disk{
			Name:         f[2],
			ReadBytes:    integer(f[5]).Or(0) * sectorBytes,
			WrittenBytes: integer(f[9]).Or(0) * sectorBytes,
			BusySeconds:  number(f[12]).Or(0) / 1000,
		})
	}
	return disks
}

// maxFilesystems bounds those that are measured.
const maxFilesystems = 32

// filesystems measures those with a local disk behind them. One on a network could
// keep us waiting for ever.
func (h *Host) filesystems() []jvm.Filesystem {
	var out []jvm.Filesystem
	seen := map[string]bool{}
	for line := range strings.Lines(h.text("proc/self/mounts")) {
		f := strings.Fields(line)
		if h.opts.Statfs == nil || len(f) < 3 || len(out) == maxFilesystems || seen[f[0]] || !isLocal(f[2]) {
			continue
		}
		mount := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\134`, `\`).Replace(f[1])
		size, free, left, err := h.opts.Statfs(mount)
		if err != nil || size == 0 {
			continue
		}
		seen[f[0]] = true
		out = append(out, jvm.Filesystem{Device: f[0], Mount: mount, Type: f[2], SizeBytes: size, FreeBytes: free, LeftBytes: left})
	}
	return out
}

func isLocal(kind string) bool {
	switch kind {
	case "ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "overlay":
		return true
	}
	return false
}

// text is the content of a file of the kernel's, empty if it cannot be read.
func (h *Host) text(path string) string {
	b, err := fs.ReadFile(h.opts.Root, path)
	if err != nil {
		return ""
	}
	return string(b)
}

// fields reads lines of "name: value".
func (h *Host) fields(path string) (map[string]string, error) {
	b, err := fs.ReadFile(h.opts.Root, path)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for line := range strings.Lines(string(b)) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			out[name] = strings.TrimSpace(value)
		}
	}
	return out, nil
}

// pairs reads lines of "name value".
func pairs(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) == 2 {
			out[f[0]] = f[1]
		}
	}
	return out
}

func first(f []string) string {
	if len(f) == 0 {
		return ""
	}
	return f[0]
}

// kibibytes reads "123 kB" as bytes.
func kibibytes(s string) jvm.Opt[int64] {
	n, ok := integer(strings.TrimSuffix(s, " kB")).Get()
	if !ok {
		return jvm.Opt[int64]{}
	}
	return jvm.Some(n << 10)
}

func integer(s string) jvm.Opt[int64] {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return jvm.Opt[int64]{}
	}
	return jvm.Some(n)
}

func number(s string) jvm.Opt[float64] {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return jvm.Opt[float64]{}
	}
	return jvm.Some(n)
}

package host

import (
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// Find looks for the process of a JVM on this machine by what the JVM says of
// itself: its "pid@host" and its start. In a container the id is that of the
// container. The process must be the only one with that id and start, and the name
// or the target's address must be this machine's: a JVM that only might be here is
// none of ours. The error says what speaks against it.
func (h *Host) Find(t jvm.Target, vm jvm.VM, startMs int64) (pid int, err error) {
	id, name, ok := strings.Cut(vm.Process, "@")
	inside, errID := strconv.Atoi(id)
	if !ok || errID != nil || h.opts.Root == nil {
		return 0, fmt.Errorf("the JVM does not say its process id (%q)", vm.Process)
	}
	boot, ok := h.bootMs()
	if !ok {
		return 0, fmt.Errorf("this system does not say when it booted")
	}
	var found []int
	entries, err := fs.ReadDir(h.opts.Root, "proc")
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		outside, err := strconv.Atoi(e.Name())
		if err != nil || !h.hasID(outside, inside) {
			continue
		}
		started, ok := h.startMs(outside, boot)
		if ok && isStart(started, startMs) {
			found = append(found, outside)
		}
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("%d processes here have the id %d and the JVM's start", len(found), inside)
	}
	if !h.isHere(found[0], t, name) {
		return 0, fmt.Errorf("process %d has the JVM's id and start, but neither the host %q nor the target's address is this machine's", found[0], name)
	}
	return found[0], nil
}

// hasID tells whether a process has the id in its innermost namespace.
func (h *Host) hasID(outside, inside int) bool {
	status, err := h.fields(fmt.Sprintf("proc/%d/status", outside))
	if err != nil {
		return false
	}
	ids := strings.Fields(status["NSpid"])
	if len(ids) == 0 {
		return outside == inside
	}
	return ids[len(ids)-1] == strconv.Itoa(inside)
}

// bootMs is the boot in milliseconds since the Unix epoch.
func (h *Host) bootMs() (int64, bool) {
	for line := range strings.Lines(h.text("proc/stat")) {
		if s, ok := strings.CutPrefix(line, "btime "); ok {
			seconds, ok := integer(strings.TrimSpace(s)).Get()
			return seconds * 1000, ok
		}
	}
	return 0, false
}

// startMs is the start of a process: field 22 of its stat, counted behind the name,
// which may hold anything (proc_pid_stat(5)).
func (h *Host) startMs(pid int, bootMs int64) (int64, bool) {
	stat := h.text(fmt.Sprintf("proc/%d/stat", pid))
	end := strings.LastIndexByte(stat, ')')
	f := strings.Fields(stat[end+1:])
	if end < 0 || len(f) < 20 {
		return 0, false
	}
	ticks, ok := integer(f[19]).Get()
	return bootMs + ticks*1000/ticksPerSecond, ok
}

// isHere tells whether the JVM's host name is this machine's or its container's, or
// the target's address is one of this machine's.
func (h *Host) isHere(pid int, t jvm.Target, name string) bool {
	if name != "" && (name == h.opts.Hostname || name == strings.TrimSpace(h.text(fmt.Sprintf("proc/%d/root/etc/hostname", pid)))) {
		return true
	}
	u, err := url.Parse(t.URL)
	if err != nil {
		return false
	}
	host := u.Hostname()
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		return true
	}
	return host == "localhost" || host == h.opts.Hostname || slices.Contains(h.opts.Addresses, host)
}

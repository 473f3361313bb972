package agent

import (
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// beside is the machine of one JVM, where it is the sidecar's own.
type beside struct {
	machine Machine
	// pid is the JVM's process, 0 if it is not here; it belongs to the start.
	pid     int
	startMs int64
}

// readHost reads the machine beside the JVM, having looked for the JVM's process once
// after each start of it.
func (w *watcher) readHost(vm *jvm.VM) {
	b := &w.beside
	if b.machine == nil || vm == nil || w.startMs == 0 {
		return
	}
	if b.startMs != w.startMs {
		pid, err := b.machine.Find(w.target, *vm, w.startMs)
		b.pid, b.startMs = pid, w.startMs
		if err != nil {
			w.log.Debug("the JVM is not on this machine", "reason", err)
		} else {
			w.log.Debug("the JVM is on this machine", "pid", pid)
		}
	}
	if b.pid == 0 {
		w.keep(w.deriver.HostGone(time.Now().UnixMilli()))
		return
	}
	h, err := b.machine.Read(b.pid)
	if err != nil {
		w.log.Debug("the machine beside the JVM cannot be read", "error", err)
		return
	}
	w.keep(w.deriver.Host(h))
}

package agent

import (
	"github.com/apm-sidecar/apm-sidecar/internal/host"
	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// processView looks at the JVM's process, where it is on this host: how long its
// threads wait for a processor.
type processView struct {
	process *host.Process
	startMs int64
}

// queued fills in what the workers have waited for a processor.
func (v *processView) queued(r *jvm.Requests, workers map[string]int64) {
	start, known := r.StartMs.Get()
	pid, ok := r.PID.Get()
	if !known || !ok {
		return
	}
	if start != v.startMs {
		v.process, v.startMs = host.Find("/", pid, start), start
	}
	if v.process == nil {
		return
	}
	for name, id := range workers {
		used := r.Workers[name]
		if ns, ok := v.process.RunQueueNs(id, used.CPUNs.Or(0), r.Sent); ok {
			used.RunQueueNs = jvm.Some(ns)
			r.Workers[name] = used
		}
	}
}

// queuedOf fills in what the threads of a look have waited for a processor.
func (v *processView) queuedOf(look *jmx.ThreadLook) {
	if v.process == nil {
		return
	}
	cpu := make(map[int64]int64, len(look.States))
	for id, th := range look.States {
		if ns, ok := th.CPUNs.Get(); ok {
			cpu[id] = ns
		}
	}
	v.process.Match(cpu)
	for id, th := range look.States {
		if ns, ok := v.process.RunQueueNs(id, th.CPUNs.Or(0), look.At); ok {
			th.RunQueueNs = jvm.Some(ns)
		}
	}
}

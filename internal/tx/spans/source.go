package spans

import (
	"strconv"
	"strings"

	"github.com/apm-sidecar/apm-sidecar/internal/otlp"
)

// Source is the process that sends spans, as far as it tells.
type Source struct {
	// Service is service.name, Instance service.instance.id.
	Service, Instance string
	// Process is process.pid and host.name as pid@host, empty without both.
	Process string
}

func sourceOf(r *otlp.Resource) Source {
	s := Source{Service: r.Attributes.Text("service.name"), Instance: r.Attributes.Text("service.instance.id")}
	pid, host := r.Attributes.Int("process.pid"), r.Attributes.Text("host.name")
	if pid > 0 && host != "" {
		s.Process = strconv.FormatInt(pid, 10) + "@" + strings.ToLower(host)
	}
	return s
}

// Target is a JVM that is watched, as far as spans can name it.
type Target struct {
	// Name is job/instance, Instance the latter alone.
	Name, Instance string
	// Process is pid@host as the JVM says, empty if not known.
	Process string
}

// resolver finds the targets of sources. The value "" marks what is true of several
// targets.
type resolver struct {
	services              map[string]string
	byName                map[string]bool
	byInstance, byProcess map[string]string
}

func newResolver(targets []Target, services map[string]string) resolver {
	r := resolver{services: services, byName: map[string]bool{}, byInstance: map[string]string{}, byProcess: map[string]string{}}
	enter := func(m map[string]string, k, name string) {
		if k == "" {
			return
		}
		if _, twice := m[k]; twice {
			name = ""
		}
		m[k] = name
	}
	for _, t := range targets {
		r.byName[t.Name] = true
		enter(r.byInstance, t.Instance, t.Name)
		enter(r.byProcess, strings.ToLower(t.Process), t.Name)
	}
	return r
}

// find is the target of a source, "" where none is sure: what the user says counts before
// what the process is called by, and names that say different things say nothing.
func (r resolver) find(s Source) string {
	if name, said := r.services[s.Service]; said && r.byName[name] {
		return name
	}
	instance := r.byInstance[s.Instance]
	if r.byName[s.Instance] {
		instance = s.Instance
	}
	process := r.byProcess[s.Process]
	switch {
	case instance == "":
		return process
	case process == "" || process == instance:
		return instance
	}
	return ""
}

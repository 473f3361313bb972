package agent

import (
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jmx"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// TargetStatus is what the agent knows of one target, for pages and programs.
type TargetStatus struct {
	Name string `json:"name"`
	// Files is a regular expression for how the names of its heap dumps and their reports begin,
	// up to the time in them.
	Files  string            `json:"-"`
	URL    string            `json:"url"`
	Labels map[string]string `json:"labels"`
	// State is "up", "down", or "new" before the first poll.
	State string `json:"state"`
	// Error is the last poll's, with its Reason in one word; empty after a success.
	Error  string `json:"error"`
	Reason string `json:"reason"`
	// LastError is the last one there was, and LastErrorAt when; they stay after a success.
	LastError   string    `json:"last_error,omitempty"`
	LastErrorAt time.Time `json:"last_error_at,omitzero"`
	// LastPoll is when the last poll began and Duration what it took.
	LastPoll        time.Time `json:"last_poll"`
	DurationSeconds float64   `json:"duration_seconds"`
	IntervalSeconds float64   `json:"interval_seconds"`
	// Missing are the parts that the last poll did not get.
	Missing []string `json:"missing"`
	// Polls and Failures count since the target is watched.
	Polls    int `json:"polls"`
	Failures int `json:"failures"`
}

// Targets are all targets, by name.
func (a *Agent) Targets() []TargetStatus {
	all := []TargetStatus{}
	for _, f := range a.all() {
		all = append(all, *f.watcher.status.Load())
	}
	return all
}

// firstStatus is that of a target nobody has polled.
func firstStatus(t jvm.Target, interval time.Duration) *TargetStatus {
	labels := t.Labels // which nobody changes
	if labels == nil {
		labels = map[string]string{}
	}
	return &TargetStatus{
		Name: t.Name(), Files: filePattern(t), URL: t.URL, Labels: labels, State: "new",
		IntervalSeconds: interval.Seconds(), Missing: []string{},
	}
}

// polledAt notes how a poll went.
func (w *watcher) polledAt(start time.Time, took time.Duration, s *jvm.Snapshot, err error) {
	status := *w.status.Load()
	status.LastPoll, status.DurationSeconds = start, took.Seconds()
	status.Polls++
	status.State, status.Error, status.Reason, status.Missing = "up", "", "", []string{}
	if err != nil {
		status.Failures++
		status.State, status.Error, status.Reason = "down", err.Error(), jmx.Reason(err)
		status.LastError, status.LastErrorAt = status.Error, start
	} else {
		for _, m := range s.Missing {
			status.Missing = append(status.Missing, m.Part)
		}
	}
	w.status.Store(&status)
	w.own.polled(took, status.Reason, len(status.Missing))
}

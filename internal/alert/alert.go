package alert

import (
	"maps"
	"strings"
	"time"
)

// State is where an alert stands.
type State string

// The states. A pending alert's condition does not hold for long enough yet; it is
// forgotten when it ends before. A completed one's does not hold any more.
const (
	Pending      State = "pending"
	Active       State = "active"
	Acknowledged State = "acknowledged"
	Completed    State = "completed"
)

// Alert is one series for which the condition of a rule holds, or held.
type Alert struct {
	// ID is made of the labels: the same cause has the same one at its next time.
	ID string `json:"id"`
	// Source is the rule.
	Source Source `json:"rule"`
	State  State  `json:"state"`
	// Labels are those of the series and of the rule, "alertname" among them.
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	// Value is what the rule's expression was at its last evaluation; a text, as it may
	// be no number.
	Value string `json:"value"`
	// Since is when the condition began to hold, FiredAt when it had held for long
	// enough, CompletedAt when it held no more; zero where that was not yet.
	Since       time.Time `json:"since"`
	FiredAt     time.Time `json:"fired_at,omitzero"`
	CompletedAt time.Time `json:"completed_at,omitzero"`
	// Acknowledgement is who took it on; nil where nobody did.
	Acknowledgement *Acknowledgement `json:"acknowledgement,omitempty"`
}

// Source tells a rule from all others.
type Source struct {
	File  string `json:"file"`
	Group string `json:"group"`
	// Rule is a hash of the rule's name, expression and labels.
	Rule string `json:"id"`
}

// Acknowledgement is somebody's word that an alert is taken care of. It ends with
// the alert.
type Acknowledgement struct {
	By      string    `json:"by"`
	Comment string    `json:"comment"`
	At      time.Time `json:"at"`
}

// Name is that of the rule.
func (a *Alert) Name() string { return a.Labels["alertname"] }

// Severity is the rule's: critical, warning, info, or whatever it says.
func (a *Alert) Severity() string { return a.Labels["severity"] }

// Summary is the line for people.
func (a *Alert) Summary() string {
	if s := a.Annotations["summary"]; s != "" {
		return s
	}
	return a.Name()
}

// firing tells alerts whose condition holds for long enough.
func (a *Alert) firing() bool { return a.State == Active || a.State == Acknowledged }

// ended is an alert that fires no more, having fired at the given time. One whose condition
// holds again, and not for long enough yet, has ended when that began at the latest.
func (a *Alert) ended(fired time.Time) Alert {
	e := *a
	if e.State == Pending {
		e.State, e.FiredAt, e.CompletedAt = Completed, fired, e.Since
	}
	return e
}

// clone is a copy that shares nothing with a.
func (a *Alert) clone() Alert {
	c := *a
	c.Labels, c.Annotations = maps.Clone(a.Labels), maps.Clone(a.Annotations)
	if a.Acknowledgement != nil {
		k := *a.Acknowledgement
		c.Acknowledgement = &k
	}
	return c
}

// rank orders severities, the worst first. Words we do not know stand between
// warning and info.
func rank(severity string) int {
	switch strings.ToLower(severity) {
	case "critical", "page", "error":
		return 0
	case "warning", "warn":
		return 1
	case "info", "none":
		return 3
	default:
		return 2
	}
}

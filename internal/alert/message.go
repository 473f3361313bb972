package alert

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxListed bounds the alerts in one message.
const maxListed = 100

// Policy says which alerts have one cause, and when to tell of them.
type Policy struct {
	// GroupBy are the labels by which alerts belong together: one message tells of all
	// of them. Those of one JVM by default.
	GroupBy []string
	// Wait is how long a new group gathers alerts before its first message; so long too
	// after a message before one about something worse.
	Wait time.Duration
	// Interval is the least time between two messages of a group otherwise.
	Interval time.Duration
	// Repeat is after how long a group is told of again while nobody acknowledged it.
	Repeat time.Duration
}

// Told is what a receiver knows of a group.
type Told struct {
	Labels map[string]string `json:"labels"`
	// At is when it was told last, Worst the rank of the worst alert it was told of.
	At    time.Time `json:"at"`
	Worst int       `json:"worst"`
	// Firing are the IDs of the alerts it takes for active.
	Firing []string `json:"firing"`
}

// message is what a group has to tell now.
type message struct {
	key    string
	labels map[string]string
	// firing and resolved are sorted, the worst first; at most maxListed together.
	firing, resolved []Alert
	truncated        int
	// told is what the receiver knows after it; nil when the group has ended.
	told *Told
}

// groupOf is the key and the labels of the group of an alert.
func (p Policy) groupOf(a *Alert) (string, map[string]string) {
	labels := map[string]string{}
	for _, name := range p.GroupBy {
		if v := a.Labels[name]; v != "" {
			labels[name] = v
		}
	}
	return groupKey(labels), labels
}

// groupKey writes labels in one way, and others in another: {job="shop",zone="a,b"}.
func groupKey(labels map[string]string) string {
	var key strings.Builder
	for i, name := range slices.Sorted(maps.Keys(labels)) {
		if i > 0 {
			key.WriteByte(',')
		}
		key.WriteString(name + "=" + strconv.Quote(labels[name]))
	}
	return "{" + key.String() + "}"
}

// due lists the messages to send at now, given all alerts and what the receiver was
// told, by group key.
func (p Policy) due(alerts []Alert, told map[string]*Told, now time.Time) []message {
	groups := map[string]*message{}
	byID := map[string]*Alert{}
	for i := range alerts {
		a := &alerts[i]
		byID[a.ID] = a
		if !a.firing() {
			continue
		}
		key, labels := p.groupOf(a)
		if groups[key] == nil {
			groups[key] = &message{key: key, labels: labels}
		}
		groups[key].firing = append(groups[key].firing, *a)
	}
	for key, t := range told {
		if groups[key] == nil {
			groups[key] = &message{key: key, labels: t.Labels}
		}
	}
	var out []message
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		if m := groups[key]; p.isDue(m.firing, told[key], now) {
			m.complete(told[key], byID, now)
			out = append(out, *m)
		}
	}
	return out
}

// isDue decides whether a group with these active alerts has to tell something.
func (p Policy) isDue(firing []Alert, told *Told, now time.Time) bool {
	var fresh, open bool
	worst := rank("info")
	var oldest time.Time
	known := told.known()
	for i := range firing {
		a := &firing[i]
		if a.State == Acknowledged {
			continue
		}
		open = true
		if !known[a.ID] {
			fresh = true
			worst = min(worst, rank(a.Severity()))
		}
		if oldest.IsZero() || a.FiredAt.Before(oldest) {
			oldest = a.FiredAt
		}
	}
	switch {
	case told == nil:
		return open && passed(p.Wait, oldest, now)
	case len(firing) == 0:
		return passed(p.Interval, told.At, now)
	case fresh && worst < told.Worst:
		return passed(p.Wait, told.At, now)
	case fresh:
		return passed(p.Interval, told.At, now)
	default:
		return open && passed(p.Repeat, told.At, now)
	}
}

// passed tells whether so much time is over since a moment; all of it is since one that is
// yet to come, for a clock that was set back must silence nobody.
func passed(d time.Duration, since, now time.Time) bool {
	over := now.Sub(since)
	return over >= d || over < 0
}

// known are the IDs of the alerts that the receiver takes for active; t may be nil.
func (t *Told) known() map[string]bool {
	if t == nil {
		return nil
	}
	ids := make(map[string]bool, len(t.Firing))
	for _, id := range t.Firing {
		ids[id] = true
	}
	return ids
}

// complete adds what the receiver takes for active and is not, and what it will know.
func (m *message) complete(told *Told, byID map[string]*Alert, now time.Time) {
	after := &Told{Labels: m.labels, At: now.UTC(), Worst: rank("info")}
	for i := range m.firing {
		after.Firing = append(after.Firing, m.firing[i].ID)
		after.Worst = min(after.Worst, rank(m.firing[i].Severity()))
	}
	if told != nil {
		for _, id := range told.Firing {
			if a := byID[id]; a != nil && !a.firing() { // one that does is in another group since GroupBy changed
				m.resolved = append(m.resolved, a.ended(told.At))
			}
		}
	}
	if len(m.firing) > 0 {
		m.told = after
	}
	worstFirst := func(x, y Alert) int {
		return cmp.Or(cmp.Compare(rank(x.Severity()), rank(y.Severity())), x.FiredAt.Compare(y.FiredAt), strings.Compare(x.ID, y.ID))
	}
	slices.SortFunc(m.firing, worstFirst)
	slices.SortFunc(m.resolved, worstFirst)
	all := len(m.firing) + len(m.resolved)
	m.firing = m.firing[:min(len(m.firing), maxListed)]
	m.resolved = m.resolved[:min(len(m.resolved), maxListed-len(m.firing))]
	m.truncated = all - len(m.firing) - len(m.resolved)
}

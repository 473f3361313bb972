package ring

import (
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/tx"
)

// Query asks for records. Zero fields ask for nothing in particular.
type Query struct {
	// From and To bound the moment at which a transaction ended.
	From, To time.Time
	// Min and Max bound its duration; Max 0 is no bound.
	Min, Max      time.Duration
	Route, Target string
	Class         tx.Class
	State         tx.State
	// Limit bounds the answer; 0 is no bound.
	Limit int
}

func (q Query) matches(s *tx.Summary) bool {
	elapsed := time.Duration(s.ElapsedMs) * time.Millisecond
	return (q.From.IsZero() || !s.End.Before(q.From)) &&
		(q.To.IsZero() || s.End.Before(q.To)) &&
		elapsed >= q.Min && (q.Max == 0 || elapsed < q.Max) &&
		(q.Route == "" || q.Route == s.Route) &&
		(q.Target == "" || q.Target == s.Target) &&
		(q.Class == "" || q.Class == s.Class) &&
		(q.State == "" || q.State == s.State)
}

// Each visits the records that match, the newest first. What it hands over is not to be
// changed, and visit must not call the Ring.
func (r *Ring) Each(q Query, visit func(*tx.Summary)) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for i := len(r.entries) - 1; i >= 0; i-- {
		if e := &r.entries[i]; !e.replaced && q.matches(&e.summary) {
			visit(&e.summary)
		}
	}
}

// List are the records that match, the newest first, and how many there are without
// the limit.
func (r *Ring) List(q Query) (found []tx.Summary, total int) {
	found = []tx.Summary{}
	r.Each(q, func(s *tx.Summary) {
		total++
		if q.Limit == 0 || len(found) < q.Limit {
			found = append(found, *s)
		}
	})
	return found, total
}

package tx

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Thresholds say from what duration on a transaction is slow.
type Thresholds struct {
	fallback time.Duration
	routes   []RouteThreshold
}

// RouteThreshold is the threshold of the routes that match: the pattern itself, or,
// where it ends in "*", all that begin with what stands before.
type RouteThreshold struct {
	Pattern   string
	Threshold time.Duration
}

// NewThresholds takes the threshold of all routes and the exceptions. Of several
// that match a route the longest pattern counts.
func NewThresholds(fallback time.Duration, routes ...RouteThreshold) Thresholds {
	routes = slices.Clone(routes)
	slices.SortStableFunc(routes, func(a, b RouteThreshold) int { return cmp.Compare(len(b.Pattern), len(a.Pattern)) })
	return Thresholds{fallback: fallback, routes: routes}
}

// Of is the threshold of a transaction by its route or its raw path.
func (t Thresholds) Of(route, path string) time.Duration {
	for _, r := range t.routes {
		prefix, wild := strings.CutSuffix(r.Pattern, "*")
		if r.Pattern == route || r.Pattern == path || wild && (strings.HasPrefix(route, prefix) || strings.HasPrefix(path, prefix)) {
			return r.Threshold
		}
	}
	return t.fallback
}

// Least is the shortest threshold of all.
func (t Thresholds) Least() time.Duration {
	least := t.fallback
	for _, r := range t.routes {
		least = min(least, r.Threshold)
	}
	return least
}

// CandidateAfter is the age from which a transaction in flight must be looked at so
// that every one of at least the threshold is seen before it ends: the last look
// comes no earlier than one interval, and what a look takes, before the end.
func CandidateAfter(threshold, interval, latency time.Duration) time.Duration {
	return max(0, threshold-interval-latency)
}

package tx

import "time"

// Stats sums up what a Tracker saw since it was made.
type Stats struct {
	// Seen is the number of transactions seen in flight, Followed of those seen to
	// the end.
	Seen, Followed int64
	// Finished and FinishedMs are all requests that the server finished between two
	// looks, and the time they took.
	Finished, FinishedMs int64
	// Samples, Spared and Foreign are the looks at threads: all, those that cost no
	// stack, and those thrown away because they may be of another transaction.
	Samples, Spared, Foreign int64
	// Slow are the slow transactions by route, ClassMs the time they spent by class.
	Slow    map[string]int64
	ClassMs map[Class]int64
	// DurationMs and Durations are the sum and the histogram of their durations:
	// Durations[i] counts those of at most DurationBounds()[i], the last one all.
	DurationMs int64
	Durations  []int64
}

// DurationBounds are the upper bounds of the histogram's buckets.
func DurationBounds() []time.Duration {
	return []time.Duration{
		500 * time.Millisecond, time.Second, 2 * time.Second, 3 * time.Second, 5 * time.Second, 8 * time.Second,
		15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute,
	}
}

// slow counts a slow transaction that has ended.
func (s *Stats) slow(r *Record) {
	if s.Slow == nil {
		s.Slow, s.ClassMs = map[string]int64{}, map[Class]int64{}
		s.Durations = make([]int64, len(DurationBounds())+1)
	}
	route := r.Route
	if route == "" {
		route = Other
	}
	if _, known := s.Slow[route]; !known && len(s.Slow) >= maxRoutes {
		route = Other
	}
	s.Slow[route]++
	s.DurationMs += r.Elapsed.Ms
	for i, bound := range DurationBounds() {
		if r.Elapsed.Ms <= bound.Milliseconds() {
			s.Durations[i]++
		}
	}
	s.Durations[len(s.Durations)-1]++
	for _, c := range r.Classes {
		s.ClassMs[c.Class] += c.Ms
	}
}

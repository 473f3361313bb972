package host

import "time"

// Clock notices that the system's clock was set. Durations are measured by another one, which
// nobody sets; this is for what goes by the time of day. The zero value is ready. It is for one
// goroutine.
type Clock struct{ last time.Time }

// leastStep tells a clock that was set from one that is slowed down or sped up to be right again.
const leastStep = 500 * time.Millisecond

// Step is by how much the clock was set between the last call and now, which is fresh from
// time.Now: negative where it was set back. A machine that was suspended meanwhile has its clock
// set forward. It is zero at the first call.
func (c *Clock) Step(now time.Time) time.Duration {
	last := c.last
	c.last = now
	if last.IsZero() {
		return 0
	}
	step := now.Round(0).Sub(last.Round(0)) - now.Sub(last) // without the other clock, and by it
	if step.Abs() < leastStep {
		return 0
	}
	return step
}

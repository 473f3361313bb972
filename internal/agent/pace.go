package agent

import "time"

const (
	// costShare is the least time between two polls of a tier in terms of what one
	// costs: one that takes a second is asked at most every hundred.
	costShare = 100
	// gentleStart is the age from which a JVM is asked for more than the fast tier.
	// Until its compiler has seen to the agent's code, a poll costs it ten times as
	// much.
	gentleStart = 30 * time.Second
	// slowAnswer is how long the fast tier may take before all others are left out:
	// the JVM has other worries.
	slowAnswer = time.Second
	// never is a time that no run of the sidecar sees.
	never = 100 * 365 * 24 * time.Hour
)

// pace says when a tier may be asked again.
type pace struct {
	interval time.Duration
	next     time.Time
}

// due tells whether the tier may be asked now.
func (p *pace) due(now time.Time) bool { return !now.Before(p.next) }

// asked says that an answer took so long; the interval grows with what it cost.
func (p *pace) asked(now time.Time, took time.Duration) {
	p.next = now.Add(max(p.interval, took*costShare))
}

// rest leaves the tier out for so long.
func (p *pace) rest(now time.Time, d time.Duration) { p.next = now.Add(d) }

package series

import (
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// pressure measures the share of time that goes into collectors. Times are the
// JVM's own uptime, so the sidecar's clock and a late poll don't bend the ratio.
type pressure struct {
	startMs int64
	// history is in order of uptime, oldest first; it reaches back to the
	// longest window and holds one point beyond it.
	history []pressurePoint
}

// pressurePoint is the accumulated time of all collectors by phase.
type pressurePoint struct {
	uptimeMs, pauseMs, concurrentMs int64
}

// pressureRatio is one result: a share from 0 to 1.
type pressureRatio struct {
	phase  jvm.Phase
	window string
	ratio  float64
}

// minute and fiveMinutes are the windows beside "poll".
const (
	minute      = int64(time.Minute / time.Millisecond)
	fiveMinutes = 5 * minute
	// maxHistory bounds the points, for an interval far below a second.
	maxHistory = 1024
)

// maxRatios is how many a poll completes: of three windows and two phases.
const maxRatios = 3 * 2

// observe adds the snapshot and appends the ratios it completes, maxRatios at most: none
// for the first of a JVM, none after a restart, and none for a window longer than the
// history or with a gap as long.
func (p *pressure) observe(out []pressureRatio, s *jvm.Snapshot) []pressureRatio {
	point, startMs, ok := pressureOf(s)
	if !ok {
		return out
	}
	if startMs != p.startMs || p.wentBack(point) {
		*p = pressure{startMs: startMs}
	}
	p.history = append(p.history, point)
	if n := len(p.history); n > 1 {
		out = appendBetween(out, "poll", p.history[n-2], point)
	}
	if from, ok := p.before(point.uptimeMs, minute); ok {
		out = appendBetween(out, "1m", from, point)
	}
	if from, ok := p.before(point.uptimeMs, fiveMinutes); ok {
		out = appendBetween(out, "5m", from, point)
	}
	p.forget(point.uptimeMs - fiveMinutes)
	return out
}

// wentBack tells a counter or clock that fell, which is another JVM or a reset.
func (p *pressure) wentBack(now pressurePoint) bool {
	if len(p.history) == 0 {
		return false
	}
	last := p.history[len(p.history)-1]
	return now.uptimeMs <= last.uptimeMs || now.pauseMs < last.pauseMs || now.concurrentMs < last.concurrentMs
}

// before is the youngest point that is a window or more before the uptime; none that is
// twice as far away, as after a time without an answer: its share would be that of another
// window.
func (p *pressure) before(uptimeMs, windowMs int64) (pressurePoint, bool) {
	for i := len(p.history) - 1; i >= 0; i-- {
		if ago := uptimeMs - p.history[i].uptimeMs; ago >= windowMs {
			return p.history[i], ago < 2*windowMs
		}
	}
	return pressurePoint{}, false
}

// forget drops the points older than the youngest at or before the uptime.
func (p *pressure) forget(uptimeMs int64) {
	drop := max(0, len(p.history)-maxHistory)
	for drop+1 < len(p.history) && p.history[drop+1].uptimeMs <= uptimeMs {
		drop++
	}
	p.history = append(p.history[:0], p.history[drop:]...)
}

// appendBetween appends the shares of the time between two points.
func appendBetween(out []pressureRatio, window string, from, to pressurePoint) []pressureRatio {
	elapsed := float64(to.uptimeMs - from.uptimeMs)
	share := func(ms int64) float64 { return min(1, float64(ms)/elapsed) }
	return append(out,
		pressureRatio{jvm.PhasePause, window, share(to.pauseMs - from.pauseMs)},
		pressureRatio{jvm.PhaseConcurrent, window, share(to.concurrentMs - from.concurrentMs)})
}

// pressureOf sums the collectors. One that hides its time hides the whole.
func pressureOf(s *jvm.Snapshot) (point pressurePoint, startMs int64, ok bool) {
	if s.Runtime == nil || len(s.GCs) == 0 {
		return pressurePoint{}, 0, false
	}
	startMs, okStart := s.Runtime.StartMs.Get()
	uptimeMs, okUptime := s.Runtime.UptimeMs.Get()
	point.uptimeMs = uptimeMs
	for _, gc := range s.GCs {
		ms, known := gc.TimeMs.Get()
		if !known {
			return pressurePoint{}, 0, false
		}
		if gc.Phase == jvm.PhaseConcurrent {
			point.concurrentMs += ms
		} else {
			point.pauseMs += ms
		}
	}
	return point, startMs, okStart && okUptime
}

package agent

import "time"

// The levels of a guard: what a tracer leaves out to spare the JVM.
const (
	guardFull       = iota // stacks of all in flight
	guardCandidates        // stacks only of those that may turn out slow
	guardOff               // no stacks
	guardRare              // no stacks, and a look only each fourth time
)

const (
	// guardBudget is the share of one processor that looks may cost the JVM in the
	// long run; guardEasy is the share at which a tracer dares more again.
	guardBudget = 0.05
	guardEasy   = 0.02
	// guardPatience is the number of looks between two changes of the level.
	guardPatience = 20
	// guardWeight is the weight of the newest look in the mean.
	guardWeight = 0.1
)

// guard decides from the measured cost of looks how much of them the JVM can bear.
type guard struct {
	interval time.Duration
	level    int
	// share is the mean share of one processor, smoothed.
	share float64
	// since is the number of looks since the level changed.
	since int
}

// spent takes the processor time that one look cost the JVM.
func (g *guard) spent(cost time.Duration) (changed bool) {
	g.share += guardWeight * (float64(cost)/float64(g.interval) - g.share)
	if g.since++; g.since < guardPatience {
		return false
	}
	switch {
	case g.share > guardBudget && g.level < guardRare:
		g.level++
	case g.share < guardEasy && g.level > guardFull:
		g.level--
	default:
		return false
	}
	g.since = 0
	return true
}

// name is the level in the API's words.
func (g *guard) name() string {
	switch g.level {
	case guardFull:
		return "full"
	case guardCandidates:
		return "candidates"
	}
	return "off"
}

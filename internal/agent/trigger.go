package agent

import (
	"fmt"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// TriggerOptions say when a heap dump is worth its cost.
type TriggerOptions struct {
	// OldAfterGCRatio is the share of the old region still in use after a
	// collection from which a dump is taken, 0 to 1.
	OldAfterGCRatio float64
	// CoolDown is the least time between two attempts.
	CoolDown time.Duration
}

// regrowth is how much the ratio must have grown since the last dump before
// another is taken without the ratio having been below the threshold between:
// a JVM that lives happily at 80 % is dumped once.
const regrowth = 0.05

// trendTime is how far back the reason of a decision looks.
const trendTime = 10 * time.Minute

// maxTrend bounds the readings kept for the trend.
const maxTrend = 600

// Action is what a decision asks for.
type Action int

// The actions.
const (
	ActionNone Action = iota
	ActionCapture
	ActionNoSpace
)

// Decision is the trigger's answer to a reading.
type Decision struct {
	Action Action
	// Reason is a sentence for people; empty for ActionNone.
	Reason string
}

// Trigger decides from the course of one JVM's old region when to take a heap
// dump: in time, because a JVM at its OutOfMemoryError answers no more, and not
// again and again. It is a pure state machine: time comes with the readings.
type Trigger struct {
	opts TriggerOptions
	// trend holds recent readings, oldest first.
	trend []Reading
	// coolUntil is the end of the current cool-down.
	coolUntil time.Time
	// dumpedAt is the ratio at the last dump, valid while spent.
	dumpedAt float64
	// spent is true from a dump until the ratio falls below the threshold.
	spent bool
}

// NewTrigger is a trigger that has seen nothing.
func NewTrigger(opts TriggerOptions) *Trigger { return &Trigger{opts: opts} }

// Observe judges a reading. An action other than ActionNone starts the cool-down.
func (t *Trigger) Observe(r Reading) Decision {
	t.remember(r)
	if latest := r.At.Add(t.opts.CoolDown); t.coolUntil.After(latest) {
		t.coolUntil = latest // it began by a clock that was ahead
	}
	if r.Ratio < t.threshold(r) {
		t.spent = false
		return Decision{}
	}
	if r.At.Before(t.coolUntil) || (t.spent && r.Ratio < t.dumpedAt+regrowth) {
		return Decision{}
	}
	t.coolUntil = r.At.Add(t.opts.CoolDown)
	if free, ok := r.FreeBytes.Get(); ok && free < spaceNeeded(r.HeapUsedBytes) {
		return Decision{ActionNoSpace, fmt.Sprintf("%s; a dump needs %s of free disk space and there are %s",
			t.reason(r), unit.Bytes(spaceNeeded(r.HeapUsedBytes)), unit.Bytes(free))}
	}
	t.spent, t.dumpedAt = true, r.Ratio
	return Decision{ActionCapture, t.reason(r)}
}

// threshold is the ratio from which a dump is taken. Where garbage may be among
// what is in use, it is half way from the one asked for to full: a heap that does
// well may be used that far before its collector bothers to clean it.
func (t *Trigger) threshold(r Reading) float64 {
	if r.Partly {
		return (1 + t.opts.OldAfterGCRatio) / 2
	}
	return t.opts.OldAfterGCRatio
}

// DumpedAt says that a dump was taken before this trigger was made, by an earlier
// run of the program: its cool-down holds.
func (t *Trigger) DumpedAt(at time.Time) { t.coolUntil = at.Add(t.opts.CoolDown) }

// Failed says that the dump asked for was not written: the next attempt needs
// the cool-down only.
func (t *Trigger) Failed() { t.spent = false }

// Restarted forgets the old JVM's course, but not the cool-down: a JVM that dies
// every minute does not fill the disk.
func (t *Trigger) Restarted() {
	t.trend = nil
	t.spent = false
}

func (t *Trigger) remember(r Reading) {
	t.trend = append(t.trend, r)
	drop := max(0, len(t.trend)-maxTrend)
	for drop < len(t.trend)-1 && r.At.Sub(t.trend[drop].At) > trendTime {
		drop++
	}
	t.trend = append(t.trend[:0], t.trend[drop:]...)
}

func (t *Trigger) reason(r Reading) string {
	s := fmt.Sprintf("the old region is %.0f %% full after a collection (threshold %.0f %%)", r.Ratio*100, t.threshold(r)*100)
	first := t.trend[0]
	if age := r.At.Sub(first.At).Round(time.Second); age > 0 {
		s += fmt.Sprintf(", %s ago it was %.0f %%", age, first.Ratio*100)
	}
	return s
}

// spaceNeeded is the disk space for the dump of a heap in use: the dump spells
// out what the heap keeps compressed (8-byte references, records' headers).
func spaceNeeded(heapUsedBytes int64) int64 { return heapUsedBytes + heapUsedBytes*3/10 }

package agent

import (
	"fmt"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
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

// Reading is what the trigger judges: one poll of one JVM.
type Reading struct {
	At time.Time
	// Ratio is the share of the old region in use after its last collection.
	Ratio float64
	// HeapUsedBytes is the heap in use now: what a dump would hold at most.
	HeapUsedBytes int64
	// FreeBytes is the free disk space where the dump would go; missing means
	// unknown, and then nothing stands in the way.
	FreeBytes jvm.Opt[int64]
}

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
	if r.Ratio < t.opts.OldAfterGCRatio {
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
	s := fmt.Sprintf("the old region is %.0f %% full after a collection (threshold %.0f %%)", r.Ratio*100, t.opts.OldAfterGCRatio*100)
	first := t.trend[0]
	if age := r.At.Sub(first.At).Round(time.Second); age > 0 {
		s += fmt.Sprintf(", %s ago it was %.0f %%", age, first.Ratio*100)
	}
	return s
}

// spaceNeeded is the disk space for the dump of a heap in use: the dump spells
// out what the heap keeps compressed (8-byte references, records' headers).
func spaceNeeded(heapUsedBytes int64) int64 { return heapUsedBytes + heapUsedBytes*3/10 }

// readingOf takes the reading from a poll: the old pools, or the pool that is the
// whole heap where there are no generations. It is false where the JVM does not
// say.
func readingOf(s *jvm.Snapshot) (Reading, bool) {
	used, limit := int64(0), int64(0)
	for _, kind := range []jvm.PoolKind{jvm.PoolOld, jvm.PoolSingle} {
		for _, p := range s.Pools {
			if p.Kind != kind || p.AfterGC == nil {
				continue
			}
			used += p.AfterGC.Used.Or(0)
			limit += p.AfterGC.Max.Or(0)
		}
		if limit > 0 {
			break
		}
	}
	if limit == 0 {
		return Reading{}, false
	}
	r := Reading{At: s.Time, Ratio: float64(used) / float64(limit)}
	if s.Memory != nil {
		r.HeapUsedBytes = s.Memory.Heap.Used.Or(0)
	}
	return r, true
}

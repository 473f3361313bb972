package agent_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/agent"
	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// course feeds a trigger with one reading a minute and returns the minutes at
// which it asked for a dump.
func course(t *agent.Trigger, from int, ratios ...float64) []int {
	var fired []int
	for i, ratio := range ratios {
		minute := from + i
		if t.Observe(reading(minute, ratio)).Action == agent.ActionCapture {
			fired = append(fired, minute)
		}
	}
	return fired
}

func reading(minute int, ratio float64) agent.Reading {
	return agent.Reading{At: time.Unix(0, 0).Add(time.Duration(minute) * time.Minute), Ratio: ratio, HeapUsedBytes: 1000}
}

func newTrigger() *agent.Trigger {
	return agent.NewTrigger(agent.TriggerOptions{OldAfterGCRatio: 0.75, CoolDown: 5 * time.Minute})
}

func TestTriggerCourse(t *testing.T) {
	t.Parallel()
	f := func(name string, want []int, ratios ...float64) {
		t.Helper()
		assert.Equal(t, want, course(newTrigger(), 0, ratios...), name)
	}
	f("quiet", nil, 0, 0.1, 0.5, 0.749)
	f("at once when the threshold is met", []int{2}, 0.1, 0.5, 0.75)
	f("already full at the first poll", []int{0}, 0.9)
	f("no second dump during the cool-down", []int{0}, 0.8, 0.9, 0.95, 1)
	f("no second dump of a JVM that lives at its level", []int{0}, 0.8, 0.81, 0.82, 0.83, 0.84, 0.84, 0.84, 0.84)
	f("another when it grew on after the cool-down", []int{0, 6}, 0.8, 0.81, 0.82, 0.83, 0.84, 0.84, 0.86, 0.9)
	f("another after it had recovered", []int{0, 6}, 0.8, 0.5, 0.5, 0.5, 0.5, 0.5, 0.76)
	f("recovery within the cool-down waits for its end", []int{0, 5}, 0.8, 0.5, 0.8, 0.8, 0.8, 0.8)
}

func TestTriggerAfterAFailure(t *testing.T) {
	t.Parallel()
	tr := newTrigger()
	assert.Equal(t, []int{0}, course(tr, 0, 0.8))
	tr.Failed()
	assert.Equal(t, []int{5}, course(tr, 1, 0.8, 0.8, 0.8, 0.8, 0.8), "by the cool-down only")
}

func TestTriggerAfterARestart(t *testing.T) {
	t.Parallel()
	tr := newTrigger()
	assert.Equal(t, []int{0}, course(tr, 0, 0.8))
	tr.Restarted()
	assert.Equal(t, []int{5}, course(tr, 1, 0.8, 0.8, 0.8, 0.8, 0.8), "the cool-down outlives the JVM")
}

func TestTriggerNeedsDiskSpace(t *testing.T) {
	t.Parallel()
	f := func(free jvm.Opt[int64], want agent.Action) {
		t.Helper()
		r := reading(0, 0.8)
		r.FreeBytes = free
		assert.Equal(t, want, newTrigger().Observe(r).Action)
	}
	f(jvm.Some[int64](1300), agent.ActionCapture)
	f(jvm.Some[int64](1299), agent.ActionNoSpace)
	f(jvm.Some[int64](0), agent.ActionNoSpace)
	f(jvm.Opt[int64]{}, agent.ActionCapture)

	tr := newTrigger()
	r := reading(0, 0.8)
	r.FreeBytes = jvm.Some[int64](10)
	d := tr.Observe(r)
	assert.Contains(t, d.Reason, "80 % full")
	assert.Contains(t, d.Reason, "free disk space")
	assert.Equal(t, []int{5}, course(tr, 1, 0.8, 0.8, 0.8, 0.8, 0.8), "tried again by the cool-down only")
}

func TestTriggerGivesItsReason(t *testing.T) {
	t.Parallel()
	tr := newTrigger()
	course(tr, 0, 0.2, 0.3)
	assert.Equal(t, "the old region is 80 % full after a collection (threshold 75 %), 2m0s ago it was 20 %", tr.Observe(reading(2, 0.8)).Reason)
}

func TestReadingOf(t *testing.T) {
	t.Parallel()
	pool := func(kind jvm.PoolKind, used, limit int64) jvm.Pool {
		after := jvm.Usage{Used: jvm.Count(used), Max: jvm.Count(limit)}
		return jvm.Pool{Heap: true, Kind: kind, AfterGC: &after}
	}
	f := func(name string, want float64, ok bool, pools ...jvm.Pool) {
		t.Helper()
		r, got := agent.ReadingOf(&jvm.Snapshot{Pools: pools})
		assert.Equal(t, ok, got, name)
		assert.InDelta(t, want, r.Ratio, 1e-9, name)
	}
	f("old", 0.5, true, pool(jvm.PoolEden, 90, 100), pool(jvm.PoolOld, 50, 100))
	f("two old pools", 0.25, true, pool(jvm.PoolOld, 50, 100), pool(jvm.PoolOld, 0, 100))
	f("the whole heap", 0.7, true, pool(jvm.PoolSingle, 70, 100))
	f("no limit known", 0, false, pool(jvm.PoolOld, 50, -1))
	f("nothing", 0, false)
	f("never collected", 0, false, jvm.Pool{Kind: jvm.PoolOld})
}

func TestTriggerWhereGarbageMayBeInTheRegion(t *testing.T) {
	t.Parallel()
	tr := newTrigger()
	f := func(minute int, ratio float64) agent.Action {
		r := reading(minute, ratio)
		r.Partly = true
		return tr.Observe(r).Action
	}
	assert.Equal(t, agent.ActionNone, f(0, 0.87))
	assert.Equal(t, agent.ActionCapture, f(1, 0.88), "half way from 75 % to full")
}

func TestTriggerOfARunAfterADump(t *testing.T) {
	t.Parallel()
	tr := newTrigger()
	tr.DumpedAt(reading(0, 0).At)
	assert.Equal(t, []int{5}, course(tr, 1, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8), "when the earlier run's cool-down is over")
}

// A dump may be of a clock that was years ahead: nobody waits for that.
func TestTriggerOfARunAfterADumpOfTheFuture(t *testing.T) {
	t.Parallel()
	tr := newTrigger()
	tr.DumpedAt(reading(1000, 0).At)
	assert.Equal(t, []int{6}, course(tr, 1, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8), "a cool-down from the first reading")
}

package alert

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// An hour must not go by without a look at the rules because a clock was an hour ahead.
func TestAClockSetBackHoldsUpNoRule(t *testing.T) {
	b := newBench(t, testRules)
	b.write("a:1", 1, 0.5)
	b.pass()
	before := b.evaluations.Get()
	b.now = b.now.Add(-time.Hour)
	b.pass()
	assert.Equal(t, 2*before, b.evaluations.Get())
	b.step(t.Context(), b.now)
	assert.Equal(t, 2*before, b.evaluations.Get(), "not due again")
}

// set is what the clock does when it is set by d, and Run, which notices.
func (b *bench) set(d time.Duration) {
	b.now = b.now.Add(d)
	b.clockSet(d)
}

// Conditions hold for as long as they do, not for an hour less or more because the clock was set.
func TestAlertsStayAsOldAsTheyAreWhenTheClockIsSet(t *testing.T) {
	b := newBench(t, strings.Replace(testRules, "expr: jvm_memory_old_after_gc_ratio > 0.9", "expr: jvm_memory_old_after_gc_ratio > 0.9\n        keep_firing_for: 30s", 1))
	for _, ev := range b.evaluators {
		ev.keepUntil = time.Time{} // of what was before the start
	}
	b.write("a:1", 0, 0.95)
	b.pass()
	assert.Equal(t, "OldFull active, Down pending", b.states())
	since := b.Alerts()[0].Since
	b.set(20 * time.Minute)
	b.write("a:1", 0, 0.95)
	b.pass()
	assert.Equal(t, "OldFull active, Down pending", b.states(), "20 s, of the 30 that it takes")
	assert.Equal(t, since.Add(20*time.Minute), b.Alerts()[0].Since)
	b.set(-40 * time.Minute)
	b.write("a:1", 0, 0.5)
	b.pass()
	b.pass()
	assert.Equal(t, "Down active, OldFull active", b.states(), "40 s, and one holds no more")
	b.set(-20 * time.Minute)
	b.write("a:1", 1, 0.5)
	for range 4 {
		b.pass()
	}
	assert.Equal(t, "OldFull completed, Down completed", sorted(b.states()), "half a minute later")
}

// What is kept over a restart may have begun by a clock that was ahead.
func TestAnAlertFromTheFutureBeginsNow(t *testing.T) {
	b := newBench(t, testRules)
	b.write("a:1", 0, 0.95)
	b.pass()
	b.now = b.now.Add(-20 * time.Minute)
	b.write("a:1", 0, 0.95)
	b.start()
	b.pass()
	assert.Equal(t, "OldFull active, Down pending", b.states())
	for _, a := range b.Alerts() {
		assert.Equal(t, b.now.UTC(), a.Since)
	}
	assert.Equal(t, b.now.UTC(), b.Alerts()[0].FiredAt)
	for range 3 {
		b.pass()
	}
	assert.Equal(t, "Down active, OldFull active", b.states())
}

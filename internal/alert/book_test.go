package alert

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// at is a time so many seconds after the beginning of the tests.
func at(seconds int) time.Time {
	return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(seconds) * time.Second)
}

func ruleOf(name string) Source { return Source{File: "rules.yml", Group: "g", Rule: name} }

// alertOf is an alert of a JVM.
func alertOf(name, instance, severity string, state State, since int) Alert {
	a := Alert{
		ID: name + "/" + instance, Source: ruleOf(name), State: state, Since: at(since),
		Labels: map[string]string{"alertname": name, "job": "shop", "instance": instance, "severity": severity},
	}
	if state != Pending {
		a.FiredAt = at(since)
	}
	return a
}

// nobodyWaits says that everybody was told of all.
func nobodyWaits() map[string]bool { return nil }

// states are the alerts of a book by ID.
func states(b *book) map[string]State {
	out := map[string]State{}
	for _, a := range b.List() {
		out[a.ID] = a.State
	}
	return out
}

func TestBookFollowsAnAlert(t *testing.T) {
	b := newBook(nobodyWaits)
	down := ruleOf("Down")
	b.Observe(down, []Alert{alertOf("Down", "a", "critical", Pending, 0), alertOf("Down", "b", "critical", Pending, 0)}, nil, at(0))
	assert.Equal(t, map[string]State{"Down/a": Pending, "Down/b": Pending}, states(b))
	require.ErrorIs(t, b.Acknowledge("Down/a", "", "", at(1)), ErrNotActive)
	require.ErrorIs(t, b.Acknowledge("Down/x", "", "", at(1)), ErrUnknown)

	b.Observe(down, []Alert{alertOf("Down", "a", "critical", Active, 0)}, nil, at(60))
	assert.Equal(t, map[string]State{"Down/a": Active}, states(b), "what ends while it is pending is forgotten")

	require.Error(t, b.Acknowledge("Down/a", strings.Repeat("x", 101), "", at(70)))
	require.Error(t, b.Acknowledge("Down/a", "", strings.Repeat("x", 1001), at(70)))
	require.NoError(t, b.Acknowledge("Down/a", strings.Repeat("x", 100), strings.Repeat("x", 1000), at(70)))
	require.NoError(t, b.Acknowledge("Down/a", "kim", "restarting it", at(70)))
	b.Observe(down, []Alert{alertOf("Down", "a", "critical", Active, 0)}, nil, at(90))
	a, _ := b.Get("Down/a")
	assert.Equal(t, Acknowledged, a.State, "it stays so while it fires")
	assert.Equal(t, &Acknowledgement{By: "kim", Comment: "restarting it", At: at(70)}, a.Acknowledgement)

	b.Observe(ruleOf("Other"), nil, nil, at(100))
	assert.Equal(t, map[string]State{"Down/a": Acknowledged}, states(b), "another rule says nothing about it")

	b.Observe(down, nil, nil, at(120))
	a, _ = b.Get("Down/a")
	assert.Equal(t, Completed, a.State)
	assert.Equal(t, at(120), a.CompletedAt)
	require.ErrorIs(t, b.Acknowledge("Down/a", "kim", "", at(121)), ErrNotActive)
	b.close()
	require.ErrorIs(t, b.Acknowledge("Down/a", "kim", "", at(122)), ErrEnded, "it would be forgotten")

	b.Observe(down, []Alert{alertOf("Down", "a", "critical", Active, 200)}, nil, at(200))
	a, _ = b.Get("Down/a")
	assert.Equal(t, Active, a.State, "the next time is another matter")
	assert.Nil(t, a.Acknowledgement)

	b.Retain(map[Source]bool{ruleOf("Other"): true}, nil, at(300))
	assert.Equal(t, map[string]State{"Down/a": Completed}, states(b), "its rule is gone")
	b.Observe(ruleOf("Other"), nil, nil, at(300).Add(8*24*time.Hour))
	assert.Empty(t, states(b), "after a week it is forgotten")
}

// Where samples were missing nothing ends; a condition that began anew meanwhile is nobody's yet.
func TestAnAcknowledgementEndsWhereTheConditionBeginsAnew(t *testing.T) {
	b := newBook(nobodyWaits)
	down := ruleOf("Down")
	b.Observe(down, []Alert{alertOf("Down", "a", "critical", Active, 0)}, nil, at(0))
	require.NoError(t, b.Acknowledge("Down/a", "kim", "", at(1)))
	b.Observe(down, nil, func(*Alert) bool { return true }, at(2))
	assert.Equal(t, map[string]State{"Down/a": Acknowledged}, states(b))
	for _, state := range []State{Pending, Active} {
		b.Observe(down, []Alert{alertOf("Down", "a", "critical", state, 3)}, nil, at(3))
		assert.Equal(t, map[string]State{"Down/a": state}, states(b))
	}
}

func TestBookIsBounded(t *testing.T) {
	waits := map[string]bool{}
	b := newBook(func() map[string]bool { return waits })
	b.Observe(ruleOf("Other"), []Alert{alertOf("Other", "a", "info", Active, 0)}, nil, at(0))
	var many []Alert
	for i := range maxOpen + 6 {
		many = append(many, alertOf("Down", fmt.Sprint(i), "critical", Active, 0))
	}
	b.Observe(ruleOf("Down"), many, nil, at(0))
	counts, left := b.counts()
	assert.Equal(t, maxOpen, counts[Active])
	assert.Equal(t, 7, left)
	for _, a := range b.List()[:2*maxCompleted] {
		waits[a.ID] = true
	}
	b.Observe(ruleOf("Other"), nil, nil, at(1))
	b.Observe(ruleOf("Other"), []Alert{alertOf("Other", "b", "info", Active, 1)}, nil, at(1))
	_, ok := b.Get("Other/b")
	require.True(t, ok, "one that has ended makes room")
	b.Observe(ruleOf("Other"), nil, nil, at(0))
	b.Observe(ruleOf("Down"), nil, nil, at(1))
	for id := range waits {
		_, ok := b.Get(id)
		require.True(t, ok, "somebody is still to be told that it ended")
	}
	clear(waits)
	b.Observe(ruleOf("Down"), nil, nil, at(2))
	counts, _ = b.counts()
	assert.Equal(t, map[State]int{Completed: maxCompleted}, counts)
	_, ok = b.Get("Other/b")
	assert.False(t, ok, "the first to end is the first to be forgotten")
}

// TestBookKnowsWhatIsToBeSaved: the state on disk is written when an alert's has changed, not at
// each evaluation.
func TestBookKnowsWhatIsToBeSaved(t *testing.T) {
	b := newBook(nobodyWaits)
	down := ruleOf("Down")
	changes := func(want bool, what string) {
		t.Helper()
		_, changed := b.takeChanged()
		assert.Equal(t, want, changed, what)
	}
	f := func(state State, second int, want bool, what string) {
		t.Helper()
		a := alertOf("Down", "a", "critical", state, 0)
		a.Source = down
		b.Observe(down, []Alert{a}, nil, at(second))
		changes(want, what)
	}
	changes(false, "nothing yet")
	f(Pending, 0, true, "new")
	f(Pending, 1, false, "as before")
	b.Observe(down, nil, nil, at(2))
	changes(true, "forgotten")
	f(Active, 3, true, "new again")
	require.NoError(t, b.Acknowledge("Down/a", "kim", "", at(4)))
	changes(true, "acknowledged")
	f(Active, 5, false, "still acknowledged")
	down.Group = "moved"
	f(Active, 6, true, "another source")
	b.Observe(down, nil, nil, at(7))
	changes(true, "completed")
	b.Observe(down, nil, nil, at(7).Add(completedKept))
	changes(false, "not yet old")
	b.Observe(down, nil, nil, at(8).Add(completedKept))
	changes(true, "old")
}

func TestBookListsTheWorstFirst(t *testing.T) {
	b := newBook(nobodyWaits)
	for _, a := range []Alert{
		alertOf("Pend", "a", "critical", Pending, 0), alertOf("Warn", "a", "warning", Active, 5), alertOf("Old", "a", "critical", Active, 1),
		alertOf("New", "a", "critical", Active, 2), alertOf("Odd", "a", "sev3", Active, 3), alertOf("Info", "a", "info", Active, 9),
	} {
		b.Observe(a.Source, []Alert{a}, nil, at(10))
	}
	for i, name := range []string{"First", "Last"} {
		b.Observe(ruleOf(name), []Alert{alertOf(name, "a", "info", Active, 2-i)}, nil, at(10))
		b.Observe(ruleOf(name), nil, nil, at(11+i))
	}
	require.NoError(t, b.Acknowledge("Old/a", "kim", "", at(11)))
	var names []string
	for _, a := range b.List() {
		names = append(names, a.Name())
	}
	assert.Equal(t, []string{"New", "Warn", "Odd", "Info", "Old", "Pend", "Last", "First"}, names)
}

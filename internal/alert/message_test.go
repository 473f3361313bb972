package alert

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// hearer is a receiver that hears what is due.
type hearer struct {
	t      *testing.T
	policy Policy
	told   map[string]*Told
}

func newHearer(t *testing.T) *hearer {
	return &hearer{t: t, told: map[string]*Told{}, policy: Policy{
		GroupBy: []string{"job", "instance"}, Wait: 30 * time.Second, Interval: 5 * time.Minute, Repeat: time.Hour,
	}}
}

// hear asserts what is told at a time, as a line for each message.
func (h *hearer) hear(second int, alerts []Alert, want ...string) {
	h.t.Helper()
	var got []string
	for _, m := range h.policy.due(alerts, h.told, at(second)) {
		line := m.key + ":"
		for _, a := range m.firing {
			line += " " + a.Name()
		}
		for _, a := range m.resolved {
			line += " -" + a.Name()
		}
		got = append(got, line)
		if m.told == nil {
			delete(h.told, m.key)
		} else {
			h.told[m.key] = m.told
		}
	}
	assert.Equal(h.t, want, got, "at second %d", second)
}

func TestOneCauseSendsOneMessage(t *testing.T) {
	h := newHearer(t)
	down := alertOf("Down", "a", "critical", Active, 0)
	gc := alertOf("GC", "a", "warning", Active, 10)
	other := alertOf("GC", "b", "warning", Active, 10)
	pending := alertOf("Slow", "a", "warning", Pending, 10)
	all := []Alert{gc, other, pending, down}
	h.hear(0, []Alert{down})
	h.hear(5, []Alert{down})
	h.hear(29, all)
	h.hear(29, []Alert{down, gc})
	h.hear(30, []Alert{down, gc, other}, `{instance="a",job="shop"}: Down GC`)
	h.hear(31, all)
	h.hear(40, all, `{instance="b",job="shop"}: GC`)
	h.hear(3000, all)

	late := append(all, alertOf("Late", "a", "warning", Active, 100))
	h.hear(130, late)
	h.hear(330, late, `{instance="a",job="shop"}: Down GC Late`)
}

// The instance of the one has in its name what tells the other's job.
func TestGroupsOfLikeNamesAreTwo(t *testing.T) {
	h := newHearer(t)
	one, two := alertOf("Down", "a", "critical", Active, 0), alertOf("GC", "a,job=shop", "critical", Active, 0)
	delete(two.Labels, "job")
	h.hear(30, []Alert{one, two}, `{instance="a",job="shop"}: Down`, `{instance="a,job=shop"}: GC`)
}

func TestSomethingWorseIsToldSooner(t *testing.T) {
	h := newHearer(t)
	warning := alertOf("GC", "a", "warning", Active, 0)
	h.hear(30, []Alert{warning}, `{instance="a",job="shop"}: GC`)
	worse := []Alert{warning, alertOf("Full", "a", "critical", Active, 40)}
	h.hear(59, worse)
	h.hear(60, worse, `{instance="a",job="shop"}: Full GC`)
}

// What is new, and what was told, is as bad as the worst of it, wherever that stands among the rest.
func TestTheWorstOfSeveralCounts(t *testing.T) {
	f := func(name string, told, late []string, want int) {
		t.Run(name, func(t *testing.T) {
			h := newHearer(t)
			var alerts []Alert
			key, line := `{instance="a",job="shop"}:`, ""
			add := func(severities []string, second int) {
				for i, severity := range severities {
					a := alertOf(strconv.Itoa(len(alerts)), "a", severity, Active, second)
					a.FiredAt = at(second + i)
					alerts = append(alerts, a)
				}
			}
			add(told, 0)
			for _, a := range alerts {
				line += " " + a.Name()
			}
			h.hear(30, alerts, key+line)
			add(late, 40)
			h.hear(30+want-1, alerts)
			assert.Len(t, h.policy.due(alerts, h.told, at(30+want)), 1)
		})
	}
	f("worse, then as bad", []string{"warning"}, []string{"critical", "warning"}, 30)
	f("as bad as the first", []string{"critical", "warning"}, []string{"critical"}, 300)
	f("info and info", []string{"info"}, []string{"info"}, 300)
	f("info, then a word we do not know", []string{"info"}, []string{"sev3"}, 30)
}

// A group waits from when its first alert fired, whichever is listed first.
func TestAGroupWaitsFromItsFirstAlertOn(t *testing.T) {
	h := newHearer(t)
	h.hear(30, []Alert{alertOf("Full", "a", "critical", Active, 20), alertOf("GC", "a", "warning", Active, 0)}, `{instance="a",job="shop"}: Full GC`)
}

// What a receiver was told of and is known no more, as the kept alerts were damaged, is no news.
func TestAGroupOfForgottenAlertsEndsWithoutAWord(t *testing.T) {
	h := newHearer(t)
	h.told["{}"] = &Told{At: at(0), Firing: []string{"gone"}}
	h.hear(300, nil, "{}:")
	assert.Empty(t, h.told)
}

func TestSomethingAsBadIsToldLater(t *testing.T) {
	h := newHearer(t)
	warning := alertOf("GC", "a", "warning", Active, 0)
	h.hear(30, []Alert{warning}, `{instance="a",job="shop"}: GC`)
	both := []Alert{warning, alertOf("Slow", "a", "warning", Active, 40)}
	h.hear(329, both)
	h.hear(330, both, `{instance="a",job="shop"}: GC Slow`)
}

func TestWhatNobodyTakesOnIsToldAgain(t *testing.T) {
	h := newHearer(t)
	a := alertOf("Down", "a", "critical", Active, 0)
	h.hear(30, []Alert{a}, `{instance="a",job="shop"}: Down`)
	h.hear(30+3599, []Alert{a})
	h.hear(30+3600, []Alert{a}, `{instance="a",job="shop"}: Down`)
	a.State = Acknowledged
	h.hear(30+9000, []Alert{a})
	a.State, a.CompletedAt = Completed, at(30+9001)
	h.hear(30+9001, []Alert{a}, `{instance="a",job="shop"}: -Down`)
	h.hear(30+9999, []Alert{a})
}

func TestWhatFlapsIsToldOnce(t *testing.T) {
	h := newHearer(t)
	on, off := alertOf("Down", "a", "critical", Active, 0), alertOf("Down", "a", "critical", Completed, 0)
	h.hear(20, []Alert{on})
	h.hear(25, []Alert{off})
	on.FiredAt = at(40)
	h.hear(69, []Alert{on})
	h.hear(70, []Alert{on}, `{instance="a",job="shop"}: Down`)
	for s := 80; s < 360; s += 20 {
		h.hear(s, []Alert{off})
		h.hear(s+10, []Alert{on})
	}
	h.hear(371, []Alert{off}, `{instance="a",job="shop"}: -Down`)
}

func TestWhatWasAcknowledgedBeforeIsNotTold(t *testing.T) {
	h := newHearer(t)
	a := alertOf("Down", "a", "critical", Acknowledged, 0)
	h.hear(500, []Alert{a})
}

func TestAMessageListsSoMany(t *testing.T) {
	h := newHearer(t)
	h.policy.GroupBy = []string{"alertname"}
	var alerts []Alert
	for i := range maxListed + 5 {
		alerts = append(alerts, alertOf("Down", string(rune('a'+i)), "critical", Active, 0))
	}
	due := h.policy.due(alerts, h.told, at(30))
	assert.Len(t, due, 1)
	assert.Len(t, due[0].firing, maxListed)
	assert.Equal(t, 5, due[0].truncated)
	assert.Len(t, due[0].told.Firing, maxListed+5)

	told := map[string]*Told{due[0].key: due[0].told}
	for i := range alerts[3:] {
		alerts[3+i].State = Completed
		alerts[3+i].Labels["severity"] = "warning"
	}
	alerts[50].Labels["severity"] = "critical"
	alerts[0].FiredAt = at(1000)
	due = h.policy.due(alerts, told, at(30+3600))
	assert.Len(t, due, 1)
	assert.Len(t, due[0].firing, 3)
	assert.Equal(t, alerts[0].ID, due[0].firing[2].ID, "of those as bad the last to fire is the last")
	assert.Len(t, due[0].resolved, maxListed-3)
	assert.Equal(t, alerts[50].ID, due[0].resolved[0].ID, "the worst first")
	assert.Equal(t, 5, due[0].truncated)
}

// With another group_by the groups of before end, and what fires in others now has not.
func TestWhatFiresInAnotherGroupHasNotEnded(t *testing.T) {
	h := newHearer(t)
	down, over := alertOf("Down", "a", "critical", Active, 0), alertOf("GC", "a", "warning", Active, 0)
	h.hear(30, []Alert{down, over}, `{instance="a",job="shop"}: Down GC`)
	h.policy.GroupBy = []string{"job"}
	over.State, over.CompletedAt = Completed, at(35)
	h.hear(40, []Alert{down, over}, `{job="shop"}: Down`)
	h.hear(330, []Alert{down, over}, `{instance="a",job="shop"}: -GC`)
	h.hear(900, []Alert{down, over})
}

// A message that says an alert is over says since when, though its condition holds again.
func TestWhatIsPendingAgainHasEnded(t *testing.T) {
	h := newHearer(t)
	h.hear(30, []Alert{alertOf("Down", "a", "critical", Active, 0)}, `{instance="a",job="shop"}: Down`)
	due := h.policy.due([]Alert{alertOf("Down", "a", "critical", Pending, 100)}, h.told, at(400))
	assert.Len(t, due, 1)
	w := webhookMessageOf(&due[0], "hook", "")
	assert.Equal(t, statusResolved, w.Status)
	assert.Equal(t, at(30), w.Alerts[0].StartsAt)
	assert.Equal(t, at(100), w.Alerts[0].EndsAt)
}

func TestAClockSetBackSilencesNobody(t *testing.T) {
	h := newHearer(t)
	first := alertOf("Down", "a", "critical", Active, 7200)
	h.hear(3600, []Alert{first}, `{instance="a",job="shop"}: Down`)

	h = newHearer(t)
	h.hear(7230, []Alert{first}, `{instance="a",job="shop"}: Down`)
	second := alertOf("GC", "a", "warning", Active, 3650)
	h.hear(3660, []Alert{first, second}, `{instance="a",job="shop"}: Down GC`)
	h.hear(3661, []Alert{first, second})
}

// A partition of the network makes as many alerts as there are targets, and where they are
// one group, that is looked at each second.
func BenchmarkDueOfOneBigGroup(b *testing.B) {
	policy := Policy{GroupBy: []string{"job"}, Wait: time.Second, Interval: time.Hour, Repeat: time.Hour}
	var alerts []Alert
	for i := range 10_000 {
		alerts = append(alerts, alertOf("Down", strconv.Itoa(i), "critical", Active, 0))
	}
	first := policy.due(alerts, nil, at(30))[0]
	told := map[string]*Told{first.key: first.told}
	for b.Loop() {
		policy.due(alerts, told, at(31))
	}
}

package report

import (
	"slices"
	"strconv"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/unit"
)

// timerView is a scheduler with its queue over time.
type timerView struct {
	finding.Scheduler
	Facts  []finding.Fact
	Bars   []barView
	States []string // that the bars have, in order
	// First and Last label the ends of the axis, Most its height.
	First, Last, Most string
	// Now is where the time of the dump lies, empty where it is not on the axis.
	Now string
}

// barView is a part of a bar.
type barView struct{ X, Y, W, H, Key, Title string }

// chartHeight is the height of the bars in pixels.
const chartHeight = 140

// newTimerView draws a scheduler's queue.
func newTimerView(s finding.Scheduler, created string) timerView {
	v := timerView{Scheduler: s, Facts: schedulerFacts(s, created)}
	slots, first, width := dueSlots(s.Due)
	if len(slots) < 2 {
		return v // one point in time needs no picture
	}
	var most int64
	for _, slot := range slots {
		var sum int64
		for _, d := range slot {
			sum += max(d.Count, 0)
			if !slices.Contains(v.States, d.State) {
				v.States = append(v.States, d.State)
			}
		}
		most = max(most, sum)
	}
	slices.Sort(v.States)
	for i, slot := range slots {
		top := int64(chartHeight)
		for _, d := range slot {
			h := max(portion(d.Count, most, chartHeight), 2)
			top -= h
			v.Bars = append(v.Bars, barView{
				X: percent(int64(i) * whole / int64(len(slots))), W: percent(whole / int64(len(slots)) * 9 / 10),
				Y: strconv.FormatInt(top, 10), H: strconv.FormatInt(h, 10), Key: "t-" + stateKey(d.State),
				Title: unit.Plural(d.Count, d.State+" task", d.State+" tasks") + "\ndue from " + due(d.From, created) + "\nuntil " + due(d.Until, created),
			})
		}
	}
	v.First, v.Last, v.Most = due(s.Due[0].From, created), due(s.Due[len(s.Due)-1].Until, created), unit.Plural(most, "task", "tasks")
	if dumped, err := time.Parse(time.RFC3339, created); err == nil && width > 0 {
		if at := int64(float64(dumped.Sub(first)) / float64(width) * whole / float64(len(slots))); at >= 0 && at <= whole {
			v.Now = percent(at)
		}
	}
	return v
}

// dueSlots spreads the counts over slots of equal width; a last stretch that is longer
// than the others has one slot too.
func dueSlots(all []finding.DueCount) (slots [][]finding.DueCount, first time.Time, width time.Duration) {
	for _, d := range all {
		from, err := time.Parse(time.RFC3339, d.From)
		if err != nil {
			return nil, first, 0
		}
		until, err := time.Parse(time.RFC3339, d.Until)
		if err != nil || !until.After(from) {
			return nil, first, 0
		}
		if len(slots) == 0 {
			first, width = from, until.Sub(from)
		}
		i := int(from.Sub(first) / width)
		if i < 0 || i >= maxSlots {
			return nil, first, 0
		}
		for len(slots) <= i {
			slots = append(slots, nil)
		}
		slots[i] = append(slots[i], d)
	}
	return slots, first, width
}

// maxSlots bounds the bars of a chart, which saved reports of others could exceed.
const maxSlots = 200

// stateKey is the style of a task's state.
func stateKey(state string) string {
	if slices.Contains([]string{"virgin", "scheduled", "executed", "cancelled"}, state) {
		return state
	}
	return "unknown"
}

// Key is stateKey for the template.
func (timerView) Key(state string) string { return stateKey(state) }

package finding

import (
	"slices"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// DueCount counts the tasks of a scheduler that are in one state and due in one
// stretch of time.
type DueCount struct {
	// From and Until bound the stretch, RFC 3339; Until is not part of it.
	From  string `json:"from"`
	Until string `json:"until"`
	State string `json:"state"`
	Count int64  `json:"count"`
}

const (
	// dueStretches is into how many stretches of time a queue is divided.
	dueStretches = 40
	// dueOutliers is one in how many tasks may be due so late that the others would
	// all fall into the first stretch: such go into the last one.
	dueOutliers = 200
)

// dueCounts counts a Timer's tasks, rows of the table, over time: stretches of equal length, the
// last of which reaches to the last task. Empty ones are left out.
func dueCounts(tasks []int32, table *heap.Table) []DueCount {
	if len(tasks) == 0 {
		return nil
	}
	due := func(row int32) int64 { return hprof.Millis(table.Long(int(row), columnDue)) }
	times := make([]int64, len(tasks))
	for i, task := range tasks {
		times[i] = due(task)
	}
	slices.Sort(times)
	first, last := times[0], times[len(times)-1]
	usual := times[len(times)-1-len(times)/dueOutliers]
	width := (usual-first)/dueStretches + 1
	var counts [dueStretches][len(timerTaskStates)]int64
	for _, task := range tasks {
		i := min((due(task)-first)/width, dueStretches-1)
		counts[i][timerTaskState(table.Int(int(task), columnState))]++
	}
	var all []DueCount
	for i, byState := range counts {
		from := first + int64(i)*width
		until := from + width
		if i == dueStretches-1 {
			until = max(until, last+1)
		}
		for state, n := range byState {
			if n > 0 {
				all = append(all, DueCount{hprof.Instant(from).Format(time.RFC3339Nano), hprof.Instant(until).Format(time.RFC3339Nano), timerTaskStates[state], n})
			}
		}
	}
	return all
}

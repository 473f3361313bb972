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

// dueCounts counts a Timer's tasks over time: stretches of equal length, the last of
// which reaches to the last task. Empty ones are left out.
func dueCounts(tasks []heap.ObjID, table *heap.Table) []DueCount {
	if len(tasks) == 0 {
		return nil
	}
	due := func(task heap.ObjID) int64 { return hprof.Instant(table.Long(table.Row(task), columnDue)).UnixMilli() }
	times := make([]int64, len(tasks))
	for i, task := range tasks {
		times[i] = due(task)
	}
	slices.Sort(times)
	first, last := times[0], times[len(times)-1]
	usual := times[len(times)-1-len(times)/dueOutliers]
	width := (usual-first)/dueStretches + 1
	counts := [dueStretches]map[string]int64{}
	for _, task := range tasks {
		i := min((due(task)-first)/width, dueStretches-1)
		if counts[i] == nil {
			counts[i] = map[string]int64{}
		}
		counts[i][timerTaskState(table.Int(table.Row(task), columnState))]++
	}
	var all []DueCount
	for i, byState := range counts {
		from := first + int64(i)*width
		until := from + width
		if i == dueStretches-1 {
			until = max(until, last+1)
		}
		for _, state := range []string{"virgin", scheduledState, executedState, cancelledState, "unknown"} {
			if n := byState[state]; n > 0 {
				all = append(all, DueCount{hprof.Instant(from).Format(time.RFC3339Nano), hprof.Instant(until).Format(time.RFC3339Nano), state, n})
			}
		}
	}
	return all
}

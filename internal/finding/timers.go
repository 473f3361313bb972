package finding

import (
	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
)

// The names of a task's states.
const (
	scheduledState = "scheduled"
	executedState  = "executed"
	cancelledState = "cancelled"
)

// timerTaskStates are the states of a java.util.TimerTask, from 0 (java/util/TimerTask.java), and
// one for all that there is not.
var timerTaskStates = [...]string{"virgin", scheduledState, executedState, cancelledState, "unknown"}

// timerTaskState returns the place of a state in timerTaskStates.
func timerTaskState(state int64) int64 {
	if other := int64(len(timerTaskStates) - 1); state < 0 || state > other {
		return other
	}
	return state
}

const (
	columnQueue = 0 // of tableTimer, tableTimerThread and tableTaskQueue
	columnOwner = 1 // thread of tableTimer
	columnSize  = 1 // of tableTaskQueue and tableWorkQueue
	columnState = 0 // of tableTask and tableFuture
	columnDue   = 1 // of tableTask
)

// timers returns all java.util.Timers.
//
// Source: java/util/Timer.java: TaskQueue.queue is a binary heap from index 1,
// ordered by nextExecutionTime; cancel() only sets a task's state, the task leaves
// the queue when it reaches the head and the thread wakes up.
func (h *Heap) timers() []*scheduler {
	owners := map[heap.ObjID]int{} // task queue -> row of its Timer
	table := h.Tables[tableTimer]
	for row := range table.Len() {
		owners[table.Ref(row, columnQueue)] = row
	}
	// A thread outlives its Timer while tasks are left.
	threads := map[heap.ObjID]string{} // task queue -> name of the thread
	for row, thread := range h.Tables[tableTimerThread].Objects {
		threads[h.Tables[tableTimerThread].Ref(row, columnQueue)] = h.threadName(thread)
	}
	queues, tasks := h.Tables[tableTaskQueue], h.Tables[tableTask]
	created := h.Created.UnixMilli()
	var timers []*scheduler
	for row, queue := range queues.Objects {
		s := &scheduler{owner: queue, array: queues.Ref(row, columnQueue)}
		s.Kind, s.Size, s.Thread = kindTimer, queues.Int(row, columnSize), threads[queue]
		if r, ok := owners[queue]; ok {
			s.owner = table.Objects[r]
			s.Thread = h.threadName(table.Ref(r, columnOwner))
		}
		var overdue, last int64
		var rows []int32
		name := func(state int64) string { return timerTaskStates[timerTaskState(state)] }
		h.fill(s, tasks, name, func(row int, state string) {
			due := hprof.Millis(tasks.Long(row, columnDue))
			if state == scheduledState && due < created {
				overdue++
			}
			if len(rows) == 0 {
				s.head = hprof.Instant(due)
				rows, last = make([]int32, 0, cap(s.tasks)), due
			}
			rows, last = append(rows, int32(row)), max(last, due)
		})
		if len(s.tasks) > 0 {
			s.Overdue, s.last = &overdue, hprof.Instant(last)
			s.Due = dueCounts(rows, tasks)
		}
		timers = append(timers, s)
	}
	return timers
}

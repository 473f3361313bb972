package finding

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

// States of a java.util.TimerTask (java/util/TimerTask.java).
const (
	taskVirgin    = 0
	taskScheduled = 1
	taskExecuted  = 2
	taskCancelled = 3
)

func taskState(s int64) string {
	switch s {
	case taskVirgin:
		return "virgin"
	case taskScheduled:
		return "scheduled"
	case taskExecuted:
		return "executed"
	case taskCancelled:
		return "cancelled"
	}
	return "unknown"
}

// timer is a java.util.Timer's queue as it lies in the heap.
//
// Source: java/util/Timer.java: TaskQueue.queue is a binary heap from index 1,
// ordered by nextExecutionTime; cancel() only sets a task's state, the task leaves
// the queue when it reaches the head and the thread wakes up.
type timer struct {
	Scheduler
	owner     heap.ObjID   // the Timer, or its TaskQueue where the Timer is gone
	tasks     []heap.ObjID // in the order of the heap: the head first
	cancelled []heap.ObjID
	head      time.Time // zero for an empty queue
	last      time.Time
}

const (
	columnQueue = 0 // of tableTimer and tableTaskQueue
	columnOwner = 1 // thread of tableTimer
	columnSize  = 1 // of tableTaskQueue
	columnState = 0 // of tableTask
	columnDue   = 1 // of tableTask
)

// maxSchedulers bounds the schedulers of a report, maxTaskRows the rows of each.
const (
	maxSchedulers = 20
	maxTaskRows   = 20
)

// readTimers returns the queues of all java.util.Timers that hold a task, biggest
// first. Errors: that of ctx.
func (h *Heap) readTimers(ctx context.Context) ([]*timer, error) {
	owners := map[heap.ObjID]int{} // task queue -> row of its Timer
	table := h.Tables[tableTimer]
	for row := range table.Len() {
		owners[table.Ref(row, columnQueue)] = row
	}
	queues := h.Tables[tableTaskQueue]
	var timers []*timer
	arrays := map[heap.ObjID]*timer{}
	for row, queue := range queues.Objects {
		t := &timer{owner: queue}
		t.Kind, t.Size = "java.util.Timer", queues.Int(row, columnSize)
		if r, ok := owners[queue]; ok {
			t.owner = table.Objects[r]
			t.Thread = h.threadNames[table.Ref(r, columnOwner)]
		}
		array := queues.Ref(row, columnQueue)
		if h.fillTimer(t, array); len(t.tasks) == 0 {
			continue
		}
		t.Object = address(h.Address(t.owner))
		timers = append(timers, t)
		arrays[array] = t
	}
	ids := make([]heap.ObjID, 0, len(arrays))
	for a := range arrays {
		ids = append(ids, a)
	}
	if err := h.Read(ctx, ids, func(c heap.Content) { arrays[c.Object].Capacity = c.Count }); err != nil {
		return nil, err
	}
	slices.SortFunc(timers, func(a, b *timer) int {
		return cmp.Or(cmp.Compare(b.Size, a.Size), cmp.Compare(a.owner, b.owner))
	})
	return timers, nil
}

// fillTimer counts the tasks in the array of a timer's queue.
func (h *Heap) fillTimer(t *timer, array heap.ObjID) {
	if array == 0 {
		return
	}
	table := h.Tables[tableTask]
	counts := map[TaskCount]int64{}
	var overdue int64
	for task := range h.References(array) {
		row := table.Row(task)
		if row < 0 {
			continue
		}
		t.tasks = append(t.tasks, task)
		state, due := table.Int(row, columnState), time.UnixMilli(table.Long(row, columnDue)).UTC()
		counts[TaskCount{Class: h.Class(task).Name, State: taskState(state)}]++
		if state == taskCancelled {
			t.cancelled = append(t.cancelled, task)
		}
		if state == taskScheduled && due.Before(h.Created) {
			overdue++
		}
		if t.head.IsZero() {
			t.head = due
		}
		if due.After(t.last) {
			t.last = due
		}
	}
	if len(t.tasks) == 0 {
		return
	}
	t.Cancelled, t.Overdue = int64(len(t.cancelled)), &overdue
	t.HeadDue, t.LastDue = t.head.Format(time.RFC3339Nano), t.last.Format(time.RFC3339Nano)
	t.Tasks = []TaskCount{}
	for k, n := range counts {
		k.Count = n
		t.Tasks = append(t.Tasks, k)
	}
	slices.SortFunc(t.Tasks, func(a, b TaskCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Class, b.Class), cmp.Compare(a.State, b.State))
	})
	t.Tasks = t.Tasks[:min(len(t.Tasks), maxTaskRows)]
	retained := h.retained(array)
	t.RetainedBytes = &retained
}

// Schedulers lists the schedulers that hold tasks, biggest first. omitted is how
// many the bound cut off.
func (h *Heap) Schedulers() (list []Scheduler, omitted int64) {
	list = []Scheduler{}
	for _, t := range h.timers[:min(len(h.timers), maxSchedulers)] {
		list = append(list, t.Scheduler)
	}
	return list, int64(len(h.timers) - len(list))
}

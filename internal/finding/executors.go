package finding

import (
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

const (
	executorClass = "java.util.concurrent.ScheduledThreadPoolExecutor"
	poolClass     = "java.util.concurrent.ThreadPoolExecutor"
)

// futureState names a state of a java.util.concurrent.FutureTask. cancel(true)
// leaves INTERRUPTED behind, cancel(false) CANCELLED.
func futureState(state int64) string {
	switch state {
	case 0: // NEW
		return scheduledState
	case 1, 2, 3: // COMPLETING, NORMAL, EXCEPTIONAL
		return executedState
	case 4, 5, 6: // CANCELLED, INTERRUPTING, INTERRUPTED
		return cancelledState
	}
	return "unknown"
}

const (
	columnWorkQueue = 0 // of tableExecutor
	columnThread    = 0 // of tableWorker
	columnPool      = 1 // of tableWorker

	columnFutureTime = 1 // of tableFuture
)

// executors returns all ScheduledThreadPoolExecutors.
//
// Source: java/util/concurrent/ScheduledThreadPoolExecutor.java: the queue is a
// binary heap from index 0; a cancelled task stays in it until its time, unless
// setRemoveOnCancelPolicy(true) was called. Its time is a System.nanoTime: what was due
// at the last collection is overdue.
func (h *Heap) executors() []*scheduler {
	threads := map[heap.ObjID]string{} // pool -> name of its first worker's thread
	workers := h.Tables[tableWorker]
	for row := range workers.Len() {
		pool, name := workers.Ref(row, columnPool), h.threadName(workers.Ref(row, columnThread))
		if threads[pool] == "" || name != "" && name < threads[pool] {
			threads[pool] = name
		}
	}
	futures := h.Tables[tableFuture]
	collected, ok := h.collected()
	table, queues := h.Tables[tableExecutor], h.Tables[tableWorkQueue]
	var executors []*scheduler
	for row, pool := range table.Objects {
		q := queues.Row(table.Ref(row, columnWorkQueue))
		if q < 0 {
			continue
		}
		s := &scheduler{owner: pool, array: queues.Ref(q, columnQueue)}
		s.Kind, s.Size, s.Thread = kindExecutor, queues.Int(q, columnSize), threads[pool]
		h.fill(s, futures, futureState, func(row int, state string) {
			if !ok {
				return
			}
			due := time.Duration(futures.Long(row, columnFutureTime))
			s.reckon(h, due, collected)
			if by := collected - due; state == scheduledState && by > 0 {
				s.pastDue++
				s.lateBy = max(s.lateBy, by)
			}
		})
		executors = append(executors, s)
	}
	return executors
}

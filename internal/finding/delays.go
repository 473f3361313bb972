package finding

import (
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

const (
	// kindDelay is the scheduler of a ForkJoinPool, from JDK 25 on.
	kindDelay    = "DelayScheduler"
	delayedClass = "java.util.concurrent.DelayScheduler$ScheduledForkJoinTask"
	forkJoinPool = "java.util.concurrent.ForkJoinPool"
	joinTask     = "java.util.concurrent.ForkJoinTask"
)

// The columns of tableForkJoin and tableDelayed.
const (
	delayThread   = 0
	delayedStatus = 0
	delayedPlace  = 1
	delayedPool   = 2
	delayedWhen   = 3
)

// delayedState names a state of a ForkJoinTask by its status: DONE is its sign, and
// ABNORMAL without THROWN means cancelled.
//
// Source: java/util/concurrent/ForkJoinTask.java.
func delayedState(status int64) string {
	const abnormal, thrown = 1 << 16, 1 << 17
	switch {
	case status >= 0:
		return scheduledState
	case status&abnormal != 0 && status&thrown == 0:
		return cancelledState
	}
	return executedState
}

// delayedOn returns the array of tasks that the stack of a scheduler's thread refers to, 0 if there is
// none.
func (h *Heap) delayedOn(thread heap.ObjID) (array heap.ObjID) {
	s, _ := h.stackOf(thread)
	for i := range s.Frames {
		for _, l := range s.Locals(i) {
			if h.Class(l.Object).Name == delayedClass+"[]" {
				array = l.Object
			}
		}
	}
	return array
}

// delaySchedulers returns the schedulers of ForkJoinPools, which run timed tasks and the
// timeouts of CompletableFutures and virtual threads.
//
// Source: java/util/concurrent/DelayScheduler.java of JDK 25: the heap of tasks is a local
// variable of the scheduler's thread, which forgets its pool; a task in it has a heapIndex
// of 0 and more.
func (h *Heap) delaySchedulers() []*scheduler {
	tasks := h.Tables[tableDelayed]
	if tasks.Len() == 0 {
		return nil
	}
	// The time base is the most negative one, so that times never wrap.
	base, _ := h.Static("java.util.concurrent.DelayScheduler", "nanoTimeOffset")
	now, ok := h.collected()
	byPool := map[heap.ObjID]*scheduler{}
	var all []*scheduler
	for row, pool := range h.Tables[tableForkJoin].Objects {
		thread := h.Tables[tableForkJoin].Ref(row, delayThread)
		if thread == 0 {
			continue
		}
		s := &scheduler{owner: thread, array: h.delayedOn(thread)}
		s.Kind, s.Thread = kindDelay, h.threadName(thread)
		byPool[pool] = s
		all = append(all, s)
	}
	for row, task := range tasks.Objects {
		s := byPool[tasks.Ref(row, delayedPool)]
		if s == nil || tasks.Int(row, delayedPlace) < 0 || !h.reachable(task) {
			continue
		}
		class := h.payloadClass(task)
		if tasks.Int(row, delayedPlace) == 0 {
			s.HeadTask = class
		}
		s.add(task, class, delayedState(tasks.Int(row, delayedStatus)))
		if ok && base != 0 {
			s.reckon(h, time.Duration(tasks.Long(row, delayedWhen)-int64(base)), now)
		}
	}
	for _, s := range all {
		s.Size = int64(len(s.tasks))
		s.sum()
	}
	return all
}

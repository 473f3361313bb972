package finding

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/heap"
)

// kindWheel is the kind of Netty's timer, and of those that have its code under another
// package.
const kindWheel = "HashedWheelTimer"

// wheelTimers returns all hashed wheel timers. Errors: that of ctx.
//
// Source: io/netty/util/HashedWheelTimer.java: a timeout waits in the queue "timeouts"
// for the next tick, then in a bucket; a cancelled one waits in "cancelledTimeouts", too,
// for the next tick to take it out. So more than a tick's worth of cancelled timeouts
// means that the worker is blocked. Deadlines count from the timer's start, a System.nanoTime;
// so do the ticks that have passed, and the JVM may have collected after the last one.
func (h *Heap) wheelTimers(ctx context.Context) ([]*scheduler, error) {
	var wheels []*scheduler
	owner := map[heap.ObjID]*scheduler{} // by timeout
	for _, timer := range h.instancesOf(func(class string) bool { return strings.HasSuffix(class, "."+kindWheel) }) {
		s := &scheduler{owner: timer}
		s.Kind = kindWheel
		for _, o := range h.wheelTimeouts(s) {
			owner[o] = s
		}
		wheels = append(wheels, s)
	}
	timeouts := make([]heap.ObjID, 0, len(owner))
	for o := range owner {
		timeouts = append(timeouts, o)
	}
	slices.Sort(timeouts)
	now, err := h.wheelClocks(ctx, wheels)
	if err != nil {
		return nil, err
	}
	states, classes := map[heap.ObjID]string{}, map[heap.ObjID]string{}
	deadlines := map[heap.ObjID]int64{}
	err = h.Read(ctx, timeouts, func(c heap.Content) {
		state, _, _ := h.Field(c, heap.FieldName{Field: "state"})
		states[c.Object] = timeoutState(int64(state))
		deadline, _, _ := h.Field(c, heap.FieldName{Field: "deadline"})
		deadlines[c.Object] = int64(deadline)
		task, _, _ := h.Field(c, heap.FieldName{Field: "task"})
		classes[c.Object] = h.Class(c.Object).Name
		if o := h.Object(task); o != 0 {
			classes[c.Object] = stableClass(h.Class(o).Name)
		}
	})
	heads := map[*scheduler]heap.ObjID{}
	for _, o := range timeouts {
		if states[o] != executedState {
			s := owner[o]
			if head, ok := heads[s]; !ok || deadlines[o] < deadlines[head] {
				heads[s], s.HeadTask = o, classes[o]
			}
			s.add(o, classes[o], states[o])
			if passed, ok := now[s.owner]; ok {
				s.reckon(h, time.Duration(deadlines[o]), passed)
			}
		}
	}
	for _, s := range wheels {
		s.Size = int64(len(s.tasks))
		s.sum()
	}
	return wheels, err
}

// wheelClocks says for how long each wheel had been running at the last moment that the
// dump tells; wheels that do not tell their start are left out. Errors: that of ctx.
func (h *Heap) wheelClocks(ctx context.Context, wheels []*scheduler) (map[heap.ObjID]time.Duration, error) {
	timers := make([]heap.ObjID, 0, len(wheels))
	for _, s := range wheels {
		timers = append(timers, s.owner)
	}
	var values [3]map[heap.ObjID]uint64
	for i, fields := range [][]string{{"startTime"}, {"tickDuration"}, {"worker", "tick"}} {
		var err error
		if values[i], err = h.follow(ctx, timers, fields...); err != nil {
			return nil, err
		}
	}
	collected, ok := h.collected()
	clocks := map[heap.ObjID]time.Duration{}
	for timer, start := range values[0] {
		if start == 0 {
			continue // not running yet
		}
		clocks[timer] = time.Duration(values[1][timer] * values[2][timer])
		if ok {
			clocks[timer] = max(clocks[timer], collected-time.Duration(start))
		}
	}
	return clocks, nil
}

// timeoutState names a state of a HashedWheelTimeout.
func timeoutState(state int64) string {
	switch state {
	case 0: // ST_INIT
		return scheduledState
	case 1: // ST_CANCELLED
		return cancelledState
	case 2: // ST_EXPIRED
		return executedState
	}
	return "unknown"
}

// wheelTimeouts walks from the timer through its wheel and queues to the timeouts. It
// sets the scheduler's array and thread.
func (h *Heap) wheelTimeouts(s *scheduler) []heap.ObjID {
	var todo, found []heap.ObjID
	seen := map[heap.ObjID]bool{}
	visit := func(o heap.ObjID) {
		if !seen[o] {
			seen[o] = true
			todo = append(todo, o)
		}
	}
	for o := range h.References(s.owner) {
		class := h.Class(o).Name
		switch {
		case strings.HasSuffix(class, "HashedWheelBucket[]"):
			s.array = o
			visit(o)
		case h.IsSubclass(h.ClassOf(o), "java.util.AbstractQueue"):
			visit(o)
		case h.threadName(o) != "":
			s.Thread = h.threadName(o)
			for _, t := range h.inWorkersHand(o) {
				visit(t)
			}
		}
	}
	for len(todo) > 0 {
		o := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		timeout := wheelTimeout(h.Class(o).Name)
		if timeout {
			found = append(found, o)
		}
		for r := range h.References(o) {
			if class := h.Class(r).Name; wheelTimeout(class) || !timeout && wheelPart(class) {
				visit(r)
			}
		}
	}
	return found
}

// inWorkersHand returns the timeouts that a worker thread has taken from the queue and not yet put into
// their bucket: they are on its stack, below the call of a timeout's own task.
func (h *Heap) inWorkersHand(worker heap.ObjID) []heap.ObjID {
	var found []heap.ObjID
	s, _ := h.stackOf(worker)
	for i, f := range slices.Backward(s.Frames) {
		if wheelTimeout(f.Class) && isRunOf(f.Class)(f) {
			break
		}
		for _, l := range s.Locals(i) {
			if wheelTimeout(h.Class(l.Object).Name) {
				found = append(found, l.Object)
			}
		}
	}
	return found
}

func wheelTimeout(class string) bool { return strings.HasSuffix(class, "$HashedWheelTimeout") }

// wheelPart says whether objects of the class lie between a timer and its timeouts.
func wheelPart(class string) bool {
	return strings.HasSuffix(class, "$HashedWheelBucket") || strings.HasSuffix(class, "[]") ||
		strings.Contains(class, "Queue") || class == "java.util.concurrent.atomic.AtomicReferenceArray"
}

package series

import (
	"slices"
	"strings"
	"time"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
)

// FinalizerState says how the thread that runs finalize() is doing.
type FinalizerState string

// The states.
const (
	// FinalizerIdle has nothing to do.
	FinalizerIdle FinalizerState = "idle"
	// FinalizerWorking is in a finalize() and runs, or waits for what JMX does not tell, such as a
	// monitor that a virtual thread has: it says RUNNABLE then.
	FinalizerWorking FinalizerState = "working"
	// FinalizerBlocked waits for a lock or a condition inside a finalize().
	FinalizerBlocked FinalizerState = "blocked"
)

// allFinalizerStates are the states there are.
func allFinalizerStates() []FinalizerState {
	return []FinalizerState{FinalizerIdle, FinalizerWorking, FinalizerBlocked}
}

// FinalizerHealth is what two looks at the Finalizer thread, and the number of
// pending objects at each, say.
type FinalizerHealth struct {
	State FinalizerState
	// Frame is the finalize() that runs, "class.finalize", and Top the method at the
	// top of the stack; empty while idle.
	Frame, Top string
	// LockClass is the class of the lock waited for, Owner the thread that holds
	// it; empty if there is none.
	LockClass, Owner string
	// StuckFor is how long the thread has been seen at the same place while the queue
	// did not shrink.
	StuckFor time.Duration
	// PerSecond is by how much the queue shrank; negative where it grew. Missing at
	// the first look.
	PerSecond jvm.Opt[float64]
}

// drain compares looks at the Finalizer thread. The zero value has seen none.
type drain struct {
	at      time.Time
	pending jvm.Opt[int64]
	thread  jvm.Thread
	// since is when the thread was first seen where it is.
	since time.Time
}

// observe judges a look at the thread while pending objects wait.
func (d *drain) observe(f *jvm.FinalizerThread, pending jvm.Opt[int64]) FinalizerHealth {
	h := healthOf(f)
	before, okBefore := d.pending.Get()
	now, okNow := pending.Get()
	shrank := okBefore && okNow && now < before
	if h.State == FinalizerIdle || shrank || !samePlace(d.thread, f.Thread) {
		d.since = f.Time
	}
	h.StuckFor = f.Time.Sub(d.since)
	if elapsed := f.Time.Sub(d.at).Seconds(); okBefore && okNow && elapsed > 0 {
		h.PerSecond = jvm.Some(float64(before-now) / elapsed)
	}
	d.at, d.pending, d.thread = f.Time, pending, f.Thread
	return h
}

// samePlace tells a thread that did not go on: it has not waited again, and its stack
// is the same to the line.
func samePlace(a, b jvm.Thread) bool {
	return a.ID == b.ID && a.BlockedCount == b.BlockedCount && a.WaitedCount == b.WaitedCount && slices.Equal(a.Stack, b.Stack)
}

func healthOf(f *jvm.FinalizerThread) FinalizerHealth {
	frame := finalizeFrame(f.Thread)
	if frame == "" {
		return FinalizerHealth{State: FinalizerIdle}
	}
	h := FinalizerHealth{State: FinalizerWorking, Frame: frame, LockClass: lockClass(f.Thread.Lock)}
	if top := f.Thread.Stack[0]; top.Class != "" {
		h.Top = top.Class + "." + top.Method
	}
	switch f.Thread.State {
	case jvm.Blocked, jvm.Waiting, jvm.TimedWaiting:
		h.State = FinalizerBlocked
	}
	if f.Owner != nil {
		h.Owner = f.Owner.Name
	}
	return h
}

// finalizeFrame is the finalize() on the thread's stack as "class.finalize": the
// innermost one. Empty where there is none: the thread waits for work, or is between
// two objects.
func finalizeFrame(t jvm.Thread) string {
	for _, f := range t.Stack {
		if f.Method == "finalize" {
			return f.Class + ".finalize"
		}
	}
	return ""
}

// lockClass is the class of a lock, which the JVM names class@hash.
func lockClass(lock string) string {
	class, _, _ := strings.Cut(lock, "@")
	return class
}

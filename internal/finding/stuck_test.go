package finding_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// alone returns the one finding of the heap, general suspects left out.
func alone(t *testing.T, j *hproftest.JDK) finding.Finding {
	t.Helper()
	found := specific(t, j)
	require.Len(t, found, 1)
	return found[0]
}

// specific returns the findings of the heap, general suspects left out.
func specific(t *testing.T, j *hproftest.JDK) []finding.Finding {
	t.Helper()
	return slices.DeleteFunc(detect(t, j), func(f finding.Finding) bool { return f.Kind == "big-retainer" || f.Kind == "growing-collection" })
}

// stuckHeap has a Finalizer thread in the finalize() of a connection, and n objects of
// another class behind it.
type stuckHeap struct {
	*hproftest.JDK
	thread, connection *hproftest.Object
	base, socket       *hproftest.Class
}

// newStuckHeap builds the heap; the frames come on top of finalize(), whose receiver is
// the connection. The heap in use is some 300 KiB.
func newStuckHeap(version, n int, frames func(h *stuckHeap) []hproftest.Frame) *stuckHeap {
	h := &stuckHeap{JDK: hproftest.NewJDK(version, 8)}
	h.base = h.Class("com.acme.BaseConnection", h.Object)
	h.socket = h.Class("java.net.SocketInputStream", h.Object)
	h.connection = h.New(h.Class("com.acme.PooledConnection", h.base))
	victim := h.Class("com.acme.Victim", h.Object)
	for range n {
		h.Finalizer(h.New(victim), hproftest.Enqueued)
	}
	for range 30 {
		h.Root(hprof.SubRootJNIGlobal, h.Bytes(make([]byte, 10_000)))
	}
	h.thread = h.FinalizerThread(h.connection, append(frames(h),
		hproftest.Frame{Class: h.base, Method: "finalize", Line: 40, Locals: []*hproftest.Object{h.connection}})...)
	return h
}

func noFrames(*stuckHeap) []hproftest.Frame { return nil }

func TestFinalizerStuckOnLock(t *testing.T) {
	for _, version := range []int{6, 8, 11, 17, 21, 25} {
		h := newStuckHeap(version, 3000, noFrames)
		client := h.Class("com.acme.Client", h.Object)
		owner := h.NewThread(h.Thread, "worker-7",
			hproftest.Frame{Class: h.socket, Method: "socketRead0", Line: -3},
			hproftest.Frame{Class: client, Method: "read", Line: 7})
		h.SetThread(owner, 5, false, hproftest.Running)
		h.Park(h.thread, h.Lock(owner))
		f := alone(t, h.JDK)
		assert.Equal(t, "finalizer-stuck", f.Kind)
		assert.Equal(t, finding.SeverityWarning, f.Severity)
		assert.Equal(t, finding.ConfidenceHigh, f.Confidence)
		assert.Equal(t, "com.acme.BaseConnection", f.Culprit.Class, "the class that declares finalize()")
		assert.Equal(t, "Finalizer", f.Culprit.Thread)
		assert.Equal(t, fmt.Sprintf("%#x", h.connection.ID), f.Culprit.Object)
		assert.Equal(t, int64(3000), f.Objects)
		assert.Contains(t, f.Title, "BaseConnection.finalize(): 3,000 objects")
		for _, part := range []string{"ReentrantLock @", `owned by thread "worker-7", RUNNABLE in Client.read`, "3,000 are Victim", "victims"} {
			assert.Contains(t, f.Summary, part)
		}
		require.NotNil(t, f.Evidence.Lock)
		assert.Equal(t, "field", f.Evidence.Lock.Proof)
		assert.Equal(t, []string{"java.net.SocketInputStream.socketRead0(Native Method)", "com.acme.Client.read(Client.java:7)"}, f.Evidence.Lock.OwnerStack)
		assert.Contains(t, f.Evidence.Stack, "com.acme.BaseConnection.finalize(BaseConnection.java:40)")
	}
}

// TestFinalizerBehindEndedThread is about a lock whose owner has ended with it.
func TestFinalizerBehindEndedThread(t *testing.T) {
	h := newStuckHeap(17, 3000, noFrames)
	owner := h.NewThread(h.Thread, "importer-7")
	h.SetThread(owner, 5, false, hproftest.Ended)
	h.Park(h.thread, h.Lock(owner))
	f := alone(t, h.JDK)
	assert.Equal(t, "finalizer-stuck", f.Kind)
	assert.Contains(t, f.Summary, `which thread "importer-7" has: it has ended without letting go, so nobody can any more`)
	assert.Contains(t, f.Advice, "Unlock in a finally block")
	assert.Contains(t, f.Advice, "A restart")
}

func TestFinalizerStuckOnMonitor(t *testing.T) {
	build := func(others int) (*stuckHeap, *hproftest.Object) {
		var monitor *hproftest.Object
		h := newStuckHeap(17, 3000, func(h *stuckHeap) []hproftest.Frame {
			monitor = h.New(h.Class("com.acme.Pool", h.Object))
			return []hproftest.Frame{{Class: h.base, Method: "close", Line: 50, Locals: []*hproftest.Object{h.connection, monitor}}}
		})
		h.SetThread(h.thread, 8, true, hproftest.Blocked)
		pool := h.Class("com.acme.Client", h.Object)
		for i := range others {
			owner := h.NewThread(h.Thread, fmt.Sprintf("owner-%d", i), hproftest.Frame{Class: pool, Method: "call", Line: 3},
				hproftest.Frame{Class: pool, Method: "locked", Line: 2, Locals: []*hproftest.Object{monitor}})
			h.SetThread(owner, 5, false, hproftest.Running)
		}
		// One that is blocked by it too, and one that has given it up to be notified.
		blocked := h.NewThread(h.Thread, "blocked", hproftest.Frame{Class: pool, Method: "locked", Line: 1, Locals: []*hproftest.Object{monitor}})
		h.SetThread(blocked, 5, false, hproftest.Blocked)
		waiting := h.NewThread(h.Thread, "waiting", hproftest.Frame{Class: h.Object, Method: "wait", Line: -3, Locals: []*hproftest.Object{monitor}},
			hproftest.Frame{Class: pool, Method: "locked", Line: 1, Locals: []*hproftest.Object{monitor}})
		h.SetThread(waiting, 5, false, 0x191)
		return h, monitor
	}
	h, monitor := build(1)
	f := alone(t, h.JDK)
	assert.Equal(t, "finalizer-stuck", f.Kind)
	assert.Equal(t, finding.ConfidenceMedium, f.Confidence)
	require.NotNil(t, f.Evidence.Lock)
	assert.Equal(t, finding.Lock{Class: "com.acme.Pool", Object: fmt.Sprintf("%#x", monitor.ID), Owner: "owner-0", OwnerState: "RUNNABLE", Proof: "stack locals",
		OwnerStack: []string{"com.acme.Client.call(Client.java:3)", "com.acme.Client.locked(Client.java:2)"}}, *f.Evidence.Lock)
	assert.Contains(t, f.Summary, `owned by thread "owner-0" (inferred from its stack)`)

	h, _ = build(3)
	assert.Contains(t, alone(t, h.JDK).Summary, "or one of 2 others")

	h, _ = build(0)
	f = alone(t, h.JDK)
	assert.Empty(t, f.Evidence.Lock.Owner)
	assert.Contains(t, f.Summary, "the dump does not tell who could end that")
}

// TestFinalizerStuckOnStaticMonitor is blocked in a static method, whose monitor no variable has: the
// owner is guessed by its class.
func TestFinalizerStuckOnStaticMonitor(t *testing.T) {
	for _, static := range []bool{true, false} {
		h := newStuckHeap(17, 3000, func(h *stuckHeap) []hproftest.Frame {
			registry := h.Class("com.acme.Registry", h.Object)
			locals := []*hproftest.Object{h.String("key")}
			if !static {
				locals = append(locals, h.New(registry))
			}
			return []hproftest.Frame{{Class: registry, Method: "remove", Line: 50, Locals: locals}}
		})
		h.SetThread(h.thread, 8, true, hproftest.Blocked)
		owner := h.NewThread(h.Thread, "refresh", hproftest.Frame{Class: h.ClassNamed("com.acme.Registry"), Method: "refresh", Line: 3})
		h.SetThread(owner, 5, false, hproftest.Asleep)
		f := alone(t, h.JDK)
		assert.Equal(t, finding.ConfidenceMedium, f.Confidence)
		if !static {
			assert.Contains(t, f.Summary, "a monitor that its stack does not name")
			continue
		}
		assert.Contains(t, f.Summary, "probably by the monitor of class Registry @")
		assert.Contains(t, f.Summary, `owned by thread "refresh"`)
		assert.Equal(t, "static method", f.Evidence.Lock.Proof)
	}
}

// TestOwnersWaitToo follows who waits for whom.
func TestOwnersWaitToo(t *testing.T) {
	build := func(last func(h *stuckHeap, locks [3]*hproftest.Object) *hproftest.Object) finding.Finding {
		h := newStuckHeap(17, 3000, noFrames)
		first, second := h.NewThread(h.Thread, "first"), h.NewThread(h.Thread, "second")
		locks := [3]*hproftest.Object{h.Lock(first), h.Lock(second), h.Lock(h.thread)}
		h.Park(h.thread, locks[0])
		h.Park(first, locks[1])
		h.SetThread(second, 5, false, hproftest.Running)
		if lock := last(h, locks); lock != nil {
			h.Park(second, lock)
		}
		found := specific(t, h.JDK)
		require.NotEmpty(t, found)
		return found[0]
	}
	f := build(func(*stuckHeap, [3]*hproftest.Object) *hproftest.Object { return nil })
	assert.Equal(t, "first", f.Evidence.Lock.Owner)
	assert.Equal(t, "which waits for", f.Evidence.Facts[3].Name)
	assert.Contains(t, f.Evidence.Facts[3].Value, `of "second", RUNNABLE`)
	assert.NotContains(t, f.Summary, "deadlock")

	f = build(func(_ *stuckHeap, locks [3]*hproftest.Object) *hproftest.Object { return locks[2] })
	assert.Contains(t, f.Summary, "a deadlock")

	f = build(func(_ *stuckHeap, locks [3]*hproftest.Object) *hproftest.Object { return locks[1] })
	assert.Contains(t, f.Summary, "a deadlock", "of others")
}

// TestOwnerAtWork is no worse than a slow finalize(): the owner may be done at any moment.
func TestOwnerAtWork(t *testing.T) {
	f := func(line int32, n int, want finding.Severity) {
		t.Helper()
		h := newStuckHeap(17, n, noFrames)
		owner := h.NewThread(h.Thread, "worker-7", hproftest.Frame{Class: h.socket, Method: "socketRead0", Line: line})
		h.SetThread(owner, 5, false, hproftest.Running)
		h.Park(h.thread, h.Lock(owner))
		assert.Equal(t, want, alone(t, h.JDK).Severity)
	}
	f(12, 200, finding.SeverityInfo)
	f(12, 3000, finding.SeverityWarning)
	f(-3, 200, finding.SeverityWarning)
}

// TestFinalizerAtWork tells stuck, slow and idle apart.
func TestFinalizerAtWork(t *testing.T) {
	for _, c := range []struct {
		name     string
		waiting  int
		status   int32
		top      func(h *stuckHeap) []hproftest.Frame
		kind     string // "" for no finding
		severity finding.Severity
		words    string
	}{
		{"stuck, long queue", 20_000, hproftest.Parked, noFrames, "finalizer-stuck", finding.SeverityCritical, "without a time limit"},
		{"stuck, short queue", 150, hproftest.Parked, noFrames, "finalizer-stuck", finding.SeverityWarning, "without a time limit"},
		{"stuck, nothing waits", 0, hproftest.Parked, noFrames, "finalizer-stuck", finding.SeverityInfo, "Nothing waits behind it yet"},
		{"asleep", 3000, hproftest.Asleep, noFrames, "finalizer-slow", finding.SeverityWarning, "with a time limit"},
		{"asleep, short queue", 50, hproftest.Asleep, noFrames, "", "", ""},
		{"reads a socket", 3000, hproftest.Running, func(h *stuckHeap) []hproftest.Frame {
			return []hproftest.Frame{{Class: h.socket, Method: "socketRead0", Line: -3}}
		}, "finalizer-slow", finding.SeverityWarning, "SocketInputStream.socketRead0"},
		{"computes", 3000, hproftest.Running, noFrames, "finalizer-slow", finding.SeverityInfo, "computing"},
		{"computes, short queue", 500, hproftest.Running, noFrames, "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newStuckHeap(17, c.waiting, c.top)
			h.SetThread(h.thread, 8, true, c.status)
			if c.kind == "" {
				assert.Empty(t, specific(t, h.JDK))
				return
			}
			f := alone(t, h.JDK)
			assert.Equal(t, c.kind, f.Kind)
			assert.Equal(t, c.severity, f.Severity)
			assert.Contains(t, f.Summary, c.words)
			assert.Equal(t, "com.acme.BaseConnection", f.Culprit.Class)
		})
	}
}

// computes makes the Finalizer thread compute, while the Reference Handler is idle, or puts
// into the queue what a collection has just found.
func (h *stuckHeap) computes(filling bool) {
	h.SetThread(h.thread, 8, true, hproftest.Running)
	reference := h.ClassNamed("java.lang.ref.Reference")
	frame := hproftest.Frame{Class: reference, Method: "waitForReferencePendingList", Line: -3}
	if filling {
		frame = hproftest.Frame{Class: reference, Method: "enqueueFromPending", Line: 240}
	}
	h.NewThread(h.Class("java.lang.ref.Reference$ReferenceHandler", h.Thread), "Reference Handler", frame)
}

// TestFinalizerComputes has a thread that computes for so long that nothing was done
// since the last collection, and one that works off its queue.
func TestFinalizerComputes(t *testing.T) {
	f := func(garbage, done int, filling bool, want finding.Severity) {
		t.Helper()
		h := newStuckHeap(17, 20_000, noFrames)
		h.computes(filling)
		for range garbage {
			h.New(h.Object)
		}
		for range done {
			h.Finalizer(h.New(h.Object), hproftest.Done)
		}
		assert.Equal(t, want, alone(t, h.JDK).Severity)
	}
	f(12_000, 20, false, finding.SeverityWarning)
	f(12_000, 20, true, finding.SeverityInfo)
	f(12_000, 9_000, false, finding.SeverityInfo)
	f(0, 0, false, finding.SeverityInfo)
}

// TestFinalizerComputesInLiveDump has no finalized objects: the JVM's own count of the longest
// queue so far tells whether the thread works it off.
func TestFinalizerComputesInLiveDump(t *testing.T) {
	f := func(n int, peak int32, filling bool, want finding.Severity, words string) {
		t.Helper()
		h := newStuckHeap(17, n, noFrames)
		h.computes(filling)
		h.Class("jdk.internal.misc.VM", h.Object).Static("peakFinalRefCount", peak)
		found := alone(t, h.JDK)
		assert.Equal(t, want, found.Severity)
		assert.Contains(t, found.Summary, words)
	}
	f(20_000, 20_100, false, finding.SeverityWarning, "Of the longest queue so far (20,100) 0.5 % is worked off.")
	f(20_000, 20_100, true, finding.SeverityInfo, "one dump does not tell for how long")
	f(20_000, 40_000, false, finding.SeverityInfo, "one dump does not tell for how long")
	f(1_500, 1_500, false, finding.SeverityInfo, "") // too little
}

// TestFinalizerComputesOutOfMemory needs no other evidence.
func TestFinalizerComputesOutOfMemory(t *testing.T) {
	h := newStuckHeap(17, 20_000, noFrames)
	h.computes(true)
	h.NewThread(h.Thread, "main", hproftest.Frame{Class: h.Class("java.lang.OutOfMemoryError", h.Object), Method: "<init>", Line: 48})
	f := alone(t, h.JDK)
	assert.Equal(t, finding.SeverityWarning, f.Severity)
	assert.Contains(t, f.Summary, "Memory ran out")
}

// TestFinalizeWithoutFrame has a thread that stopped on its way out of a compiled
// finalize(): the object is still to be seen.
func TestFinalizeWithoutFrame(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	victim := j.Class("com.acme.Victim", j.Object)
	for range 3000 {
		j.Finalizer(j.New(victim), hproftest.Enqueued)
	}
	thread := j.FinalizerThread(j.New(j.Class("com.acme.Matrix", j.Object)))
	j.SetThread(thread, 8, true, hproftest.Running)
	f := alone(t, j)
	assert.Equal(t, "com.acme.Matrix", f.Culprit.Class)
	assert.Equal(t, "Finalizer", f.Culprit.Thread)
	assert.Contains(t, f.Title, "Matrix.finalize() runs, 3,000 objects wait")
}

// TestSecondFinalizerThread has one that System.runFinalization() started.
func TestSecondFinalizerThread(t *testing.T) {
	h := newStuckHeap(17, 3000, noFrames)
	owner := h.NewThread(h.Thread, "worker-7")
	lock := h.Lock(owner)
	h.Park(h.thread, lock)
	other := h.Class("com.acme.Other", h.Object)
	second := h.FinalizerThread(h.New(other), hproftest.Frame{Class: other, Method: "finalize", Line: 1})
	second.Set("name", h.String("Secondary finalizer"))
	h.Park(second, lock)
	f := alone(t, h.JDK)
	assert.Equal(t, "com.acme.BaseConnection", f.Culprit.Class)
	assert.Contains(t, f.Evidence.Facts, finding.Fact{Name: "another thread", Value: `"Secondary finalizer", WAITING in com.acme.Other.finalize`})
}

// TestBacklogWithoutThread has a dump without stacks.
func TestBacklogWithoutThread(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	class := j.Class("com.acme.Victim", j.Object)
	for range 2000 {
		j.Finalizer(j.New(class), hproftest.Enqueued)
	}
	f := alone(t, j)
	assert.Equal(t, "finalizer-slow", f.Kind)
	assert.Equal(t, finding.SeverityInfo, f.Severity)
	assert.Equal(t, "com.acme.Victim", f.Culprit.Class)
}

// TestFingerprintOfLambda has tasks whose classes the JVM names anew in each run.
func TestFingerprintOfLambda(t *testing.T) {
	f := func(lambda string) finding.Finding {
		j := hproftest.NewJDK(17, 8)
		action := j.Class(lambda, j.Object)
		cleaner := j.Cleaner()
		j.Root(hprof.SubRootJNIGlobal, cleaner)
		for range 200 {
			j.Cleanable(cleaner, j.New(j.Object), j.New(action), hproftest.Enqueued)
		}
		at := j.Cleanable(cleaner, j.New(j.Object), j.New(action), hproftest.InProcessing)
		thread := j.CleanerThread(cleaner, at, hproftest.Frame{Class: action, Method: "run", Line: -1})
		j.Park(thread, j.New(j.Object))
		return alone(t, j)
	}
	a, b := f("com.acme.A$$Lambda$12+0x00007f01aa"), f("com.acme.A$$Lambda$977+0x0000ffbc21")
	assert.Equal(t, a.Fingerprint, b.Fingerprint)
	assert.NotContains(t, a.Title, "0x")
}

package finding_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// TestFinalizerBehindInitialiser has a finalize() that needs a class whose static initialiser
// waits in another thread: by its looks it computes.
func TestFinalizerBehindInitialiser(t *testing.T) {
	f := func(peak, status int32) finding.Finding {
		h := newStuckHeap(17, 20_000, noFrames)
		h.computes(false)
		h.Class("jdk.internal.misc.VM", h.Object).Static("peakFinalRefCount", peak)
		library := h.Class("com.acme.NativeLibrary", h.Object)
		loader := h.NewThread(h.Thread, "loader", hproftest.Frame{Class: library, Method: "<clinit>", Line: 6})
		h.SetThread(loader, 5, false, status)
		return alone(t, h.JDK)
	}
	stuck := f(20_001, hproftest.Parked)
	assert.Equal(t, "finalizer-stuck", stuck.Kind)
	assert.Equal(t, finding.SeverityCritical, stuck.Severity)
	assert.Equal(t, finding.ConfidenceMedium, stuck.Confidence)
	assert.Equal(t, "com.acme.BaseConnection", stuck.Culprit.Class)
	assert.Contains(t, stuck.Summary, `probably waits for class NativeLibrary: thread "loader" is in that class's static initialiser, WAITING in NativeLibrary.<clinit>`)
	assert.Equal(t, "static initialiser", stuck.Evidence.Lock.Proof)
	assert.Equal(t, "loader", stuck.Evidence.Lock.Owner)
	for _, slow := range []finding.Finding{f(40_000, hproftest.Parked), f(20_001, hproftest.Running)} {
		assert.Equal(t, "finalizer-slow", slow.Kind, "it gets on, or the initialiser does")
	}
}

// TestFinalizerReadsSocket has a finalize() that waits for a peer's answer, with a time limit or
// without.
func TestFinalizerReadsSocket(t *testing.T) {
	for _, row := range []struct {
		limit, peak int32
		kind, words string
	}{
		{0, 20_001, "finalizer-stuck", "It reads from a socket of 10.0.0.5:5432 without a time limit."},
		{0, 60_000, "finalizer-slow", "It reads from a socket of 10.0.0.5:5432 without a time limit."},
		{30_000, 20_001, "finalizer-slow", "It reads from a socket of 10.0.0.5:5432 for at most 30 s."},
	} {
		h := newStuckHeap(17, 20_000, func(h *stuckHeap) []hproftest.Frame {
			holder := h.Class("java.net.InetAddress$InetAddressHolder", h.Object, hproftest.Int("address"), hproftest.Ref("hostName"))
			address := h.Class("java.net.InetAddress", h.Object, hproftest.Ref("holder"))
			base := h.Class("java.net.SocketImpl", h.Object, hproftest.Ref("address"), hproftest.Int("port"))
			socket := h.Class("sun.nio.ch.NioSocketImpl", base, hproftest.Int("timeout"))
			peer := h.New(address).Set("holder", h.New(holder).Set("address", int32(10<<24|5)))
			impl := h.New(socket).Set("address", peer).Set("port", int32(5432)).Set("timeout", row.limit)
			dispatcher := h.Class("sun.nio.ch.SocketDispatcher", h.Object)
			return []hproftest.Frame{{Class: dispatcher, Method: "read0", Line: -3}, {Class: socket, Method: "implRead", Line: 317, Locals: []*hproftest.Object{impl}}}
		})
		h.computes(false)
		h.Class("jdk.internal.misc.VM", h.Object).Static("peakFinalRefCount", row.peak)
		f := alone(t, h.JDK)
		assert.Equal(t, row.kind, f.Kind)
		assert.Contains(t, f.Summary, row.words)
	}
}

// TestFinalizerWaitsForFuture has a finalize() that joins a task of a pool: one that nobody has
// begun, and one that a thread has begun to run.
func TestFinalizerWaitsForFuture(t *testing.T) {
	const name = "java.util.concurrent.CompletableFuture"
	for _, row := range []struct {
		begun        bool
		proof, words string
	}{
		{false, "queue", `waits without a time limit for CompletableFuture @ `},
		{true, "stack locals", `owned by thread "io-0" (inferred from its stack)`},
	} {
		var future *hproftest.Object
		h := newStuckHeap(17, 3000, func(h *stuckHeap) []hproftest.Frame {
			class := h.Class(name, h.Object)
			future = h.New(class)
			return []hproftest.Frame{{Class: class, Method: "waitingGet", Line: 1864, Locals: []*hproftest.Object{future}}}
		})
		h.Park(h.thread, h.New(h.Class(name+"$Signaller", h.Object)))
		run := h.Class(name+"$AsyncRun", h.Object, hproftest.Ref("dep"))
		node := h.Class("java.util.concurrent.LinkedBlockingQueue$Node", h.Object, hproftest.Ref("item"))
		queue := h.New(h.Class("java.util.concurrent.LinkedBlockingQueue", h.Object, hproftest.Ref("head")))
		frame := hproftest.Frame{Class: run, Method: "run", Line: 1804}
		if row.begun {
			frame.Locals = []*hproftest.Object{future}
		} else {
			queue.Set("head", h.New(node).Set("item", h.New(run).Set("dep", future)))
		}
		thread := h.NewThread(h.Thread, "io-0", frame)
		h.SetThread(thread, 5, false, hproftest.Parked)
		pool := h.New(h.ClassNamed("java.util.concurrent.ThreadPoolExecutor")).Set("workQueue", queue)
		h.Root(hprof.SubRootJNIGlobal, h.New(h.ClassNamed("java.util.concurrent.ThreadPoolExecutor$Worker")).Set("thread", thread).Set("this$0", pool))
		f := alone(t, h.JDK)
		assert.Equal(t, "finalizer-stuck", f.Kind)
		assert.Equal(t, "io-0", f.Evidence.Lock.Owner)
		assert.Equal(t, row.proof, f.Evidence.Lock.Proof)
		assert.Equal(t, name, f.Evidence.Lock.Class)
		assert.Contains(t, f.Summary, row.words)
	}
}

// TestLongNames has names as generated code has them, in all places of a verdict.
func TestLongNames(t *testing.T) {
	long := strings.Repeat("VeryLongName", 20)
	h := newStuckHeap(17, 3000, noFrames)
	owner := h.NewThread(h.Thread, long, hproftest.Frame{Class: h.Class("com.acme."+long, h.Object), Method: long, Line: 7})
	h.SetThread(owner, 5, false, hproftest.Parked)
	h.Park(owner, h.New(h.Class("com.acme.Other"+long, h.Object)))
	h.Park(h.thread, h.Lock(owner))
	f := alone(t, h.JDK) // within the bounds of a verdict
	assert.Contains(t, f.Summary, "owned by thread")
}

// TestFinalizerFillsQueue waits in a queue that nobody empties, with many small objects behind it and
// a few big ones, which take most of the memory.
func TestFinalizerFillsQueue(t *testing.T) {
	h := newStuckHeap(17, 3000, func(h *stuckHeap) []hproftest.Frame {
		return []hproftest.Frame{{Class: h.Class("java.util.concurrent.ArrayBlockingQueue", h.Object), Method: "put", Line: 370}}
	})
	h.Park(h.thread, h.New(h.Class("java.util.concurrent.locks.AbstractQueuedSynchronizer$ConditionObject", h.Object)))
	huge := h.Class("com.acme.Huge", h.Object, hproftest.Ref("data"))
	for range 20 {
		h.Finalizer(h.New(huge).Set("data", h.Bytes(make([]byte, 100_000))), hproftest.Enqueued)
	}
	f := alone(t, h.JDK)
	assert.Equal(t, int64(3020), f.Objects)
	assert.Contains(t, f.Summary, "It waits without a time limit in ArrayBlockingQueue.put;")
	assert.Contains(t, f.Summary, "3,000 are Victim")
	assert.Contains(t, f.Summary, "1.91 MiB of that for Huge")
}

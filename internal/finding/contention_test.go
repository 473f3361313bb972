package finding_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// locksHeap has threads that wait for each other's locks and monitors.
type locksHeap struct {
	*hproftest.JDK
	app *hproftest.Class
}

func newLocksHeap() *locksHeap {
	j := hproftest.NewJDK(17, 8)
	return &locksHeap{j, j.Class("com.acme.Orders", j.Object)}
}

// blocked adds a thread that is blocked in one call and has these variables in the call below.
func (h *locksHeap) blocked(name string, by *hproftest.Object, below ...*hproftest.Object) *hproftest.Object {
	t := h.NewThread(h.Thread, name,
		hproftest.Frame{Class: h.app, Method: "add", Line: 7, Locals: []*hproftest.Object{by}},
		hproftest.Frame{Class: h.app, Method: "run", Line: 3, Locals: below})
	h.SetThread(t, 5, false, hproftest.Blocked)
	return t
}

// parked adds a thread that waits for a lock.
func (h *locksHeap) parked(name string, lock *hproftest.Object, locals ...*hproftest.Object) {
	t := h.NewThread(h.Thread, name, hproftest.Frame{Class: h.app, Method: "total", Line: 9, Locals: locals})
	h.Park(t, lock)
}

func TestDeadlockOfLocks(t *testing.T) {
	for _, c := range []struct {
		behind   int
		severity finding.Severity
	}{{0, finding.SeverityWarning}, {12, finding.SeverityCritical}} {
		h := newLocksHeap()
		run := hproftest.Frame{Class: h.app, Method: "run", Line: 3}
		first, second := h.NewThread(h.Thread, "first", run), h.NewThread(h.Thread, "second", run)
		ofFirst, ofSecond := h.Lock(first), h.Lock(second)
		h.Park(first, ofSecond)
		h.Park(second, ofFirst)
		for i := range c.behind {
			h.parked(fmt.Sprintf("exec-%d", i), ofFirst)
		}
		f := alone(t, h.JDK)
		assert.Equal(t, "deadlock", f.Kind)
		assert.Equal(t, c.severity, f.Severity)
		assert.Equal(t, finding.ConfidenceHigh, f.Confidence)
		assert.Equal(t, int64(2+c.behind), f.Objects)
		assert.Equal(t, finding.Culprit{Class: "com.acme.Orders", Thread: "first", Object: fmt.Sprintf("%#x", ofSecond.ID)}, f.Culprit)
		assert.Contains(t, f.Summary, fmt.Sprintf(`"first", WAITING in Orders.run, waits for ReentrantLock @ %#x of "second".`, ofSecond.ID))
		assert.Equal(t, "second", f.Evidence.Lock.Owner)
		if c.behind > 0 {
			assert.Contains(t, f.Summary, `12 more threads wait behind them, 12 named "exec-*", 12 in Orders.total`)
		}
	}
}

// TestDeadlockOfMonitors is certain where only threads that are stuck themselves may have
// the monitors.
func TestDeadlockOfMonitors(t *testing.T) {
	build := func(others func(h *locksHeap, a, b, first *hproftest.Object)) []finding.Finding {
		h := newLocksHeap()
		a, b := h.New(h.app), h.New(h.app)
		first := h.blocked("first", b, a)
		h.blocked("second", a, b)
		others(h, a, b, first)
		return specific(t, h.JDK)
	}
	main := func(h *locksHeap, method string, locals ...*hproftest.Object) *hproftest.Object {
		m := h.NewThread(h.Thread, "main", hproftest.Frame{Class: h.app, Method: method, Line: 5, Locals: locals})
		h.SetThread(m, 5, false, hproftest.Running)
		return m
	}
	for name, others := range map[string]func(h *locksHeap, a, b, first *hproftest.Object){
		"nobody else": func(*locksHeap, *hproftest.Object, *hproftest.Object, *hproftest.Object) {},
		"one that waits for their end": func(h *locksHeap, a, b, first *hproftest.Object) {
			m := h.NewThread(h.Thread, "main", hproftest.Frame{Class: h.Thread, Method: "join", Line: 1, Locals: []*hproftest.Object{first}},
				hproftest.Frame{Class: h.app, Method: "main", Line: 5, Locals: []*hproftest.Object{a, b}})
			h.SetThread(m, 5, false, 0x191)
		},
		"one that is blocked as well": func(h *locksHeap, a, b, _ *hproftest.Object) { h.blocked("third", a, a, b) },
	} {
		found := build(others)
		require.Len(t, found, 1, name)
		assert.Equal(t, "deadlock", found[0].Kind, name)
		assert.Equal(t, finding.ConfidenceMedium, found[0].Confidence, name)
		assert.Contains(t, found[0].Title, "2 threads", name)
		assert.Contains(t, found[0].Summary, "inferred from the stacks", name)
	}
	assert.Empty(t, build(func(h *locksHeap, a, b, _ *hproftest.Object) { main(h, "work", a, b) }), "who works may have both")
}

// TestAThreadMayWaitOnItself: until somebody calls its notify(), as the main thread of GlassFish does
// for good. Waiting for its own end would be a deadlock.
func TestAThreadMayWaitOnItself(t *testing.T) {
	build := func(class, method string) []finding.Finding {
		h := newLocksHeap()
		kernel := h.Class("com.acme.Kernel", h.Thread)
		self := h.New(kernel).Set("name", h.String("kernel"))
		h.Dump.Thread(self, hproftest.Frame{Class: h.Object, Method: "wait", Locals: []*hproftest.Object{self}},
			hproftest.Frame{Class: h.ClassNamed(class), Method: method, Locals: []*hproftest.Object{self}})
		h.SetThread(self, 5, false, 0x191)
		return specific(t, h.JDK)
	}
	assert.Empty(t, build("com.acme.Kernel", "run"))
	found := build("java.lang.Thread", "join")
	require.Len(t, found, 1)
	assert.Equal(t, "deadlock", found[0].Kind)
}

// TestMonitorTwiceInOneFrame is what "synchronized" on a variable leaves: a thread that merely
// knows the monitor does not own it.
func TestMonitorTwiceInOneFrame(t *testing.T) {
	h := newLocksHeap()
	a, b := h.New(h.app), h.New(h.app)
	h.blocked("first", b, a, b, a)
	h.blocked("second", a, b, a, b)
	worker := h.NewThread(h.Thread, "main", hproftest.Frame{Class: h.app, Method: "work", Line: 5, Locals: []*hproftest.Object{a, b}})
	h.SetThread(worker, 5, false, hproftest.Running)
	assert.Equal(t, "deadlock", alone(t, h.JDK).Kind)
}

// TestOwnerIsInMethod has a monitor that several stacks refer to: who is in a method of it is the
// owner, not who merely knows it.
func TestOwnerIsInMethod(t *testing.T) {
	h := newLocksHeap()
	ledgers, desk := h.Class("com.acme.Ledger", h.Object), h.Class("com.acme.Desk", h.Object)
	ledger := h.New(ledgers)
	knows := h.NewThread(h.Thread, "main", hproftest.Frame{Class: desk, Method: "run", Line: 2, Locals: []*hproftest.Object{ledger}})
	h.SetThread(knows, 5, false, hproftest.Running)
	owner := h.NewThread(h.Thread, "rebuild", hproftest.Frame{Class: desk, Method: "nap", Line: 1},
		hproftest.Frame{Class: ledgers, Method: "rebuild", Line: 7, Locals: []*hproftest.Object{ledger}})
	h.SetThread(owner, 5, false, hproftest.Asleep)
	for i := range 5 {
		waits := h.NewThread(h.Thread, fmt.Sprintf("order-%d", i), hproftest.Frame{Class: ledgers, Method: "post", Line: 3, Locals: []*hproftest.Object{ledger}})
		h.SetThread(waits, 5, false, hproftest.Blocked)
	}
	f := alone(t, h.JDK)
	assert.Equal(t, "lock-convoy", f.Kind)
	assert.Equal(t, "rebuild", f.Culprit.Thread)
	assert.Equal(t, "com.acme.Ledger", f.Culprit.Class)
	assert.Contains(t, f.Summary, "is in Desk.nap, called with the lock by Ledger.rebuild.")
	assert.Equal(t, int64(5), f.Objects)
}

// TestConvoyWithoutStacks has virtual threads as JDK 21 writes them: their objects, but no stacks.
func TestConvoyWithoutStacks(t *testing.T) {
	j := hproftest.NewJDK(21, 8)
	base := j.Class("java.lang.BaseVirtualThread", j.Thread)
	virtual := j.Class("java.lang.VirtualThread", base, hproftest.Int("state")).Static("RUNNING", int32(2)).Static("PARKED", int32(4))
	owner := j.NewThread(j.Thread, "token-refresh", hproftest.Frame{Class: j.Class("com.acme.Tokens", j.Object), Method: "refresh", Line: 5})
	j.SetThread(owner, 5, false, hproftest.Asleep)
	lock := j.Lock(owner)
	var waiting []*hproftest.Object
	for range 200 {
		waiting = append(waiting, j.New(virtual).Set("parkBlocker", lock).Set("state", int32(4)))
	}
	j.Class("com.acme.Waiters", j.Object).Static("NODES", j.Array(j.Objects, waiting...))
	f := alone(t, j)
	assert.Equal(t, "lock-convoy", f.Kind)
	assert.Equal(t, "token-refresh", f.Culprit.Thread)
	assert.Equal(t, "com.acme.Tokens", f.Culprit.Class)
	assert.Equal(t, int64(200), f.Objects)
}

func TestLockConvoy(t *testing.T) {
	f := func(waiting int, owner int32, native bool) []finding.Finding {
		h := newLocksHeap()
		frame := hproftest.Frame{Class: h.app, Method: "export", Line: 5}
		frames := []hproftest.Frame{frame}
		if native {
			frames = []hproftest.Frame{{Class: h.Class("java.net.SocketInputStream", h.Object), Method: "socketRead0", Line: -3}, frame}
		}
		exporter := h.NewThread(h.Thread, "exporter", frames...)
		h.SetThread(exporter, 5, false, owner)
		lock := h.Lock(exporter)
		for i := range waiting {
			h.parked(fmt.Sprintf("exec-%d", i), lock)
		}
		return specific(t, h.JDK)
	}
	assert.Empty(t, f(3, hproftest.Asleep, false))
	assert.Empty(t, f(9, hproftest.Running, false), "it may let go at any moment")
	assert.Len(t, f(10, hproftest.Running, false), 1)
	assert.Len(t, f(4, hproftest.Running, true), 1)
	found := f(4, hproftest.Asleep, false)
	require.Len(t, found, 1)
	assert.Equal(t, "lock-convoy", found[0].Kind)
	assert.Equal(t, finding.SeverityInfo, found[0].Severity)
	assert.Equal(t, "com.acme.Orders", found[0].Culprit.Class)
	assert.Equal(t, "exporter", found[0].Culprit.Thread)
	assert.Contains(t, found[0].Summary, `4 named "exec-*", 4 in Orders.total`)
	assert.Equal(t, []string{"com.acme.Orders.export(Orders.java:5)"}, found[0].Evidence.Lock.OwnerStack)
}

// TestLockOfEndedThread alarms from two threads on: nobody can let go of a lock whose owner ended
// with it.
func TestLockOfEndedThread(t *testing.T) {
	f := func(waiting int) []finding.Finding {
		h := newLocksHeap()
		ended := h.NewThread(h.Thread, "importer-7")
		h.SetThread(ended, 5, false, hproftest.Ended)
		lock := h.Lock(ended)
		for i := range waiting {
			h.parked(fmt.Sprintf("exec-%d", i), lock)
		}
		return specific(t, h.JDK)
	}
	assert.Empty(t, f(1))
	found := f(2)
	require.Len(t, found, 1)
	assert.Equal(t, "lock-convoy", found[0].Kind)
	assert.Equal(t, finding.SeverityWarning, found[0].Severity)
	assert.Equal(t, "com.acme.Orders", found[0].Culprit.Class)
	assert.Equal(t, "importer-7", found[0].Culprit.Thread)
	assert.Contains(t, found[0].Summary, "has ended without letting go")
	assert.Contains(t, found[0].Advice, "in a finally block")
}

// TestLockConvoyKeepsMemory alarms where what the threads have in hand fills the heap, and
// counts nothing that others refer to as well.
func TestLockConvoyKeepsMemory(t *testing.T) {
	f := func(shared bool, want finding.Severity) {
		h := newLocksHeap()
		exporter := h.NewThread(h.Thread, "exporter", hproftest.Frame{Class: h.app, Method: "export", Line: 5})
		h.SetThread(exporter, 5, false, hproftest.Asleep)
		lock := h.Lock(exporter)
		for i := range 20 {
			body := h.Bytes(make([]byte, 200_000))
			h.parked(fmt.Sprintf("exec-%d", i), lock, body)
			if shared {
				h.Root(hprof.SubRootJNIGlobal, body)
			}
		}
		found := alone(t, h.JDK)
		assert.Equal(t, want, found.Severity)
		assert.Equal(t, !shared, found.Bytes > 4_000_000)
	}
	f(false, finding.SeverityWarning)
	f(true, finding.SeverityInfo)
}

// TestConvoyOfPool has all threads of a pool wait for a lock, or all but one: what is in the pool's
// queue is kept by them alone.
func TestConvoyOfPool(t *testing.T) {
	f := func(atWork int, want finding.Severity) {
		h := newPoolHeap()
		exporter := h.NewThread(h.Thread, "exporter", hproftest.Frame{Class: h.Class("com.acme.Export", h.Object), Method: "run", Line: 5})
		h.SetThread(exporter, 5, false, hproftest.Asleep)
		pool := h.New(h.ClassNamed("java.util.concurrent.ThreadPoolExecutor"))
		lock, orders := h.Lock(exporter), h.Class("com.acme.Orders", h.Object)
		for i := range 6 + atWork {
			thread := h.NewThread(h.Thread, fmt.Sprintf("order-%d", i), hproftest.Frame{Class: orders, Method: "post", Line: 4})
			h.SetThread(thread, 5, false, hproftest.Running)
			if i < 6 {
				h.Park(thread, lock)
			}
			h.Root(hprof.SubRootJNIGlobal, h.New(h.ClassNamed("java.util.concurrent.ThreadPoolExecutor$Worker")).Set("thread", thread).Set("this$0", pool))
		}
		queue := h.Class("java.util.concurrent.LinkedBlockingQueue", h.Object, hproftest.Ref("head"))
		pool.Set("workQueue", h.New(queue).Set("head", h.Array(h.Objects, h.Bytes(make([]byte, 2<<20)))))
		h.Root(hprof.SubRootJNIGlobal, pool)
		found := only(t, "lock-convoy", detect(t, h.JDK))
		assert.Equal(t, want, found.Severity)
		assert.Equal(t, atWork == 0, found.Bytes > 2<<20)
	}
	f(0, finding.SeverityWarning)
	f(1, finding.SeverityInfo)
}

// TestConvoyOfConvoys has threads that wait for a lock whose owner waits for another one.
func TestConvoyOfConvoys(t *testing.T) {
	h := newLocksHeap()
	last := h.NewThread(h.Thread, "last", hproftest.Frame{Class: h.app, Method: "export", Line: 5})
	h.SetThread(last, 5, false, hproftest.Asleep)
	middle := h.NewThread(h.Thread, "middle", hproftest.Frame{Class: h.app, Method: "total", Line: 9})
	h.Park(middle, h.Lock(last))
	lock := h.Lock(middle)
	for i := range 5 {
		h.parked(fmt.Sprintf("exec-%d", i), lock)
	}
	f := alone(t, h.JDK)
	assert.Equal(t, int64(6), f.Objects)
	assert.Equal(t, "last", f.Culprit.Thread)
}

// TestIdleThreads wait for what has no owner.
func TestIdleThreads(t *testing.T) {
	h := newLocksHeap()
	condition := h.New(h.Class("java.util.concurrent.locks.AbstractQueuedSynchronizer$ConditionObject", h.Object))
	for i := range 50 {
		h.parked(fmt.Sprintf("pool-1-thread-%d", i), condition)
	}
	assert.Empty(t, specific(t, h.JDK))
}

// TestStarvingPool has a pool whose threads wait for tasks in its own queue, all of them or all
// but one that works.
func TestStarvingPool(t *testing.T) {
	f := func(starving, atWork int) []finding.Finding {
		h := newPoolHeap()
		task := h.Class("java.util.concurrent.FutureTask", h.Object, hproftest.Ref("runner"))
		node := h.Class("java.util.concurrent.LinkedBlockingQueue$Node", h.Object, hproftest.Ref("item"), hproftest.Ref("next"))
		queue := h.Class("java.util.concurrent.LinkedBlockingQueue", h.Object, hproftest.Ref("head"))
		app := h.Class("com.acme.Pages", h.Object)
		pool := h.New(h.ClassNamed("java.util.concurrent.ThreadPoolExecutor"))
		var first *hproftest.Object
		for i := range starving + atWork {
			thread := h.NewThread(h.Thread, fmt.Sprintf("pool-1-thread-%d", i), hproftest.Frame{Class: app, Method: "page", Line: 4})
			h.SetThread(thread, 5, false, hproftest.Running)
			if i < starving {
				waited := h.New(task)
				first = h.New(node).Set("item", waited).Set("next", first)
				h.Park(thread, waited)
			}
			worker := h.New(h.ClassNamed("java.util.concurrent.ThreadPoolExecutor$Worker")).Set("thread", thread).Set("this$0", pool)
			h.Root(hprof.SubRootJNIGlobal, worker)
		}
		h.Root(hprof.SubRootJNIGlobal, pool.Set("workQueue", h.New(queue).Set("head", first)))
		return byKind("deadlock", detect(t, h.JDK))
	}
	assert.Empty(t, f(7, 1))
	found := only(t, "deadlock", f(8, 0))
	assert.Contains(t, found.Title, "all 8 threads of a thread pool")
	assert.Equal(t, int64(8), found.Objects)
	assert.Equal(t, finding.ConfidenceHigh, found.Confidence)
	assert.Equal(t, "com.acme.Pages", found.Culprit.Class)
}

package finding_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// pinned is a heap as JDK 21 writes it: two carriers, on one of which a virtual thread waits, pinned,
// for a free lock that an unmounted one is next to get, in this state; second is the state of
// the one on the other carrier.
func pinned(next, second, parallelism int32, waiting int) *hproftest.JDK {
	j := hproftest.NewJDK(21, 8)
	pool := j.Class("java.util.concurrent.ForkJoinPool", j.Object, hproftest.Int("parallelism"))
	scheduler := j.New(pool).Set("parallelism", parallelism)
	virtual := j.Class("java.lang.VirtualThread", j.Class("java.lang.BaseVirtualThread", j.Thread),
		hproftest.Int("state"), hproftest.Ref("carrierThread"), hproftest.Ref("scheduler"), hproftest.Ref("body"))
	for name, state := range map[string]int32{"STARTED": 1, "RUNNING": 2, "PARKED": 4, "PINNED": 5, "UNPARKED": 9} {
		virtual.Static(name, state)
	}
	node := j.Class("java.util.concurrent.locks.AbstractQueuedSynchronizer$ExclusiveNode", j.Object, hproftest.Ref("next"), hproftest.Ref("waiter"))
	free := j.Class("java.util.concurrent.locks.Semaphore$FairSync", j.Object, hproftest.Ref("head"))
	heir := j.New(virtual).Set("state", next)
	lock := j.New(free).Set("head", j.New(node).Set("next", j.New(node).Set("waiter", heir)))
	carrier := j.Class("jdk.internal.misc.CarrierThread", j.Thread)
	stock := j.Class("com.acme.Stock", j.Object)
	for _, state := range []int32{5, second} {
		t := j.New(virtual).Set("state", state).Set("scheduler", scheduler).Set("parkBlocker", lock)
		t.Set("carrierThread", j.NewThread(carrier, "ForkJoinPool-1-worker", hproftest.Frame{Class: virtual, Method: "parkOnCarrierThread", Locals: []*hproftest.Object{t}},
			hproftest.Frame{Class: stock, Method: "reserve", Line: 8}))
	}
	j.Root(hprof.SubRootJNIGlobal, heir)
	for range waiting {
		j.Root(hprof.SubRootJNIGlobal, j.New(virtual).Set("state", int32(1)).Set("body", j.Bytes(make([]byte, 2000))))
	}
	return j
}

// TestPinnedCarriers is a deadlock where all carriers are kept and nobody that runs could end that.
func TestPinnedCarriers(t *testing.T) {
	for waiting, severity := range map[int]finding.Severity{3: finding.SeverityWarning, 2000: finding.SeverityCritical} {
		found := detect(t, pinned(9, 5, 2, waiting))
		f := only(t, "deadlock", found)
		assert.Equal(t, severity, f.Severity)
		assert.Equal(t, int64(3+waiting), f.Objects)
		assert.Equal(t, "com.acme.Stock", f.Culprit.Class)
		assert.Equal(t, "ForkJoinPool-1-worker", f.Culprit.Thread)
		assert.Contains(t, f.Summary, "One waits in Stock.reserve for")
		assert.Contains(t, f.Evidence.Stack, "com.acme.Stock.reserve(Stock.java:8)")
		assert.Empty(t, byKind("big-retainer", found), "one cause, one finding")
		assert.Empty(t, byKind("lock-convoy", found))
	}
	for name, j := range map[string]*hproftest.JDK{
		"a carrier runs another":      pinned(9, 2, 2, 100),
		"one more carrier can start":  pinned(9, 5, 3, 100),
		"the heir is to be woken yet": pinned(4, 5, 2, 100),
	} {
		assert.Empty(t, byKind("deadlock", detect(t, j)), name)
	}
}

package finding_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// TestHTTPConnectionsLent has tasks that pile up behind a thread which waits for a connection of
// Apache's HttpClient, in both of its lines.
func TestHTTPConnectionsLent(t *testing.T) {
	for _, class := range []string{"org.apache.http.pool.AbstractConnPool", "org.apache.hc.core5.pool.StrictConnPool"} {
		h := newPoolHeap()
		queue := arrayQueue(h.JDK, 2000)
		of := h.ClassNamed("java.util.concurrent.ThreadPoolExecutor")
		pool := h.New(of).Set("workQueue", queue)
		h.Class("com.acme.Crawler", h.Object).Static("POOL", pool)
		set := h.Class("java.util.HashSet", h.Object, hproftest.Ref("map"))
		lent := h.New(h.Class("java.util.HashMap", h.Object, hproftest.Int("size"))).Set("size", int32(20))
		client := h.Class("com.acme.ClientPool", h.Class(class, h.Object, hproftest.Ref("leased"), hproftest.Int("maxTotal")))
		connections := h.New(client).Set("leased", h.New(set).Set("map", lent)).Set("maxTotal", int32(25))
		thread := h.NewThread(h.Thread, "crawler-1",
			hproftest.Frame{Class: h.Class("java.util.concurrent.locks.LockSupport", h.Object), Method: "park"},
			hproftest.Frame{Class: h.ClassNamed(class), Method: "getPoolEntryBlocking", Line: 391, Locals: []*hproftest.Object{connections}},
			hproftest.Frame{Class: h.Class("com.acme.Fetch", h.Object), Method: "run", Line: 4}, hproftest.Frame{Class: of, Method: "runWorker"})
		h.SetThread(thread, 5, false, hproftest.Parked)
		h.Park(thread, h.New(h.Class("java.util.concurrent.locks.AbstractQueuedSynchronizer$ConditionObject", h.Object)))
		h.Root(hprof.SubRootJNIGlobal, h.New(h.ClassNamed("java.util.concurrent.ThreadPoolExecutor$Worker")).Set("thread", thread).Set("this$0", pool))
		f := only(t, "growing-collection", detect(t, h.JDK))
		assert.Equal(t, finding.SeverityWarning, f.Severity)
		assert.Contains(t, f.Summary, "is kept by Fetch.run(). It waits without a time limit to be signalled in ")
		assert.Contains(t, f.Summary, ".getPoolEntryBlocking;")
		assert.Contains(t, f.Summary, "20 connections are lent, it may have 25.")
		assert.Contains(t, f.Advice, "Close each response")
	}
}

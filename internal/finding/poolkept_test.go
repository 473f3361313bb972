package finding_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// TestQueueOfKeptPool has a long queue of tasks: it is an alarm where all threads of its pool wait
// without a limit of time in a task, and a remark where one goes on or waits for work.
func TestQueueOfKeptPool(t *testing.T) {
	f := func(status int32, method string) finding.Finding {
		h := newPoolHeap()
		node := h.Class("java.util.concurrent.LinkedBlockingQueue$Node", h.Object, hproftest.Ref("item"), hproftest.Ref("next"))
		queue := h.Class("java.util.concurrent.LinkedBlockingQueue", h.Object, hproftest.Ref("head"), hproftest.Ref("count"))
		atomic := h.Class("java.util.concurrent.atomic.AtomicInteger", h.Object, hproftest.Int("value"))
		send := h.Class("com.acme.Send", h.Object, hproftest.Ref("mail"))
		var first *hproftest.Object
		for range 2000 {
			first = h.New(node).Set("item", h.New(send).Set("mail", h.Bytes(make([]byte, 1000)))).Set("next", first)
		}
		of := h.ClassNamed("java.util.concurrent.ThreadPoolExecutor")
		pool := h.New(of).Set("workQueue", h.New(queue).Set("head", first).Set("count", h.New(atomic).Set("value", int32(2000))))
		h.Class("com.acme.Mailer", h.Object).Static("POOL", pool)
		for i := range 2 {
			frames := []hproftest.Frame{{Class: h.Class("com.acme.Hang", h.Object), Method: "run", Line: 4}, {Class: of, Method: "runWorker"}}
			if i == 1 {
				frames[0].Method = method
				if method == "getTask" {
					frames[0].Class = of
				}
			}
			thread := h.NewThread(h.Thread, fmt.Sprintf("mailer-%d", i), frames...)
			h.SetThread(thread, 5, false, hproftest.Parked)
			if i == 1 {
				h.SetThread(thread, 5, false, status)
			}
			h.Root(hprof.SubRootJNIGlobal, h.New(h.ClassNamed("java.util.concurrent.ThreadPoolExecutor$Worker")).Set("thread", thread).Set("this$0", pool))
		}
		return only(t, "growing-collection", detect(t, h.JDK))
	}
	found := f(hproftest.Parked, "run")
	assert.Equal(t, finding.SeverityWarning, found.Severity)
	assert.Equal(t, finding.ConfidenceMedium, found.Confidence)
	assert.Contains(t, found.Summary, `All 2 threads that are to take them ("mailer-*") are kept, one by Hang.run(). It waits without a time limit`)
	assert.Equal(t, "mailer-0", found.Culprit.Thread)
	assert.Contains(t, found.Evidence.Stack, "com.acme.Hang.run(Hang.java:4)")
	for name, found := range map[string]finding.Finding{"runs": f(hproftest.Running, "run"), "sleeps": f(hproftest.Asleep, "run"), "idle": f(hproftest.Parked, "getTask")} {
		assert.Equal(t, finding.SeverityInfo, found.Severity, name)
		assert.NotContains(t, found.Summary, "are kept", name)
	}
}

// TestTasksOfKeptJoinPool has a long queue of a ForkJoinPool: as of a ThreadPoolExecutor's it is an alarm where all threads of the pool
// wait without a limit of time in a task.
func TestTasksOfKeptJoinPool(t *testing.T) {
	f := func(worker, second string) finding.Finding {
		j := hproftest.NewJDK(17, 8)
		task := j.Class("com.acme.Push", j.Class("java.util.concurrent.ForkJoinTask", j.Object, hproftest.Int("status")), hproftest.Ref("body"))
		var tasks []*hproftest.Object
		for range 2000 {
			tasks = append(tasks, j.New(task).Set("body", j.Bytes(make([]byte, 1000))))
		}
		class := j.Class("java.util.concurrent.ForkJoinPool", j.Object, hproftest.Ref("queues"))
		queue := j.Class("java.util.concurrent.ForkJoinPool$WorkQueue", j.Object, hproftest.Ref("array"))
		waiting := j.New(queue).Set("array", j.Array(j.Class("[Ljava.util.concurrent.ForkJoinTask;", j.Object), tasks...))
		pool := j.New(class).Set("queues", j.Array(j.Class("[Ljava.util.concurrent.ForkJoinPool$WorkQueue;", j.Object), waiting))
		threads := j.Class("java.util.concurrent.ForkJoinWorkerThread", j.Thread, hproftest.Ref("pool"))
		if worker != threads.Name {
			threads = j.Class(worker, threads)
		}
		run := hproftest.Frame{Class: class, Method: "runWorker", Line: 2019}
		at := map[string]*hproftest.Class{"send": task, "awaitWork": class}
		for i, method := range []string{"send", second} {
			thread := j.NewThread(threads, fmt.Sprintf("common-%d", i), hproftest.Frame{Class: at[method], Method: method, Line: 7}, run).Set("pool", pool)
			j.SetThread(thread, 5, true, hproftest.Parked)
		}
		return only(t, "big-retainer", detect(t, j))
	}
	const workers = "java.util.concurrent.ForkJoinWorkerThread"
	found := f(workers, "send")
	assert.Equal(t, finding.SeverityWarning, found.Severity)
	assert.Contains(t, found.Summary, `All 2 threads that are to take them ("common-*") are kept, one by Push.send(). It waits without a time limit`)
	assert.Contains(t, found.Advice, "an executor of its own")
	for name, found := range map[string]finding.Finding{"idle": f(workers, "awaitWork"), "carrier": f("jdk.internal.misc.CarrierThread", "send")} {
		assert.Equal(t, finding.SeverityInfo, found.Severity, name)
		assert.NotContains(t, found.Summary, "kept", name)
	}
}

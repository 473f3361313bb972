package finding_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// endedHeap has a long queue in an object that has a thread in a field, which is no GC root.
func endedHeap(status int32) (j *hproftest.JDK, queue, owner *hproftest.Object) {
	j = hproftest.NewJDK(17, 8)
	queue = arrayQueue(j, 2000)
	thread := j.New(j.Thread).Set("name", j.String("audit-writer"))
	j.SetThread(thread, 5, false, status)
	writer := j.Class("com.acme.AuditWriter", j.Object, hproftest.Ref("queue"), hproftest.Ref("thread"), hproftest.Ref("second"))
	owner = j.New(writer).Set("queue", queue).Set("thread", thread)
	j.Class("com.acme.App", j.Object).Static("WRITER", owner)
	return j, queue, owner
}

// TestQueueOfEndedThread has a long queue that nobody takes from any more: its thread has ended, or was never started.
func TestQueueOfEndedThread(t *testing.T) {
	j, queue, _ := endedHeap(hproftest.Ended)
	class := j.ClassNamed("java.util.concurrent.ArrayBlockingQueue")
	j.NewThread(j.Thread, "request-1", hproftest.Frame{Class: class, Method: "put", Locals: []*hproftest.Object{queue}})
	f := only(t, "growing-collection", detect(t, j))
	assert.Equal(t, finding.SeverityWarning, f.Severity)
	assert.Equal(t, finding.ConfidenceMedium, f.Confidence)
	assert.Equal(t, "audit-writer", f.Culprit.Thread)
	assert.Contains(t, f.Summary, `Thread "audit-writer" of the same object has ended, and no other is seen that takes from it.`)
	assert.Contains(t, f.Advice, "an exception that nobody caught")

	j, _, _ = endedHeap(0)
	assert.Contains(t, only(t, "growing-collection", detect(t, j)).Summary, `"audit-writer" of the same object was never started`)

	j = hproftest.NewJDK(17, 8)
	thread := j.New(j.Class("com.acme.Shipper", j.Thread, hproftest.Ref("queue"))).Set("name", j.String("shipper")).Set("queue", arrayQueue(j, 2000))
	j.SetThread(thread, 5, false, hproftest.Ended)
	j.Root(hprof.SubRootJNIGlobal, thread)
	assert.Contains(t, only(t, "growing-collection", detect(t, j)).Summary, `Thread "shipper" of the same object has ended`)
}

// TestQueueThatTasksMayKnow: what runs from time to time may take from a queue in a static field, and no object shows it.
func TestQueueThatTasksMayKnow(t *testing.T) {
	j, _, _ := endedHeap(hproftest.Ended)
	beat := j.Class("com.acme.App$$Lambda/0x00000008010013f0", j.Object)
	adapter := j.Class("java.util.concurrent.Executors$RunnableAdapter", j.Object, hproftest.Ref("task"))
	j.Executor("beat", 16, j.Future(0, nil).Set("callable", j.New(adapter).Set("task", j.New(beat))))
	f := only(t, "growing-collection", detect(t, j))
	assert.Equal(t, finding.SeverityInfo, f.Severity)
	assert.Equal(t, finding.ConfidenceLow, f.Confidence)
	assert.Contains(t, f.Summary, "no other is seen that takes from it, unless a task of a scheduler knows it by the static field.")
}

// TestQueueOfOthers has others who may take from the queue of an ended thread.
func TestQueueOfOthers(t *testing.T) {
	for name, change := range map[string]func(j *hproftest.JDK, queue, owner *hproftest.Object){
		"a call takes": func(j *hproftest.JDK, queue, _ *hproftest.Object) {
			class := j.ClassNamed("java.util.concurrent.ArrayBlockingQueue")
			j.NewThread(j.Thread, "worker", hproftest.Frame{Class: class, Method: "poll", Locals: []*hproftest.Object{queue}})
		},
		"a call of the owner": func(j *hproftest.JDK, _, owner *hproftest.Object) {
			j.NewThread(j.Thread, "worker", hproftest.Frame{Class: j.ClassNamed("com.acme.AuditWriter"), Method: "flush", Locals: []*hproftest.Object{owner}})
		},
		"an executor of the owner": func(j *hproftest.JDK, _, owner *hproftest.Object) {
			owner.Set("second", j.Executor("flusher", 1))
		},
		"a task of the owner": func(j *hproftest.JDK, _, owner *hproftest.Object) {
			task := j.Class("com.acme.AuditWriter$$Lambda/0x00000008010013f0", j.Object, hproftest.Ref("arg$1"))
			j.Root(hprof.SubRootJNIGlobal, j.New(task).Set("arg$1", owner))
		},
		"a task of somebody": func(j *hproftest.JDK, queue, _ *hproftest.Object) {
			task := j.Class("com.acme.FlushTask", j.Object, hproftest.Ref("queue"))
			j.Root(hprof.SubRootJNIGlobal, j.New(task).Set("queue", queue))
		},
		"another thread of the owner": func(j *hproftest.JDK, _, owner *hproftest.Object) {
			owner.Set("second", j.NewThread(j.Thread, "audit-writer-2"))
		},
	} {
		j, queue, owner := endedHeap(hproftest.Ended)
		change(j, queue, owner)
		f := only(t, "growing-collection", detect(t, j))
		assert.Equal(t, finding.SeverityInfo, f.Severity, name)
		assert.NotContains(t, f.Summary, "has ended,", name)
	}
	j, _, _ := endedHeap(hproftest.Parked)
	assert.Equal(t, finding.SeverityInfo, only(t, "growing-collection", detect(t, j)).Severity, "it lives")

	j = hproftest.NewJDK(17, 8)
	executor := j.Class("java.util.concurrent.ThreadPoolExecutor", j.Object, hproftest.Ref("workQueue"))
	thread := j.New(j.Thread).Set("name", j.String("starter"))
	j.SetThread(thread, 5, false, hproftest.Ended)
	service := j.Class("com.acme.Service", j.Object, hproftest.Ref("pool"), hproftest.Ref("starter"))
	j.Class("com.acme.App", j.Object).Static("SERVICE", j.New(service).Set("pool", j.New(executor).Set("workQueue", arrayQueue(j, 2000))).Set("starter", thread))
	assert.NotContains(t, only(t, "growing-collection", detect(t, j)).Summary, "starter", "a pool has threads of its own")
}

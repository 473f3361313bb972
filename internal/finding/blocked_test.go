package finding_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// TestTimerBlocked has a timer whose thread is in a task while others are due.
func TestTimerBlocked(t *testing.T) {
	for _, c := range []struct {
		name     string
		tasks    int
		dueMs    int64 // of the first task, after the dump
		status   int32
		severity finding.Severity // "" for no finding
	}{
		{"waits for a lock, many are due", 1000, -5000, hproftest.Parked, finding.SeverityWarning},
		{"waits for a lock, one is due for long", 1, -90_000, hproftest.Parked, finding.SeverityWarning},
		{"waits for a lock, one is due for a while", 1, -15_000, hproftest.Parked, finding.SeverityWarning},
		{"waits for a lock, one is due", 1, -5000, hproftest.Parked, finding.SeverityInfo},
		{"has waited for a moment", 1000, -500, hproftest.Parked, ""},
		{"sleeps, many are due", 1000, -5000, hproftest.Asleep, finding.SeverityWarning},
		{"sleeps, one is due", 1, -5000, hproftest.Asleep, ""},
		{"computes, one is due for very long", 1, -700_000, hproftest.Running, finding.SeverityWarning},
		{"computes, one is due for long", 1, -70_000, hproftest.Running, finding.SeverityInfo},
		{"nothing is due", 1000, 5000, hproftest.Parked, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := hproftest.NewJDK(17, 8)
			j.Root(hprof.SubRootJNIGlobal, j.Bytes(make([]byte, 1<<18)))
			quick, hanging := j.Class("com.acme.Quick", j.TimerTask), j.Class("com.acme.Hanging", j.TimerTask)
			var tasks []*hproftest.Object
			for i := range c.tasks {
				tasks = append(tasks, j.Task(quick, hproftest.Scheduled, c.dueMs+int64(i%100)))
			}
			timer := j.Timer("heartbeat", len(tasks)+1, tasks...)
			owner := j.NewThread(j.Thread, "worker-7")
			task := j.Task(hanging, 2, -100_000)
			thread := j.RunTask(timer, task, hproftest.Frame{Class: hanging, Method: "run", Line: 9, Locals: []*hproftest.Object{task}})
			j.Park(thread, j.Lock(owner))
			j.SetThread(thread, 5, true, c.status)
			if c.severity == "" {
				assert.Empty(t, specific(t, j))
				return
			}
			f := alone(t, j)
			assert.Equal(t, "timer-blocked", f.Kind)
			assert.Equal(t, c.severity, f.Severity)
			assert.Equal(t, "com.acme.Hanging", f.Culprit.Class)
			assert.Equal(t, "heartbeat", f.Culprit.Thread)
			assert.Equal(t, int64(c.tasks), f.Objects)
			assert.Contains(t, f.Title, `"heartbeat" is kept by Hanging.run()`)
		})
	}
}

// TestExecutorBlocked has executors with one thread, of which tasks keep some.
func TestExecutorBlocked(t *testing.T) {
	f := func(status int32, tasks int, collected int64) []finding.Finding {
		t.Helper()
		j := hproftest.NewJDK(21, 8)
		j.Collected(collected)
		j.Root(hprof.SubRootJNIGlobal, j.Bytes(make([]byte, 1<<18)))
		var queue []*hproftest.Object
		for range tasks {
			queue = append(queue, j.Future(0, nil).Set("time", int64(10_000_000_000)))
		}
		job := j.Class("com.acme.Job", j.Object)
		pool := j.Executor("pool-1-thread-1", tasks+1, queue...)
		thread := j.RunJob(pool, hproftest.Frame{Class: job, Method: "lambda$start$0", Line: 9},
			hproftest.Frame{Class: j.Class("com.acme.Job$$Lambda+0x00000080010a3c00", j.Object), Method: "run", Line: -1})
		j.Park(thread, j.Lock(nil))
		j.SetThread(thread, 5, false, status)
		return specific(t, j)
	}
	found := f(hproftest.Parked, 1000, 10_001)
	require.Len(t, found, 1)
	assert.Equal(t, "timer-blocked", found[0].Kind)
	assert.Equal(t, "com.acme.Job", found[0].Culprit.Class, "the class of the lambda's body")
	assert.Contains(t, found[0].Title, "Job.lambda$start$0()")
	assert.Equal(t, int64(1000), found[0].Objects)
	assert.Contains(t, found[0].Summary, "does not tell who")
	assert.Equal(t, finding.SeverityWarning, found[0].Severity)
	assert.Contains(t, found[0].Evidence.Facts, finding.Fact{Name: "overdue", Value: "1,000 at least: due before the last collection"})
	found = f(hproftest.Parked, 1000, 9_999)
	require.Len(t, found, 1)
	assert.Equal(t, finding.SeverityInfo, found[0].Severity, "they may be in time yet")
	assert.Empty(t, f(hproftest.Asleep, 1000, 10_001), "it may well be back in time")
	found = f(hproftest.Asleep, 1000, 12_000)
	require.Len(t, found, 1)
	assert.Equal(t, finding.SeverityWarning, found[0].Severity, "it is not")
	assert.Equal(t, int64(1000), found[0].Objects)
	assert.Empty(t, f(hproftest.Asleep, 50, 12_000))
	assert.Empty(t, f(hproftest.Parked, 0, 10_001))
}

func TestDisabled(t *testing.T) {
	j := hproftest.NewJDK(25, 8)
	j.DisableFinalization()
	f, _ := analyse(t, j.Finish()).Census()
	assert.True(t, f.Disabled)
	assert.Zero(t, f.Total)
	require.Len(t, f.Notes, 1)
	assert.Contains(t, f.Notes[0], "--finalization=disabled")
}

// TestNotes says what a dump of live objects, or of the whole heap, does not tell.
func TestNotes(t *testing.T) {
	f := func(n, garbage int, s hproftest.State) []string {
		j := hproftest.NewJDK(17, 8)
		class := j.Class("com.acme.Resource", j.Object)
		for range n {
			j.Finalizer(j.New(class), s)
		}
		for range garbage {
			j.New(j.Object)
		}
		c, _ := analyse(t, j.Finish()).Census()
		return c.Notes
	}
	live := f(20, 0, hproftest.Pending)
	require.Len(t, live, 2)
	assert.Contains(t, live[0], "Hardly an object in the dump is garbage")
	assert.Contains(t, live[1], "20 Finalizers pending")
	whole := f(1000, 500, hproftest.Registered)
	require.Len(t, whole, 1)
	assert.Contains(t, whole[0], "generations")
	assert.Empty(t, f(20, 200, hproftest.Registered))
	assert.Empty(t, f(1000, 500, hproftest.Enqueued))
}

// TestDeadUndiscovered is a remark, in dumps of the whole heap and of live objects.
func TestDeadUndiscovered(t *testing.T) {
	for _, s := range []hproftest.State{hproftest.Registered, hproftest.Pending} {
		j := hproftest.NewJDK(17, 8)
		class := j.Class("com.acme.Resource", j.Object)
		for range 9000 {
			j.Finalizer(j.New(class), s)
		}
		f := alone(t, j)
		assert.Equal(t, "finalizers-waiting-for-old-gc", f.Kind)
		assert.Equal(t, finding.SeverityInfo, f.Severity)
		assert.Equal(t, "com.acme.Resource", f.Culprit.Class)
		assert.Equal(t, int64(9000), f.Objects)
		assert.Equal(t, int64(9000*16), f.Bytes)
	}
}

// TestDeadOfTheJDK names whom the JDK's own finalizable objects serve.
func TestDeadOfTheJDK(t *testing.T) {
	j := hproftest.NewJDK(11, 8)
	class := j.Class("java.util.zip.Deflater$DeflaterZStreamRef$FinalizableZStreamRef", j.Object, hproftest.Ref("def"))
	packer := j.Class("com.acme.Packer", j.Object)
	for range 2000 {
		j.Finalizer(j.New(class).Set("def", j.New(packer)), hproftest.Registered)
	}
	f := alone(t, j)
	assert.Equal(t, "finalizers-waiting-for-old-gc", f.Kind)
	assert.Contains(t, f.Summary, "They serve 2,000 com.acme.Packer. Each may have native memory besides")
}

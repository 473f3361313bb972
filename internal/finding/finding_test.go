package finding_test

import (
	"context"
	"fmt"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/heap"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// analyse builds the heap of a dump as the detectors see it.
func analyse(t *testing.T, d *hproftest.Dump) *finding.Heap {
	t.Helper()
	h := open(t, d)
	require.NoError(t, h.Examine(context.Background(), nil))
	return h
}

// open builds the heap of a dump, not yet examined.
func open(t *testing.T, d *hproftest.Dump) *finding.Heap {
	t.Helper()
	ctx := context.Background()
	f, err := hprof.Open(ctx, d.WriteFile(t, hproftest.Shape{SegmentBytes: 1 << 16}), nil)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, f.Close()) })
	g, err := heap.Build(ctx, f, finding.Notes())
	require.NoError(t, err)
	t.Cleanup(g.Close)
	tree, err := g.Dominators(ctx)
	require.NoError(t, err)
	t.Cleanup(tree.Free)
	h, err := finding.NewHeap(ctx, g, tree, f.Header.Created)
	require.NoError(t, err)
	return h
}

// TestStates puts Finalizers in all states into heaps of all JDKs.
func TestStates(t *testing.T) {
	for _, version := range []int{6, 8, 11, 17, 21, 25} {
		for _, idSize := range []int{4, 8} {
			t.Run(fmt.Sprintf("JDK %d, id size %d", version, idSize), func(t *testing.T) {
				j := hproftest.NewJDK(version, idSize)
				class := j.Class("com.acme.Resource", j.Object)
				other := j.Class("com.acme.Cached", j.Object)
				finalizable := func(n int, c *hproftest.Class, s hproftest.State) []*hproftest.Object {
					var all []*hproftest.Object
					for range n {
						o := j.New(c)
						j.Finalizer(o, s)
						all = append(all, o)
					}
					return all
				}
				for _, o := range finalizable(5, class, hproftest.Registered) {
					j.Root(hprof.SubRootJNIGlobal, o)
				}
				for _, o := range finalizable(2, other, hproftest.Registered) {
					j.Root(hprof.SubRootJNIGlobal, j.Soft(o))
				}
				for _, o := range finalizable(4, class, hproftest.Registered) {
					j.Root(hprof.SubRootJNIGlobal, j.Weak(o))
				}
				finalizable(3, class, hproftest.Pending)
				finalizable(7, class, hproftest.Enqueued)
				finalizable(1, class, hproftest.InProcessing)
				finalizable(6, class, hproftest.Done)
				h := analyse(t, j.Finish())

				f, omitted := h.Census()
				assert.Zero(t, omitted)
				assert.Equal(t, finding.States{RegisteredHeld: 7, RegisteredDead: 4, Pending: 3, Enqueued: 7, InProcessing: 1, Done: 6}, f.States)
				assert.Equal(t, int64(28), f.Total)
				assert.Equal(t, int64(7), *f.QueueLength)
				assert.False(t, f.Disabled)
				require.Len(t, f.Classes, 3)
				assert.Equal(t, "com.acme.Resource", f.Classes[0].Class)
				assert.Equal(t, finding.States{RegisteredHeld: 5, RegisteredDead: 4, Pending: 3, Enqueued: 7, InProcessing: 1}, f.Classes[0].States)
				assert.Equal(t, "(none)", f.Classes[1].Class)
				assert.Equal(t, finding.States{RegisteredHeld: 2}, f.Classes[2].States)
				require.NotEmpty(t, f.Classes[2].Paths)
				steps := f.Classes[2].Paths[0].Steps
				assert.Equal(t, "java.lang.ref.SoftReference", steps[0].Class)
				assert.Equal(t, "referent", steps[0].Field)
				assert.Equal(t, int64(2), f.Classes[2].Paths[0].Objects)
			})
		}
	}
}

// seed is the heap of the case that this product exists for: statements closed
// long ago, held by the cancelled tasks of the driver's timer.
func seed(version, statements, live int) *hproftest.JDK {
	j := hproftest.NewJDK(version, 8)
	statement := j.Class("org.postgresql.jdbc2.AbstractJdbc2Statement", j.Object, hproftest.Bool("isClosed"), hproftest.Ref("buffer"))
	prepared := j.Class("org.postgresql.jdbc3g.Jdbc3gPreparedStatement", statement)
	task := j.Class("org.postgresql.jdbc2.AbstractJdbc2Statement$1", j.TimerTask, hproftest.Ref("this$0"))
	var tasks []*hproftest.Object
	for i := range statements + live {
		s := j.New(prepared).Set("isClosed", i >= live).Set("buffer", j.Bytes(make([]byte, 500)))
		j.Finalizer(s, hproftest.Registered)
		state := int32(hproftest.Cancelled)
		if i < live {
			state = hproftest.Scheduled
		}
		tasks = append(tasks, j.Task(task, state, int64(2_900_000+i)).Set("this$0", s))
	}
	j.Timer("Timer-0", 2*len(tasks)+128, tasks...)
	return j
}

func TestTimerHeld(t *testing.T) {
	for _, version := range []int{6, 8, 11, 17, 21, 25} {
		h := analyse(t, seed(version, 3000, 5).Finish())
		found, err := finding.Detect(context.Background(), h)
		require.NoError(t, err)
		require.Len(t, found, 1)
		f := found[0]
		assert.Equal(t, "timer-held", f.Kind)
		assert.Equal(t, finding.SeverityCritical, f.Severity)
		assert.Equal(t, "org.postgresql.jdbc3g.Jdbc3gPreparedStatement", f.Culprit.Class)
		assert.Equal(t, "Timer-0", f.Culprit.Thread)
		assert.Equal(t, int64(9000), f.Objects, "3,000 each of tasks, statements and buffers")
		for _, want := range []string{"3,000 closed Jdbc3gPreparedStatement", "3,000 cancelled tasks", `"Timer-0"`} {
			assert.Contains(t, f.Title, want)
		}
		assert.Contains(t, f.Summary, "48 min 20 s")
		assert.LessOrEqual(t, utf8.RuneCountInString(f.Title+f.Summary), 600)
		assert.Contains(t, f.Advice, "9.3-1101")
		assert.Contains(t, f.Evidence.Facts, finding.Fact{Name: "closed", Value: "3,000 of 3,000"})
		require.NotNil(t, f.Evidence.Path)
		var way []string
		for _, s := range f.Evidence.Path.Steps {
			way = append(way, s.Class+"."+s.Field)
		}
		assert.Equal(t, []string{
			"java.util.TimerThread.queue", "java.util.TaskQueue.queue", "java.util.TimerTask[].[]",
			"org.postgresql.jdbc2.AbstractJdbc2Statement$1.this$0", "org.postgresql.jdbc3g.Jdbc3gPreparedStatement.",
		}, way)
		assert.Equal(t, "thread", f.Evidence.Path.Root)
		assert.Equal(t, "Timer-0", f.Evidence.Path.Thread)

		schedulers, _ := h.Schedulers()
		require.Len(t, schedulers, 1)
		s := schedulers[0]
		assert.Equal(t, int64(3005), s.Size)
		assert.Equal(t, int64(3000), s.Cancelled)
		assert.Equal(t, int64(2*3005+128), s.Capacity)
		assert.Equal(t, []finding.TaskCount{
			{Class: "org.postgresql.jdbc2.AbstractJdbc2Statement$1", State: "cancelled", Count: 3000},
			{Class: "org.postgresql.jdbc2.AbstractJdbc2Statement$1", State: "scheduled", Count: 5},
		}, s.Tasks)
		assert.Equal(t, "2023-11-14T23:01:40Z", s.HeadDue)
		assert.Equal(t, "org.postgresql.jdbc2.AbstractJdbc2Statement$1", s.HeadTask)
	}
}

// TestTimerWithoutTimer has a queue whose Timer object is gone, not its thread.
func TestTimerWithoutTimer(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	task := j.Class("com.acme.Job", j.TimerTask)
	j.Timer("jobs", 16, j.Task(task, hproftest.Scheduled, 1000)).Forget()
	schedulers, _ := analyse(t, j.Finish()).Schedulers()
	require.Len(t, schedulers, 1)
	assert.Equal(t, "jobs", schedulers[0].Thread)
	assert.Equal(t, int64(1), schedulers[0].Size)
}

// TestTimerHeldByNoRoot has a queue that no GC root reaches: there is no way to tell, and nothing that
// it keeps.
func TestTimerHeldByNoRoot(t *testing.T) {
	d := seed(17, 3000, 0).Finish()
	d.DropRoots()
	found, err := finding.Detect(t.Context(), analyse(t, d))
	require.NoError(t, err)
	require.NotEmpty(t, found)
	assert.Equal(t, "timer-held", found[0].Kind)
	assert.Nil(t, found[0].Evidence.Path)
	assert.Contains(t, found[0].Summary, "No GC root reaches them")
	assert.NotContains(t, found[0].Summary, "empty shells")
}

// TestTimerHeldSharedStatement has one statement behind many tasks: no task alone
// retains it, all of them together do.
func TestTimerHeldSharedStatement(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	payload := j.Class("com.acme.Session", j.Object, hproftest.Ref("data"))
	task := j.Class("com.acme.Timeout", j.TimerTask, hproftest.Ref("session"))
	shared := j.New(payload).Set("data", j.Bytes(make([]byte, 1<<20)))
	var tasks []*hproftest.Object
	for range 2000 {
		tasks = append(tasks, j.Task(task, hproftest.Cancelled, 3_600_000).Set("session", shared))
	}
	j.Timer("timeouts", 4096, tasks...)
	found, err := finding.Detect(context.Background(), analyse(t, j.Finish()))
	require.NoError(t, err)
	require.Len(t, found, 1)
	assert.Equal(t, "com.acme.Session", found[0].Culprit.Class)
	assert.Greater(t, found[0].Bytes, int64(1<<20))
	assert.Contains(t, found[0].Advice, "purge()")
}

// TestManyTimersHold has a timer for each connection: none of them keeps much alone.
func TestManyTimersHold(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	cancel := j.Class("com.acme.CancelTask", j.TimerTask, hproftest.Ref("statement"))
	statement := j.Class("com.acme.Statement", j.Object, hproftest.Ref("sql"))
	j.Class("com.acme.Cache", j.Object).Static("ALL", j.Bytes(make([]byte, 4<<20)))
	for i := range 40 {
		var tasks []*hproftest.Object
		for range 150 {
			tasks = append(tasks, j.Task(cancel, hproftest.Cancelled, 1_800_000).Set("statement", j.New(statement).Set("sql", j.Bytes(make([]byte, 300)))))
		}
		j.Timer(fmt.Sprintf("Cancellation Timer-%d", i), 256, tasks...)
	}
	h := analyse(t, j.Finish())
	found, err := finding.Detect(context.Background(), h)
	require.NoError(t, err)
	f := only(t, "timer-held", found)
	assert.Equal(t, "com.acme.Statement", f.Culprit.Class)
	assert.Equal(t, finding.SeverityCritical, f.Severity)
	assert.Contains(t, f.Title, `6,000 Statement held by 6,000 cancelled tasks of 40 Timers with threads such as "Cancellation Timer-0"`)
	schedulers, _ := h.Schedulers()
	assert.Equal(t, int64(150), schedulers[0].Cancelled, "each is listed as it is")
}

// TestFewerCancelledHold has a timer most of whose tasks wait, while the cancelled ones keep most.
func TestFewerCancelledHold(t *testing.T) {
	for bytes, alarms := range map[int]bool{2000: true, 100: false} {
		j := hproftest.NewJDK(17, 8)
		task := j.Class("com.acme.Task", j.TimerTask, hproftest.Ref("request"))
		var tasks []*hproftest.Object
		for i := range 3000 {
			if i%3 > 0 {
				tasks = append(tasks, j.Task(task, hproftest.Scheduled, 3_600_000))
			} else {
				tasks = append(tasks, j.Task(task, hproftest.Cancelled, 3_600_000).Set("request", j.Bytes(make([]byte, bytes))))
			}
		}
		j.Timer("requests", 4096, tasks...)
		found := byKind("timer-held", detect(t, j))
		if !alarms {
			assert.Empty(t, found)
			continue
		}
		require.Len(t, found, 1, "the same queue")
		assert.Equal(t, finding.SeverityCritical, found[0].Severity)
		assert.Contains(t, found[0].Summary, "1,000 of the 3,000 tasks in the queue are cancelled Task")
	}
}

// TestSchedulerHeld has an executor whose cancelled tasks keep what decorates them.
func TestSchedulerHeld(t *testing.T) {
	j := hproftest.NewJDK(21, 8)
	call := j.Class("com.acme.Call", j.Object, hproftest.Ref("request"))
	var tasks []*hproftest.Object
	for i := range 1500 {
		state := int32(4 + 2*(i%2)) // CANCELLED and INTERRUPTED
		if i < 10 {
			state = 0
		}
		tasks = append(tasks, j.Future(state, j.New(call).Set("request", j.Bytes(make([]byte, 300)))))
	}
	j.Executor("pool-1-thread-1", 2000, tasks...)
	h := analyse(t, j.Finish())
	schedulers, omitted := h.Schedulers()
	assert.Zero(t, omitted)
	require.Len(t, schedulers, 1)
	s := schedulers[0]
	assert.Equal(t, "ScheduledThreadPoolExecutor", s.Kind)
	assert.Equal(t, "pool-1-thread-1", s.Thread)
	assert.Equal(t, int64(1500), s.Size)
	assert.Equal(t, int64(2000), s.Capacity)
	assert.Equal(t, int64(1490), s.Cancelled)
	assert.Empty(t, s.HeadDue, "a nanoTime is no hour")
	assert.Nil(t, s.Overdue)
	found, err := finding.Detect(context.Background(), h)
	require.NoError(t, err)
	require.Len(t, found, 1)
	assert.Equal(t, "scheduler-held", found[0].Kind)
	assert.Equal(t, "com.acme.Call", found[0].Culprit.Class)
	assert.Equal(t, "pool-1-thread-1", found[0].Culprit.Thread)
	assert.Equal(t, int64(3*1490), found[0].Objects)
	assert.Contains(t, found[0].Advice, "setRemoveOnCancelPolicy(true)")
	assert.LessOrEqual(t, utf8.RuneCountInString(found[0].Title+found[0].Summary), 600)
}

// TestSchedulerOfDecoratedTasks has an executor that wraps its tasks in its own.
func TestSchedulerOfDecoratedTasks(t *testing.T) {
	j := hproftest.NewJDK(21, 8)
	named := j.Class("com.acme.NamedTask", j.Object, hproftest.Ref("task"), hproftest.Ref("request"))
	request := j.Class("com.acme.Request", j.Object, hproftest.Ref("body"))
	var tasks []*hproftest.Object
	for range 1500 {
		r := j.New(request).Set("body", j.Bytes(make([]byte, 1000)))
		tasks = append(tasks, j.New(named).Set("task", j.Future(4, nil)).Set("request", r))
	}
	j.Executor("timeouts", 2000, tasks...)
	f := alone(t, j)
	assert.Equal(t, "scheduler-held", f.Kind)
	assert.Equal(t, finding.SeverityCritical, f.Severity)
	assert.Equal(t, "com.acme.Request", f.Culprit.Class)
	assert.Contains(t, f.Title, "1,500 Request held by 1,500 cancelled tasks")
	assert.Contains(t, f.Summary, "NamedTask")
}

// TestSilence holds heaps that are merely in use.
func TestSilence(t *testing.T) {
	for name, build := range map[string]func(j *hproftest.JDK){
		"idle": func(*hproftest.JDK) {},
		"many live finalizables": func(j *hproftest.JDK) {
			class := j.Class("com.acme.Resource", j.Object)
			for range 5000 {
				o := j.New(class)
				j.Finalizer(o, hproftest.Registered)
				j.Root(hprof.SubRootJNIGlobal, o)
			}
		},
		"finalizables that just died": func(j *hproftest.JDK) {
			class := j.Class("com.acme.Resource", j.Object)
			for range 5000 {
				j.Finalizer(j.New(class), hproftest.Registered)
			}
		},
		"a timer with a few cancelled tasks": func(j *hproftest.JDK) {
			task := j.Class("com.acme.Timeout", j.TimerTask)
			var tasks []*hproftest.Object
			for range 90 {
				tasks = append(tasks, j.Task(task, hproftest.Cancelled, 3_600_000))
			}
			j.Timer("timeouts", 128, tasks...)
		},
		"a timer with many scheduled tasks": func(j *hproftest.JDK) {
			task := j.Class("com.acme.Job", j.TimerTask)
			var tasks []*hproftest.Object
			for i := range 5000 {
				state := int32(hproftest.Scheduled)
				if i%3 == 0 {
					state = hproftest.Cancelled
				}
				tasks = append(tasks, j.Task(task, state, int64(1000*i)))
			}
			j.Timer("jobs", 8192, tasks...)
		},
		"an executor with a few cancelled tasks": func(j *hproftest.JDK) {
			var tasks []*hproftest.Object
			for range 90 {
				tasks = append(tasks, j.Future(4, nil))
			}
			j.Executor("pool-1-thread-1", 128, tasks...)
		},
		"a busy timer with short timeouts": func(j *hproftest.JDK) {
			task := j.Class("com.acme.Timeout", j.TimerTask)
			for range 5000 {
				j.Root(hprof.SubRootJNIGlobal, j.Bytes(make([]byte, 1000)))
			}
			var tasks []*hproftest.Object
			for i := range 2000 {
				tasks = append(tasks, j.Task(task, hproftest.Cancelled, int64(2*i)))
			}
			j.Timer("timeouts", 2048, tasks...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			j := hproftest.NewJDK(17, 8)
			build(j)
			found, err := finding.Detect(context.Background(), analyse(t, j.Finish()))
			require.NoError(t, err)
			for _, f := range found {
				assert.Equal(t, finding.SeverityInfo, f.Severity, f.Title)
			}
		})
	}
}

// TestLongHolder has referents along a long linked list.
func TestLongHolder(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	node := j.Class("com.acme.Node", j.Object, hproftest.Ref("next"), hproftest.Ref("value"))
	class := j.Class("com.acme.Resource", j.Object)
	var head *hproftest.Object
	for range 20_000 {
		o := j.New(class)
		j.Finalizer(o, hproftest.Registered)
		head = j.New(node).Set("next", head).Set("value", o)
	}
	j.Root(hprof.SubRootJNIGlobal, head)
	f, _ := analyse(t, j.Finish()).Census()
	require.Len(t, f.Classes[0].Paths, 1, "one class-level path for all")
	p := f.Classes[0].Paths[0]
	assert.Equal(t, int64(20_000), p.Objects)
	require.Len(t, p.Steps, 2)
	assert.Equal(t, 20_000, p.Steps[0].Repeat)
	assert.Equal(t, "value", p.Steps[0].Field)
}

// TestMissingReferent is a cut dump: the Finalizer is there, its referent is not.
func TestMissingReferent(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	ghost := j.Class("com.acme.Resource", j.Object)
	lost := *j.New(ghost)
	lost.ID = 0x123456780
	j.Finalizer(&lost, hproftest.Registered)
	f, _ := analyse(t, j.Finish()).Census()
	assert.Equal(t, int64(1), f.Total)
	assert.Equal(t, int64(1), f.RegisteredUnknown)
	assert.Equal(t, finding.States{}, f.States)
}

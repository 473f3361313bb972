package series_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/jvm"
	"github.com/apm-sidecar/apm-sidecar/internal/series"
)

// finalizerIn is the Finalizer thread inside the finalize() of a class, for which it
// waits for a lock that another thread holds.
func finalizerIn(class string, state jvm.ThreadState) *jvm.FinalizerThread {
	return &jvm.FinalizerThread{
		Time: at(),
		Thread: jvm.Thread{ID: 3, Name: "Finalizer", State: state, Lock: "java.net.Socket@1", LockOwnerID: 40,
			BlockedCount: 5, WaitedCount: 6,
			Stack: []jvm.Frame{{Class: "com.acme.Wire", Method: "close"}, {Class: class, Method: "finalize"}, {Class: "java.lang.ref.Finalizer", Method: "runFinalizer"}}},
		Owner: &jvm.Thread{ID: 40, Name: "http-1"},
	}
}

// waiting is the Finalizer thread without work.
func waiting() *jvm.FinalizerThread {
	return &jvm.FinalizerThread{Time: at(), Thread: jvm.Thread{ID: 3, Name: "Finalizer", State: "WAITING",
		Stack: []jvm.Frame{{Class: "java.lang.Object", Method: "wait"}, {Class: "java.lang.ref.ReferenceQueue", Method: "remove"}}}}
}

func TestFinalizerThread(t *testing.T) {
	t.Parallel()
	d := series.NewDeriver(series.Options{})
	h, _ := d.FinalizerThread(waiting(), jvm.Some[int64](0))
	assert.Equal(t, series.FinalizerIdle, h.State)
	assert.Empty(t, h.Frame)

	look := func(at time.Duration, f *jvm.FinalizerThread, pending int64) series.FinalizerHealth {
		f.Time = f.Time.Add(at)
		h, _ := d.FinalizerThread(f, jvm.Some(pending))
		return h
	}
	h = look(10*time.Second, finalizerIn("com.acme.Conn", "BLOCKED"), 100)
	assert.Equal(t, series.FinalizerHealth{State: series.FinalizerBlocked, Frame: "com.acme.Conn.finalize", Top: "com.acme.Wire.close",
		LockClass: "java.net.Socket", Owner: "http-1", PerSecond: jvm.Some(-10.0)}, h)
	h = look(70*time.Second, finalizerIn("com.acme.Conn", "BLOCKED"), 700)
	assert.Equal(t, time.Minute, h.StuckFor, "it has not gone on")
	assert.Equal(t, jvm.Some(-10.0), h.PerSecond)

	on := finalizerIn("com.acme.Conn", "RUNNABLE")
	on.Thread.BlockedCount = 9
	h = look(80*time.Second, on, 200)
	assert.Equal(t, series.FinalizerWorking, h.State)
	assert.Zero(t, h.StuckFor, "it blocked again, so it went on between")
	assert.Equal(t, jvm.Some(50.0), h.PerSecond)
}

// TestFinalizerThreadThatWorksAndNeverWaits: runs of the same finalize() cannot be told
// from one that never ends, except by the queue, which shrinks.
func TestFinalizerThreadThatWorksAndNeverWaits(t *testing.T) {
	t.Parallel()
	d := series.NewDeriver(series.Options{})
	for i, pending := range []int64{5000, 4000, 3000} {
		f := finalizerIn("com.acme.Conn", "RUNNABLE")
		f.Time = f.Time.Add(time.Duration(i) * time.Minute)
		h, _ := d.FinalizerThread(f, jvm.Some(pending))
		assert.Zero(t, h.StuckFor)
	}
}

func TestFinalizerThreadWithoutWorkIsNotStuck(t *testing.T) {
	t.Parallel()
	d := series.NewDeriver(series.Options{})
	for hour := range 2 {
		f := waiting()
		f.Time = f.Time.Add(time.Duration(hour) * time.Hour)
		h, _ := d.FinalizerThread(f, jvm.Some[int64](0))
		assert.Zero(t, h.StuckFor)
	}
}

// A queue that stays as long as it is, as nothing new becomes garbage, does not shrink.
func TestFinalizerThreadIsStuckThoughTheQueueDoesNotGrow(t *testing.T) {
	t.Parallel()
	d := series.NewDeriver(series.Options{})
	look := func(minute int) series.FinalizerHealth {
		f := finalizerIn("com.acme.Conn", "RUNNABLE")
		f.Time = f.Time.Add(time.Duration(minute) * time.Minute)
		h, _ := d.FinalizerThread(f, jvm.Some[int64](100))
		return h
	}
	assert.Zero(t, look(0).StuckFor)
	h := look(2)
	assert.Equal(t, 2*time.Minute, h.StuckFor)
	assert.Equal(t, jvm.Some(0.0), h.PerSecond)

	d.Derive(&jvm.Snapshot{Time: at(), Runtime: &jvm.Runtime{StartMs: jvm.Some[int64](9)}})
	h = look(3)
	assert.Zero(t, h.StuckFor, "another JVM's thread of the same number, at the same place")
	assert.False(t, h.PerSecond.Known())
}

// leakHistogram is the heap of a JVM whose timer holds finalizable statements, as
// measured.
func leakHistogram() *jvm.ClassHistogram {
	return &jvm.ClassHistogram{Time: at(), Took: 48 * time.Millisecond, Objects: 1, Bytes: 1, Classes: []jvm.ClassUsage{
		{Class: "char[]", Objects: 90_000, Bytes: 9_000_000},
		{Class: "org.postgresql.jdbc3g.Jdbc3gPreparedStatement", Objects: 30_000, Bytes: 4_000_000},
		{Class: "java.lang.ref.Finalizer", Objects: 30_001, Bytes: 1_200_000},
		{Class: "java.util.ArrayList", Objects: 30_000, Bytes: 720_000},
		{Class: "org.postgresql.jdbc2.AbstractJdbc2Statement$1", Objects: 30_000, Bytes: 1_200_000},
		{Class: "java.util.TimerTask[]", Objects: 1, Bytes: 131_088},
	}}
}

func TestSchedulerSignature(t *testing.T) {
	t.Parallel()
	assert.Equal(t, series.Signature{Finalizers: 30_001, Found: true, Referent: "org.postgresql.jdbc3g.Jdbc3gPreparedStatement",
		Task: "org.postgresql.jdbc2.AbstractJdbc2Statement$1", Queue: "java.util.TimerTask[]"}, series.SchedulerSignature(leakHistogram()))

	nested := leakHistogram()
	nested.Classes[1].Class, nested.Classes[4].Class = "a.Driver$Statement", "a.Driver$Statement$1"
	assert.Equal(t, "a.Driver$Statement$1", series.SchedulerSignature(nested).Task)

	silent := func(name string, change func(h *jvm.ClassHistogram)) {
		h := leakHistogram()
		change(h)
		assert.False(t, series.SchedulerSignature(h).Found, name)
	}
	silent("few finalizers", func(h *jvm.ClassHistogram) {
		for i := range h.Classes {
			h.Classes[i].Objects /= 100
		}
	})
	silent("a small timer", func(h *jvm.ClassHistogram) { h.Classes[5].Bytes = 528 })
	silent("no timer", func(h *jvm.ClassHistogram) { h.Classes = h.Classes[:5] })
	silent("other tasks", func(h *jvm.ClassHistogram) { h.Classes[4].Objects = 12_000 })
	silent("other referents", func(h *jvm.ClassHistogram) { h.Classes[1].Objects = 12_000 })
}

// The names that a JVM makes up differ from run to run: as labels they would be new series
// each time.
func TestClassesAreNamedAlikeInEachRun(t *testing.T) {
	run := func(first, second string) map[string]float64 {
		d := series.NewDeriver(series.Options{})
		samples := d.Histogram(&jvm.ClassHistogram{Time: at(), Classes: []jvm.ClassUsage{
			{Class: "byte[]", Objects: 2, Bytes: 50}, {Class: first, Objects: 3, Bytes: 40}, {Class: second, Objects: 4, Bytes: 30},
		}})
		samples = append(samples, d.Queue(&jvm.FinalizerQueue{Classes: []jvm.ClassCount{{Class: first, Count: 5}, {Class: second, Count: 6}}}, at())...)
		out := map[string]float64{}
		for _, s := range samples {
			if len(s.Labels) == 1 {
				out[s.Name+" "+s.Labels[0].Value] = s.Value
			}
		}
		return out
	}
	one := run("a.Shop$$Lambda$14/0x00000008000c1840", "a.Shop$$Lambda$15/0x00000008000c1c40")
	assert.Equal(t, one, run("a.Shop$$Lambda/0x0000700001000000", "a.Shop$$Lambda/0x0000700001000400"))
	assert.Equal(t, map[string]float64{
		"jvm_class_histogram_objects a.Shop$$Lambda": 7, "jvm_class_histogram_bytes a.Shop$$Lambda": 70,
		"jvm_class_histogram_objects byte[]": 2, "jvm_class_histogram_bytes byte[]": 50,
		"jvm_finalizer_queue_objects a.Shop$$Lambda": 11,
	}, one)
}

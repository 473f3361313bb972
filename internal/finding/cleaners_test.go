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

// TestCleanerStates puts cleaners of both kinds in all states into heaps of all JDKs.
func TestCleanerStates(t *testing.T) {
	for _, version := range []int{6, 8, 11, 17, 21, 24, 25} {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			j := hproftest.NewJDK(version, 8)
			release, thunk := j.Class("com.acme.Release", j.Object), j.Class("java.nio.DirectByteBuffer$Deallocator", j.Object)
			want := map[string]finding.States{thunk.Name: {RegisteredHeld: 2, RegisteredDead: 3, Pending: 4, Done: 5}}
			add := func(n int, s hproftest.State, held bool, create func(referent *hproftest.Object, s hproftest.State) *hproftest.Object) {
				for range n {
					referent := j.New(j.Object)
					if held {
						j.Root(hprof.SubRootJNIGlobal, referent)
					}
					create(referent, s)
				}
			}
			old := func(referent *hproftest.Object, s hproftest.State) *hproftest.Object {
				return j.OldCleaner(referent, j.New(thunk), s)
			}
			add(2, hproftest.Registered, true, old)
			add(3, hproftest.Registered, false, old)
			add(4, hproftest.Pending, false, old)
			add(5, hproftest.Done, false, old)
			if version >= 9 {
				cleaner := j.Cleaner()
				cleanable := func(referent *hproftest.Object, s hproftest.State) *hproftest.Object {
					return j.Cleanable(cleaner, referent, j.New(release), s)
				}
				add(6, hproftest.Registered, true, cleanable)
				add(7, hproftest.Registered, false, cleanable)
				add(8, hproftest.Pending, false, cleanable)
				add(9, hproftest.Enqueued, false, cleanable)
				add(4, hproftest.Done, false, cleanable)
				at := cleanable(j.New(j.Object), hproftest.InProcessing)
				j.CleanerThread(cleaner, at, hproftest.Frame{Class: release, Method: "run", Line: 1})
				want[release.Name] = finding.States{RegisteredHeld: 6, RegisteredDead: 7, Pending: 8, Enqueued: 9, InProcessing: 1, Done: 4}
			}
			c, omitted := analyse(t, j.Finish()).Cleaners()
			assert.Zero(t, omitted)
			got := map[string]finding.States{}
			for _, k := range c.Classes {
				got[k.Class] = k.States
				assert.Zero(t, k.SelfReferencing)
			}
			assert.Equal(t, want, got)
		})
	}
}

func TestCleanerBlocked(t *testing.T) {
	for _, version := range []int{9, 11, 17, 21, 25} {
		j := hproftest.NewJDK(version, 8)
		release := j.Class("com.acme.Release", j.Object)
		cleaner := j.Cleaner()
		j.Root(hprof.SubRootJNIGlobal, cleaner)
		for range 1500 {
			j.Cleanable(cleaner, j.New(j.Object), j.New(release), hproftest.Enqueued)
		}
		action := j.New(release)
		at := j.Cleanable(cleaner, j.New(j.Object), action, hproftest.InProcessing)
		thread := j.CleanerThread(cleaner, at, hproftest.Frame{Class: release, Method: "run", Line: 12, Locals: []*hproftest.Object{action}})
		owner := j.NewThread(j.Thread, "worker-7")
		j.Park(thread, j.Lock(owner))
		f := alone(t, j)
		assert.Equal(t, "cleaner-backlog", f.Kind)
		assert.Equal(t, "com.acme.Release", f.Culprit.Class)
		assert.Equal(t, fmt.Sprintf("%#x", action.ID), f.Culprit.Object)
		assert.Equal(t, int64(1500), f.Objects)
		assert.NotEqual(t, finding.SeverityInfo, f.Severity)
		assert.Contains(t, f.Title, `Cleaner thread "Cleaner-0" is stuck in Release.run()`)
		assert.Equal(t, "worker-7", f.Evidence.Lock.Owner)
	}
}

// TestCleanerIdle has a thread that a collection has just given work, and that is not awake yet.
func TestCleanerIdle(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	release := j.Class("com.acme.Release", j.Object)
	cleaner := j.Cleaner()
	j.Root(hprof.SubRootJNIGlobal, cleaner)
	for range 150 {
		j.Cleanable(cleaner, j.New(j.Object), j.New(release), hproftest.Enqueued)
	}
	j.IdleCleanerThread(cleaner)
	assert.Empty(t, specific(t, j))
}

// TestQueueNobodyPolls has a registry of phantom references whose queue nobody empties, and one
// whose own thread is just between two of them.
func TestQueueNobodyPolls(t *testing.T) {
	for polled, want := range map[bool]finding.Severity{false: finding.SeverityWarning, true: finding.SeverityInfo} {
		j := hproftest.NewJDK(17, 8)
		span := j.PhantomClass("com.acme.SpanRef", hproftest.Ref("tags"))
		var refs []*hproftest.Object
		for range 12_000 {
			refs = append(refs, j.New(span).Set("tags", j.Bytes(make([]byte, 100))))
		}
		queue := j.Queue(refs...)
		tracker := j.Class("com.acme.Tracker", j.Object, hproftest.Ref("dead"), hproftest.Ref("all"))
		tracker.Static("INSTANCE", j.New(tracker).Set("dead", queue).Set("all", j.Array(j.Objects, refs...)))
		if polled {
			j.NewThread(j.Thread, "tracker", hproftest.Frame{Class: tracker, Method: "loop"})
		}
		f := only(t, "cleaner-backlog", detect(t, j))
		assert.Equal(t, want, f.Severity)
		assert.Equal(t, "com.acme.SpanRef", f.Culprit.Class)
		assert.Equal(t, int64(12_000), f.Objects)
		assert.Contains(t, f.Summary, "The queue is held by field Tracker.dead, from static field Tracker.INSTANCE on")
	}
}

// TestReferenceHandlerBlocked has a cleaner of the older kind that blocks all references.
func TestReferenceHandlerBlocked(t *testing.T) {
	for _, version := range []int{6, 8, 11, 17, 25} {
		j := hproftest.NewJDK(version, 8)
		thunk := j.Class("com.acme.Unmap", j.Object)
		victim := j.Class("com.acme.Victim", j.Object)
		for range 200 {
			j.OldCleaner(j.New(j.Object), j.New(thunk), hproftest.Pending)
			j.Finalizer(j.New(victim), hproftest.Pending)
		}
		for range 3000 { // garbage: not a dump of live objects, in which pending tells nothing
			j.New(j.Object)
		}
		j.HandlerThread(j.OldCleaner(j.New(j.Object), j.New(thunk), hproftest.InProcessing), hproftest.Frame{Class: thunk, Method: "run", Line: 3})
		var f finding.Finding
		for _, found := range specific(t, j) {
			if found.Kind == "cleaner-backlog" {
				f = found
			}
		}
		assert.Equal(t, "com.acme.Unmap", f.Culprit.Class)
		assert.Equal(t, int64(400), f.Objects)
		assert.NotEqual(t, finding.SeverityInfo, f.Severity)
	}
}

// TestCleanerOfItself has actions that keep what they wait for.
func TestCleanerOfItself(t *testing.T) {
	build := func(n int, indirect, held bool) *hproftest.JDK {
		j := hproftest.NewJDK(17, 8)
		texture := j.Class("com.acme.Texture", j.Object, hproftest.Ref("pixels"))
		action := j.Class("com.acme.Texture$Release", j.Object, hproftest.Ref("this$0"))
		box := j.Class("com.acme.Box", j.Object, hproftest.Ref("value"))
		cleaner := j.Cleaner()
		j.Root(hprof.SubRootJNIGlobal, cleaner)
		for range n {
			o := j.New(texture).Set("pixels", j.Bytes(make([]byte, 400)))
			captured := o
			if indirect {
				captured = j.New(box).Set("value", o)
			}
			j.Cleanable(cleaner, o, j.New(action).Set("this$0", captured), hproftest.Registered)
			if held {
				j.Root(hprof.SubRootJNIGlobal, o)
			}
		}
		return j
	}
	for _, indirect := range []bool{false, true} {
		f := alone(t, build(1500, indirect, false))
		assert.Equal(t, "cleaner-self-reference", f.Kind)
		assert.Equal(t, finding.SeverityCritical, f.Severity)
		assert.Equal(t, "com.acme.Texture$Release", f.Culprit.Class)
		assert.Equal(t, int64(1500), f.Objects)
		assert.Contains(t, f.Summary, "Texture")
	}
	assert.Empty(t, specific(t, build(1500, false, true)), "in use, to be closed by hand")

	c, _ := analyse(t, build(3, false, true).Finish()).Cleaners()
	require.Len(t, c.Classes, 1)
	assert.Equal(t, int64(3), c.Classes[0].SelfReferencing)
}

// TestStaticIsNoCapture has actions whose class knows a static cache of the objects.
func TestStaticIsNoCapture(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	texture := j.Class("com.acme.Texture", j.Object)
	cleaner := j.Cleaner()
	j.Root(hprof.SubRootJNIGlobal, cleaner)
	action := j.Class("com.acme.Release", j.Object)
	var all []*hproftest.Object
	for range 500 {
		o := j.New(texture)
		all = append(all, o)
		j.Cleanable(cleaner, o, j.New(action), hproftest.Registered)
	}
	action.Static("CACHE", j.Array(j.Objects, all...))
	assert.Empty(t, specific(t, j))
}

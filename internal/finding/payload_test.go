package finding_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// TestTasksByTheirOwnClass has tasks as an executor keeps them: of each one's callable
// and its adapter, of a lambda, and cancelled ones, which have let go of theirs.
func TestTasksByTheirOwnClass(t *testing.T) {
	j := hproftest.NewJDK(21, 8)
	adapter := j.Class("java.util.concurrent.Executors$RunnableAdapter", j.Object, hproftest.Ref("task"))
	call, mail := j.Class("com.acme.Call", j.Object), j.Class("com.acme.Mailer$$Lambda/0x00007f65", j.Object)
	other := j.Class("com.acme.Mailer$$Lambda/0x00007f99", j.Object)
	tasks := []*hproftest.Object{
		j.Future(0, nil).Set("callable", j.New(call)),
		j.Future(0, nil).Set("callable", j.New(adapter).Set("task", j.New(mail))),
		j.Future(0, nil).Set("callable", j.New(adapter).Set("task", j.New(other))),
		j.Future(4, nil),
	}
	for _, task := range tasks { // each refers to its executor, whose class may be the application's
		task.Set("this$0", j.New(j.Class("com.acme.Executor", j.ClassNamed("java.util.concurrent.ScheduledThreadPoolExecutor"))))
	}
	j.Executor("pool-1-thread-1", 16, tasks...)
	schedulers, _ := analyse(t, j.Finish()).Schedulers()
	require.Len(t, schedulers, 1)
	assert.Equal(t, []finding.TaskCount{
		{Class: "com.acme.Mailer$$Lambda", State: "scheduled", Count: 2},
		{Class: "com.acme.Call", State: "scheduled", Count: 1},
		{Class: "java.util.concurrent.ScheduledThreadPoolExecutor$ScheduledFutureTask", State: "cancelled", Count: 1},
	}, schedulers[0].Tasks)
}

// TestWeakMap has a WeakHashMap whose values refer to their keys, and one whose do not.
func TestWeakMap(t *testing.T) {
	for _, ofItself := range []bool{true, false} {
		t.Run(fmt.Sprint(ofItself), func(t *testing.T) {
			j := hproftest.NewJDK(17, 8)
			class := j.Class("java.util.WeakHashMap", j.Object, hproftest.Ref("table"), hproftest.Int("size"))
			entry := j.Class("java.util.WeakHashMap$Entry", j.WeakReference, hproftest.Ref("value"), hproftest.Ref("next"))
			key := j.Class("com.acme.User", j.Object)
			value := j.Class("com.acme.Profile", j.Object, hproftest.Ref("user"), hproftest.Ref("data"))
			var entries []*hproftest.Object
			for range 2000 {
				k := j.New(key)
				j.Root(hprof.SubRootJNIGlobal, k)
				v := j.New(value).Set("data", j.Bytes(make([]byte, 1000)))
				if ofItself {
					v.Set("user", k)
				}
				entries = append(entries, j.New(entry).Set("referent", k).Set("value", v))
			}
			j.Class("com.acme.Profiles", j.Object).Static("ALL", j.New(class).Set("size", int32(2000)).Set("table", j.Array(j.Objects, entries...)))
			f := only(t, "growing-collection", detect(t, j))
			assert.Contains(t, f.Title, "2,000 elements of com.acme.Profile")
			assert.Equal(t, ofItself, f.Severity == finding.SeverityWarning, f.Severity)
			assert.Equal(t, ofItself, f.Confidence == finding.ConfidenceHigh)
		})
	}
}

// TestWeakMapOfALibrary has nodes that are weak themselves, as Guava's, and such that refer to a weak key, as Caffeine's; the
// values refer to their own keys, or to those of nobody.
func TestWeakMapOfALibrary(t *testing.T) {
	for _, node := range []string{"com.google.common.cache.LocalCache$WeakEntry", "com.github.benmanes.caffeine.cache.FW"} {
		for _, ofItself := range []bool{true, false} {
			j := hproftest.NewJDK(17, 8)
			key, value := j.Class("com.acme.User", j.Object), j.Class("com.acme.Profile", j.Object, hproftest.Ref("user"), hproftest.Ref("data"))
			weakNode := j.Class("com.google.common.cache.LocalCache$WeakEntry", j.WeakReference, hproftest.Ref("value"))
			plainNode := j.Class("com.github.benmanes.caffeine.cache.FW", j.Object, hproftest.Ref("key"), hproftest.Ref("value"))
			var nodes []*hproftest.Object
			for range 2000 {
				k := j.New(key)
				v := j.New(value).Set("data", j.Bytes(make([]byte, 1000)))
				if ofItself {
					v.Set("user", k)
				} else {
					j.Root(hprof.SubRootJNIGlobal, k)
				}
				n := j.New(weakNode).Set("referent", k)
				if node != "com.google.common.cache.LocalCache$WeakEntry" {
					n = j.New(plainNode).Set("key", j.New(j.WeakReference).Set("referent", k))
				}
				nodes = append(nodes, n.Set("value", v))
			}
			cache := j.Class("com.google.common.cache.LocalCache", j.Object, hproftest.Ref("table"))
			j.Class("com.acme.Profiles", j.Object).Static("ALL", j.New(cache).Set("table", j.Array(j.Objects, nodes...)))
			f := only(t, "big-retainer", detect(t, j))
			assert.Equal(t, ofItself, strings.Contains(f.Summary, "refer to their own keys (16 of 16 looked at)"), node)
			assert.Equal(t, ofItself, f.Severity == finding.SeverityWarning, f.Severity)
		}
	}
}

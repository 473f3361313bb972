package finding_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// deployed is a heap with four loaders of an application. leave leaves something of each behind;
// its host has the last one, or all.
func deployed(leave func(j *hproftest.JDK, app *hproftest.Class, loader *hproftest.Object), hosted bool) *hproftest.JDK {
	j := hproftest.NewJDK(17, 8)
	loaders := j.Class("com.acme.host.PluginLoader", j.Object, hproftest.Ref("resources"))
	var kept []*hproftest.Object
	for i := range 4 {
		l := j.New(loaders).Set("resources", j.Bytes(make([]byte, 400_000)))
		app := j.Class("com.acme.shop.App", j.Object).LoadedBy(l)
		leave(j, app, l)
		if hosted || i == 3 {
			kept = append(kept, l)
		}
	}
	j.Class("com.acme.host.Host", j.Object).Static("PLUGINS", j.Array(j.Objects, kept...))
	return j
}

func TestLoadersLeftBehind(t *testing.T) {
	info, drivers, hooks := 0, []*hproftest.Object{}, []*hproftest.Object{}
	for name, leave := range map[string]func(j *hproftest.JDK, app *hproftest.Class, l *hproftest.Object){
		"static field DriverManager.registeredDrivers": func(j *hproftest.JDK, app *hproftest.Class, _ *hproftest.Object) {
			if info++; info%4 == 1 {
				drivers = nil
			}
			driver := j.Class("java.sql.DriverInfo", j.Object, hproftest.Ref("driver"))
			drivers = append(drivers, j.New(driver).Set("driver", j.New(app)))
			if info%4 == 0 {
				j.Class("java.sql.DriverManager", j.Object).Static("registeredDrivers", j.Array(j.Objects, drivers...))
			}
		},
		"shutdown hooks of class com.acme.host.Hook": func(j *hproftest.JDK, _ *hproftest.Class, l *hproftest.Object) {
			hook := j.Class("com.acme.host.Hook", j.Thread, hproftest.Ref("contextClassLoader"))
			if hooks = append(hooks, j.New(hook).Set("contextClassLoader", l)); len(hooks)%4 == 0 {
				j.Class("java.lang.ApplicationShutdownHooks", j.Object).Static("hooks", j.Array(j.Objects, hooks[len(hooks)-4:]...))
			}
		},
		`a ThreadLocal of threads such as "exec-1"`: func(j *hproftest.JDK, app *hproftest.Class, _ *hproftest.Object) {
			entry := j.Class("java.lang.ThreadLocal$ThreadLocalMap$Entry", j.WeakReference, hproftest.Ref("value"))
			m := j.New(j.Class("java.lang.ThreadLocal$ThreadLocalMap", j.Object, hproftest.Ref("table")))
			m.Set("table", j.Array(j.Class("[Ljava.lang.ThreadLocal$ThreadLocalMap$Entry;", j.Object), j.New(entry).Set("value", j.New(app))))
			j.NewThread(j.Thread, "exec-1").Set("threadLocals", m)
		},
		`the context class loader of threads such as "shop-poller"`: func(j *hproftest.JDK, _ *hproftest.Class, l *hproftest.Object) {
			own := j.Class("com.acme.host.PluginThread", j.Thread) // of the host's code
			job := j.Class("java.util.concurrent.FutureTask", j.Object, hproftest.Ref("callable"))
			j.NewThread(j.Class("java.util.TimerThread", j.Thread, hproftest.Ref("contextClassLoader")), "shop-poller",
				hproftest.Frame{Class: own, Method: "run", Locals: []*hproftest.Object{j.New(job).Set("callable", l)}}).Set("contextClassLoader", l)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := only(t, "class-loader-leak", detect(t, deployed(leave, false)))
			assert.Equal(t, finding.SeverityWarning, f.Severity)
			assert.Equal(t, int64(3), f.Objects, "the host has the last one")
			assert.Contains(t, f.Title, "3 of 4 class loaders of com.acme.shop.App")
			assert.Contains(t, f.Summary, "3 are held by "+name)
			assert.Empty(t, byKind("class-loader-leak", detect(t, deployed(leave, true))), "the host has them all")
		})
	}
}

// TestWaitingTasks has the queue of a timer with tasks that are not cancelled.
func TestWaitingTasks(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	task := j.Class("java.util.TimerTask", j.Object, hproftest.Int("state"), hproftest.Long("nextExecutionTime"))
	expiry := j.Class("com.acme.Expiry", task, hproftest.Ref("call"))
	call := j.Class("com.acme.Call", j.Object, hproftest.Ref("data"))
	tasks := []*hproftest.Object{nil}
	for range 2000 {
		c := j.New(call).Set("data", j.Bytes(make([]byte, 900)))
		tasks = append(tasks, j.New(expiry).Set("state", int32(1)).Set("nextExecutionTime", j.CreatedMs+3600_000).Set("call", c))
	}
	queue := j.New(j.Class("java.util.TaskQueue", j.Object, hproftest.Ref("queue"), hproftest.Int("size"))).
		Set("queue", j.Array(j.Class("[Ljava.util.TimerTask;", j.Object), tasks...)).Set("size", int32(2000))
	j.NewThread(j.Class("java.util.TimerThread", j.Thread, hproftest.Ref("queue")), "expiry").Set("queue", queue)
	found := detect(t, j)
	f := only(t, "timer-held", found)
	assert.Equal(t, finding.SeverityInfo, f.Severity, "they may be needed")
	assert.Equal(t, "com.acme.Call", f.Culprit.Class)
	assert.Equal(t, "expiry", f.Culprit.Thread)
	assert.Equal(t, int64(2000), f.Objects)
	assert.Contains(t, f.Summary, "Most are com.acme.Expiry; none is cancelled")
	assert.Contains(t, f.Summary, "due 1 h after the dump")
	assert.Empty(t, byKind("big-retainer", found), "one cause, one finding")
}

// TestBucketIsNoChain has what retains nearly all as the third of a hash map's bucket.
func TestBucketIsNoChain(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	node := j.Class("java.util.HashMap$Node", j.Object, hproftest.Ref("key"), hproftest.Ref("value"), hproftest.Ref("next"))
	bean := j.Class("com.acme.Dao", j.Object, hproftest.Ref("rows"))
	rows := j.Array(j.Objects, j.Bytes(make([]byte, 1<<20)), j.Bytes(make([]byte, 1<<20)))
	first := j.New(node).Set("value", j.New(bean).Set("rows", rows))
	for i := range 2 {
		first = j.New(node).Set("key", j.String(fmt.Sprint(i))).Set("next", first)
	}
	j.Class("com.acme.Beans", j.Object).Static("ALL", j.Array(j.Class("[Ljava.util.HashMap$Node;", j.Object), first))
	f := only(t, "big-retainer", detect(t, j))
	assert.Equal(t, "com.acme.Dao", f.Culprit.Class)
	assert.Equal(t, "rows", f.Culprit.Field)
	assert.NotContains(t, f.Summary, "chain")
}

// TestHolderIsTheJDKs has what only the JDK's own classes lead to, and what native code holds.
func TestHolderIsTheJDKs(t *testing.T) {
	blocks := func(j *hproftest.JDK) *hproftest.Object {
		return j.Array(j.Objects, j.Bytes(make([]byte, 1<<20)), j.Bytes(make([]byte, 1<<20)))
	}
	j := hproftest.NewJDK(17, 8)
	j.Class("java.lang.ApplicationShutdownHooks", j.Object).Static("hooks", blocks(j))
	f := only(t, "big-retainer", detect(t, j))
	assert.Contains(t, f.Summary, "static field ApplicationShutdownHooks.hooks")

	j = hproftest.NewJDK(17, 8)
	pinned := j.New(j.Class("com.acme.Native", j.Object, hproftest.Ref("slabs"))).Set("slabs", blocks(j))
	j.Root(hprof.SubRootJNIGlobal, pinned)
	f = only(t, "big-retainer", detect(t, j))
	assert.Contains(t, f.Summary, "field Native.slabs, from a JNI global reference on")
}

package finding_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/apm-sidecar/apm-sidecar/internal/finding"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof"
	"github.com/apm-sidecar/apm-sidecar/internal/hprof/hproftest"
)

// arrayQueue is a java.util.concurrent.ArrayBlockingQueue of n events of 1000 bytes, with room for
// twice as many.
func arrayQueue(j *hproftest.JDK, n int) *hproftest.Object {
	event := j.Class("com.acme.LogEvent", j.Object, hproftest.Ref("text"))
	items := make([]*hproftest.Object, 2*n)
	for i := range n {
		items[i] = j.New(event).Set("text", j.Bytes(make([]byte, 1000)))
	}
	class := j.Class("java.util.concurrent.ArrayBlockingQueue", j.Object, hproftest.Ref("items"), hproftest.Int("count"))
	return j.New(class).Set("items", j.Array(j.Objects, items...)).Set("count", int32(n))
}

// TestQueueOfThread has a long queue that a thread has in a field: the verdict says what keeps that
// thread, unless it is in a call of the queue, and how much the queue takes.
func TestQueueOfThread(t *testing.T) {
	f := func(status int32, inQueue bool) finding.Finding {
		j := hproftest.NewJDK(17, 8)
		queue := arrayQueue(j, 2000)
		shipper := j.Class("com.acme.Shipper", j.Thread, hproftest.Ref("queue"))
		frames := []hproftest.Frame{{Class: j.Class("com.acme.Collector", j.Object), Method: "send", Line: 5}, {Class: shipper, Method: "run", Line: 9}}
		if inQueue {
			frames = append([]hproftest.Frame{{Class: j.ClassNamed("java.util.concurrent.ArrayBlockingQueue"), Method: "take", Locals: []*hproftest.Object{queue}}}, frames...)
		}
		thread := j.NewThread(shipper, "shipper", frames...).Set("queue", queue)
		j.SetThread(thread, 5, false, status)
		return only(t, "growing-collection", detect(t, j))
	}
	found := f(hproftest.Parked, false)
	assert.Contains(t, found.Summary, `on thread "shipper". That thread is in Collector.send. It waits without a time limit`)
	assert.Contains(t, found.Summary, "It is bounded: it takes 4,000 at most.")
	assert.Contains(t, found.Evidence.Stack, "com.acme.Collector.send(Collector.java:5)")
	assert.Contains(t, found.Advice, `thread "shipper"`)
	assert.Equal(t, finding.SeverityInfo, found.Severity, "it may be another thread's to take from it")
	for name, found := range map[string]finding.Finding{"computes": f(hproftest.Running, false), "takes": f(hproftest.Parked, true)} {
		assert.NotContains(t, found.Summary, "That thread is in", name)
		assert.Contains(t, found.Advice, "smaller bound", name)
	}
}

// TestQueueKnownFromAfar has a thread that knows a long queue by way of what a server has, without a call
// of any who have it: what that thread waits for is not why the queue grows. A lambda's queue is that of
// the class around it.
func TestQueueKnownFromAfar(t *testing.T) {
	f := func(far string, status int32) finding.Finding {
		j := hproftest.NewJDK(17, 8)
		box := j.New(j.Class("com.acme.Mailbox", j.Object, hproftest.Ref("queue"))).Set("queue", arrayQueue(j, 2000))
		task := j.Class("com.acme.Sender$$Lambda+0x00000001000d1ea8", j.Object, hproftest.Ref("arg$1"))
		switch far {
		case "elsewhere":
			task = j.Class("com.acme.Server", j.Object, hproftest.Ref("arg$1"))
		case "behind":
			registry := j.Class("com.acme.Registry", j.Object, hproftest.Ref("box"))
			box = j.New(j.Class("com.acme.Server", j.Object, hproftest.Ref("registry"))).Set("registry", j.New(registry).Set("box", box))
		}
		worker := j.Class("com.acme.Worker", j.Thread, hproftest.Ref("task"))
		thread := j.NewThread(worker, "tick", hproftest.Frame{Class: j.Class("com.acme.Sender", j.Object), Method: "await", Line: 5}).Set("task", j.New(task).Set("arg$1", box))
		j.SetThread(thread, 5, false, status)
		return only(t, "growing-collection", detect(t, j))
	}
	for _, far := range []string{"elsewhere", "behind"} {
		found := f(far, hproftest.Asleep)
		assert.NotContains(t, found.Summary, "That thread is in", far)
		assert.NotContains(t, found.Advice, "tick", far)
		assert.Empty(t, found.Evidence.Stack, far)
	}
	found := f("", hproftest.Asleep)
	assert.Contains(t, found.Summary, "That thread is in Sender.await. It waits, with a time limit")
	assert.Contains(t, found.Advice, "let it wait less", "it has a time limit")
	assert.Contains(t, f("", hproftest.Parked).Advice, "give what it waits for a time limit")
}

// TestMapOfTask has a map that a task leads to which waits in a pool's queue: it is no queue.
func TestMapOfTask(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	cache := j.Class("com.acme.Cache$$Lambda+0x00000001000d1ea8", j.Object, hproftest.Ref("arg$1"))
	orders := hashMap(j, j.Class("com.acme.Order", j.Object, hproftest.Ref("data")), 2000)
	j.Root(hprof.SubRootJNIGlobal, j.Executor("expiry", 16, j.New(cache).Set("arg$1", orders)))
	f := only(t, "growing-collection", detect(t, j))
	assert.NotContains(t, f.Advice, "pool")
	assert.Contains(t, f.Advice, "remove entries from field Cache$$Lambda.arg$1", "the number in a lambda's name is another one in each run")
}

// TestHeldByRunningThread has a map in a field of a thread that another one, which is listed first,
// waits for: it is the thread's own.
func TestHeldByRunningThread(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	export := j.Class("com.acme.Export", j.Thread, hproftest.Ref("rows"))
	thread := j.New(export).Set("rows", hashMap(j, j.Class("com.acme.Row", j.Object, hproftest.Ref("data")), 2000)).Set("name", j.String("exporter"))
	j.NewThread(j.Thread, "main", hproftest.Frame{Class: j.Class("com.acme.Main", j.Object), Method: "join", Line: 3, Locals: []*hproftest.Object{thread}})
	j.Dump.Thread(thread, hproftest.Frame{Class: export, Method: "run", Line: 8})
	f := only(t, "growing-collection", detect(t, j))
	assert.Contains(t, f.Summary, `It is held by field Export.rows on thread "exporter".`)
	assert.Equal(t, "exporter", f.Culprit.Thread)
}

// TestHeldByNativeCode has objects that are GC roots themselves: nobody in the heap holds them.
func TestHeldByNativeCode(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	image := j.Class("com.acme.Image", j.Object, hproftest.Ref("pixels"))
	for range 300 {
		j.Root(hprof.SubRootJNIGlobal, j.New(image).Set("pixels", j.Bytes(make([]byte, 10_000))))
	}
	f := only(t, "big-retainer", detect(t, j))
	assert.Contains(t, f.Summary, "Native code holds each of them by a JNI global reference.")
	assert.NotContains(t, f.Summary, "Several objects")
	assert.Contains(t, f.Advice, "DeleteGlobalRef")
}

// TestQueueOfNobody has a long queue in a static field: it is no cache that wants an expiry.
func TestQueueOfNobody(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	record := j.Class("com.acme.Payment", j.Object, hproftest.Ref("body"))
	items := make([]*hproftest.Object, 2000)
	for i := range items {
		items[i] = j.New(record).Set("body", j.Bytes(make([]byte, 1000)))
	}
	queue := j.Class("java.util.concurrent.PriorityBlockingQueue", j.Object, hproftest.Ref("queue"), hproftest.Int("size"))
	j.Class("com.acme.Payments", j.Object).Static("TODO", j.New(queue).Set("queue", j.Array(j.Objects, items...)).Set("size", int32(len(items))))
	f := only(t, "growing-collection", detect(t, j))
	assert.Contains(t, f.Advice, "Whoever takes from static field Payments.TODO does not keep up, or has ended")
	assert.NotContains(t, f.Advice, "expiry")
}

// TestLinkedArrays has a queue of RxJava's: arrays, each of which has the next one behind an object of the
// JDK's. The whole of it is told, and that it is a queue.
func TestLinkedArrays(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	quote := j.Class("com.acme.Quote", j.Object, hproftest.Ref("text"))
	buffer := j.Class("java.util.concurrent.atomic.AtomicReferenceArray", j.Object, hproftest.Ref("array"))
	var first *hproftest.Object
	for range 60 {
		elements := []*hproftest.Object{first}
		for range 16 {
			elements = append(elements, j.New(quote).Set("text", j.Bytes(make([]byte, 2000))))
		}
		first = j.New(buffer).Set("array", j.Array(j.Objects, elements...))
	}
	queue := j.Class("io.reactivex.rxjava3.operators.SpscLinkedArrayQueue", j.Object, hproftest.Ref("consumerBuffer"))
	j.Class("com.acme.Quotes", j.Object).Static("PENDING", j.New(queue).Set("consumerBuffer", first))
	f := only(t, "big-retainer", detect(t, j))
	assert.Contains(t, f.Title, "SpscLinkedArrayQueue retains")
	assert.Greater(t, f.Bytes, int64(60*16*2000), "all of it, not the end of the chain")
	assert.Contains(t, f.Summary, "It is held by static field Quotes.PENDING. Below it lie 960 com.acme.Quote.")
	assert.Contains(t, f.Advice, "Whoever takes from static field Quotes.PENDING does not keep up")
}

// TestForkJoinTasks has tasks in the queue of a pool's thread that waits without a limit of time.
func TestForkJoinTasks(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	task := j.Class("com.acme.Push", j.Class("java.util.concurrent.ForkJoinTask", j.Object, hproftest.Int("status")), hproftest.Ref("body"))
	var tasks []*hproftest.Object
	for range 2000 {
		tasks = append(tasks, j.New(task).Set("body", j.Bytes(make([]byte, 1000))))
	}
	pool := j.Class("java.util.concurrent.ForkJoinPool", j.Object, hproftest.Ref("queues"))
	queue := j.Class("java.util.concurrent.ForkJoinPool$WorkQueue", j.Object, hproftest.Ref("array"))
	waiting := j.New(queue).Set("array", j.Array(j.Class("[Ljava.util.concurrent.ForkJoinTask;", j.Object), tasks...))
	worker := j.Class("java.util.concurrent.ForkJoinWorkerThread", j.Thread, hproftest.Ref("pool"))
	thread := j.NewThread(worker, "common-1", hproftest.Frame{Class: task, Method: "send", Line: 7}).
		Set("pool", j.New(pool).Set("queues", j.Array(j.Objects, waiting)))
	j.SetThread(thread, 5, true, hproftest.Running)
	f := only(t, "big-retainer", detect(t, j))
	assert.Contains(t, f.Advice, "These are tasks that wait for the threads of a ForkJoinPool")
	j.SetThread(thread, 5, true, hproftest.Parked)
	f = only(t, "big-retainer", detect(t, j))
	assert.Contains(t, f.Summary, "That thread is in Push.send. It waits without a time limit")
	assert.Contains(t, f.Advice, `If thread "common-1" is to take from this queue`)
}

// TestListeners has those that nobody takes out again, in a list and in an array.
func TestListeners(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	j.Class("com.acme.Account", j.Object).Static("CHANGED", hashMap(j, j.Class("com.acme.ViewListener", j.Object, hproftest.Ref("data")), 2000))
	assert.Contains(t, only(t, "growing-collection", detect(t, j)).Advice, "Whoever registers at static field Account.CHANGED must be taken out")

	j = hproftest.NewJDK(17, 8)
	var views []*hproftest.Object
	for range 300 {
		views = append(views, j.Bytes(make([]byte, 10_000)))
	}
	j.Class("com.acme.Prices", j.Object).Static("observers", j.Array(j.Objects, views...))
	assert.Contains(t, only(t, "big-retainer", detect(t, j)).Advice, "Whoever registers at static field Prices.observers must be taken out")

	for class, listens := range map[string]bool{"com.acme.Views$1ListenerImpl": true, "com.acme.Bus$Subscriber$3": true, "org.apache.spark.scheduler.SparkListenerTaskEnd": false} {
		j := hproftest.NewJDK(17, 8)
		j.Class("com.acme.Audit", j.Object).Static("ALL", hashMap(j, j.Class(class, j.Object, hproftest.Ref("data")), 2000))
		assert.Equal(t, listens, strings.Contains(only(t, "growing-collection", detect(t, j)).Advice, "Whoever registers"), class)
	}
}

// TestWaitsForClass has the thread of a queue that waits to be notified by a class.
func TestWaitsForClass(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	remote := j.Class("com.acme.Remote", j.Object)
	shipper := j.Class("com.acme.Shipper", j.Thread, hproftest.Ref("queue"))
	frames := []hproftest.Frame{{Class: j.Object, Method: "wait", Line: -3, Locals: []*hproftest.Object{{ID: remote.ID}}},
		{Class: remote, Method: "send", Line: 5}, {Class: shipper, Method: "run", Line: 9}}
	thread := j.NewThread(shipper, "shipper", frames...).Set("queue", arrayQueue(j, 2000))
	j.SetThread(thread, 5, false, hproftest.Parked)
	f := only(t, "growing-collection", detect(t, j))
	assert.Contains(t, f.Summary, "That thread is in Remote.send. It waits without a time limit for class Remote @")
}

// TestBoundedCache has a cache of Caffeine's: who has it is not told to bound it.
func TestBoundedCache(t *testing.T) {
	for bound, words := range map[int64]string{50_000: "It is bounded: it takes 50,000 at most.", 1<<63 - 1: ""} {
		j := hproftest.NewJDK(17, 8)
		inner := j.Class("com.github.benmanes.caffeine.cache.SSMS", j.Object, hproftest.Long("maximum"), hproftest.Ref("data"))
		outer := j.Class("com.github.benmanes.caffeine.cache.BoundedLocalCache$BoundedLocalManualCache", j.Object, hproftest.Ref("cache"))
		var values []*hproftest.Object
		for range 300 {
			values = append(values, j.Bytes(make([]byte, 10_000)))
		}
		cache := j.New(inner).Set("maximum", bound).Set("data", j.Array(j.Objects, values...))
		j.Class("com.acme.Shop", j.Object).Static("PRODUCTS", j.New(outer).Set("cache", cache))
		f := only(t, "big-retainer", detect(t, j))
		assert.Contains(t, f.Summary, words)
		assert.Equal(t, words == "", f.Advice == "Bound it: remove entries from static field Shop.PRODUCTS when they are done with, or use a cache with a maximum size or an expiry.")
	}
}

// TestMapOfABoundedCache has the map in which a cache keeps its elements: that one is bounded, too.
func TestMapOfABoundedCache(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	inner := j.Class("com.github.benmanes.caffeine.cache.SSMS", j.Object, hproftest.Long("maximum"), hproftest.Ref("data"))
	cache := j.New(inner).Set("maximum", int64(5000)).Set("data", hashMap(j, j.Class("com.acme.Product", j.Object, hproftest.Ref("data")), 4000))
	j.Class("com.acme.Shop", j.Object).Static("PRODUCTS", cache)
	f := only(t, "growing-collection", detect(t, j))
	assert.Contains(t, f.Summary, "It is bounded: it takes 5,000 at most.")
	assert.Equal(t, "Give it a smaller bound if it takes more than the heap can spare.", f.Advice)
}

// TestKeptByTheJDK has collections of the JDK's own: the advice names the call that empties them.
func TestKeptByTheJDK(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	hook := j.Class("com.acme.Hook", j.Thread, hproftest.Ref("data"))
	hooks := hashMap(j, hook, 2000)
	j.Class("java.lang.ApplicationShutdownHooks", j.Object).Static("hooks", hooks)
	j.StickyClasses()
	assert.Contains(t, only(t, "growing-collection", detect(t, j)).Advice, "Runtime.removeShutdownHook()")

	j = hproftest.NewJDK(17, 8)
	future := j.Class("java.util.concurrent.CompletableFuture", j.Object, hproftest.Ref("stack"))
	stage := j.Class("java.util.concurrent.CompletableFuture$UniRun", j.Object, hproftest.Ref("next"), hproftest.Ref("fn"))
	var first *hproftest.Object
	for range 3000 {
		first = j.New(stage).Set("next", first).Set("fn", j.Bytes(make([]byte, 1000)))
	}
	j.Class("com.acme.Server", j.Object).Static("STOPPED", j.New(future).Set("stack", first))
	f := only(t, "big-retainer", detect(t, j))
	assert.Contains(t, f.Advice, "hung on a CompletableFuture stays until that one completes")
	assert.Contains(t, f.Summary, "static field Server.STOPPED")

	j = hproftest.NewJDK(17, 8)
	set := j.Class("java.util.LinkedHashSet", j.Object, hproftest.Ref("map"))
	paths := j.New(set).Set("map", hashMap(j, j.Class("com.acme.Path", j.Object, hproftest.Ref("data")), 2000))
	j.Class("java.io.DeleteOnExitHook", j.Object).Static("files", paths)
	j.StickyClasses()
	assert.Contains(t, only(t, "growing-collection", detect(t, j)).Advice, "Files.deleteIfExists")

	j = hproftest.NewJDK(17, 8)
	indexed := hashMap(j, j.Class("org.apache.lucene.store.ByteBuffersDirectory$FileEntry", j.Object, hproftest.Ref("data")), 2000)
	directory := j.New(j.Class("org.apache.lucene.store.ByteBuffersDirectory", j.Object, hproftest.Ref("files"))).Set("files", indexed)
	j.Class("com.acme.Search", j.Object).Static("INDEX", directory)
	assert.Contains(t, only(t, "growing-collection", detect(t, j)).Advice, "close each DirectoryReader")

	j = hproftest.NewJDK(21, 8)
	threads := hashMap(j, j.Class("java.lang.VirtualThread", j.Thread, hproftest.Ref("data")), 2000)
	j.Class("jdk.internal.vm.ThreadContainers$RootContainer$TrackingRootContainer", j.Object).Static("VTHREADS", threads)
	j.StickyClasses()
	assert.Contains(t, only(t, "growing-collection", detect(t, j)).Advice, "virtual threads that have not ended")

	for field, advice := range map[string]string{
		"sun.net.www.protocol.jar.JarFileFactory.urlCache":                 "setUseCaches(false)",
		"sun.rmi.transport.ObjectTable.implTable":                          "unexportObject()",
		"org.jboss.weld.contexts.CreationalContextImpl.dependentInstances": "Instance.destroy()",
	} {
		j = hproftest.NewJDK(17, 8)
		at := strings.LastIndexByte(field, '.')
		entry := j.Class("com.acme.Entry", j.Object, hproftest.Ref("data"))
		j.Class(field[:at], j.Object).Static(field[at+1:], hashMap(j, entry, 2000))
		j.StickyClasses()
		assert.Contains(t, only(t, "growing-collection", detect(t, j)).Advice, advice)
	}

	for manager, field := range map[string]string{"org.apache.catalina.session.StandardManager": "sessions", "org.eclipse.jetty.session.DefaultSessionCache": "_sessions"} {
		j = hproftest.NewJDK(17, 8)
		sessions := hashMap(j, j.Class("com.acme.Session", j.Object, hproftest.Ref("data")), 2000)
		j.Root(hprof.SubRootJNIGlobal, j.New(j.Class(manager, j.Object, hproftest.Ref(field))).Set(field, sessions))
		assert.Contains(t, only(t, "growing-collection", detect(t, j)).Advice, "begin none for clients that bring no cookie", manager)
	}

	for field, words := range map[string]string{
		"com.sun.jmx.mbeanserver.WeakIdentityHashMap.map":           "unregisterMBean()",
		"org.springframework.session.MapSessionRepository.sessions": "a map that nothing empties",
		"java.util.concurrent.DelayQueue.q":                         "stays until its time has come",
		"ch.qos.logback.classic.LoggerContext.loggerCache":          "name loggers after classes",
		"java.util.logging.LogManager$LoggerContext.namedLoggers":   "name loggers after classes",
		"io.grpc.netty.shaded.io.netty.buffer.PoolChunkList.head":   "ByteBufs that are not released",
		"io.netty.channel.ChannelOutboundBuffer.flushedEntry":       "whose peer does not read",
		"com.acme.SyncException.suppressedExceptions":               "One exception collects all others",
	} {
		j = hproftest.NewJDK(17, 8)
		at := strings.LastIndexByte(field, '.')
		kept := hashMap(j, j.Class("com.acme.Kept", j.Object, hproftest.Ref("data")), 2000)
		j.Root(hprof.SubRootJNIGlobal, j.New(j.Class(field[:at], j.Object, hproftest.Ref(field[at+1:]))).Set(field[at+1:], kept))
		assert.Contains(t, only(t, "growing-collection", detect(t, j)).Advice, words, field)
	}

	j = hproftest.NewJDK(17, 8)
	source := j.Class("java.util.zip.ZipFile$Source", j.Object, hproftest.Ref("cen"))
	files := make([]*hproftest.Object, 200)
	for i := range files {
		files[i] = j.New(source).Set("cen", j.Bytes(make([]byte, 20_000)))
		j.Root(hprof.SubRootJNIGlobal, files[i])
	}
	assert.Contains(t, only(t, "big-retainer", detect(t, j)).Advice, "Those of the class path stay open")

	for stream, words := range map[string][2]string{"java.io.ObjectOutputStream": {"objs", "call reset() now and then"}, "java.io.ObjectInputStream": {"entries", "let it do so now and then"}} {
		j = hproftest.NewJDK(17, 8)
		table := j.Class(stream+"$HandleTable", j.Object, hproftest.Ref(words[0]))
		var objects []*hproftest.Object
		for range 300 {
			objects = append(objects, j.Bytes(make([]byte, 10_000)))
		}
		handles := j.New(table).Set(words[0], j.Array(j.Objects, objects...))
		j.Class("com.acme.Link", j.Object).Static("PEER", j.New(j.Class(stream, j.Object, hproftest.Ref("handles"))).Set("handles", handles))
		f = only(t, "big-retainer", detect(t, j))
		assert.Contains(t, f.Advice, words[1])
		assert.Contains(t, f.Title, "java.lang.Object[] of static field Link.PEER retains")
	}
}

// TestHookOfProgram has a map that a shutdown hook of the program's refers to: that the JDK keeps the
// hook is nothing to undo.
func TestHookOfProgram(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	hook := j.Class("com.acme.Stop", j.Thread, hproftest.Ref("orders"))
	orders := hashMap(j, j.Class("com.acme.Order", j.Object, hproftest.Ref("data")), 2000)
	j.Class("java.lang.ApplicationShutdownHooks", j.Object).Static("hooks", j.Array(j.Objects, j.New(hook).Set("orders", orders)))
	j.StickyClasses()
	assert.Contains(t, only(t, "growing-collection", detect(t, j)).Advice, "remove entries from field Stop.orders")
}

// TestBigGroupInCollection has objects that a map and somebody else share: the map is what fills up.
func TestBigGroupInCollection(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	meter := j.Class("com.acme.Meter", j.Object, hproftest.Ref("data"))
	node := j.Class("java.util.HashMap$Node", j.Object, hproftest.Ref("value"))
	holder := j.Class("com.acme.Reporter", j.Object, hproftest.Ref("current"))
	var nodes, reporters []*hproftest.Object
	for range 2000 {
		m := j.New(meter).Set("data", j.Bytes(make([]byte, 2000)))
		nodes = append(nodes, j.New(node).Set("value", m))
		reporters = append(reporters, j.New(holder).Set("current", m))
	}
	class := j.Class("java.util.HashMap", j.Object, hproftest.Ref("table"), hproftest.Int("size"))
	j.Class("com.acme.Meters", j.Object).Static("BY_NAME", j.New(class).Set("table", j.Array(j.Objects, nodes...)).Set("size", int32(2000)))
	far := j.New(holder).Set("current", j.New(holder).Set("current", j.Array(j.Objects, reporters...)))
	j.Class("com.acme.Reporters", j.Object).Static("ALL", far)
	f := only(t, "big-retainer", detect(t, j))
	assert.Contains(t, f.Title, "2,000 com.acme.Meter retain")
	assert.Equal(t, "com.acme.Meters", f.Culprit.Class)
	assert.Contains(t, f.Summary, "lies HashMap with 2,000 elements. It is held by static field Meters.BY_NAME.")
	assert.Contains(t, f.Advice, "remove entries from static field Meters.BY_NAME")
}

// TestPartOfRetainer names the collection that an object with much below it has.
func TestPartOfRetainer(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	entity := j.Class("com.acme.Entity", j.Object, hproftest.Ref("data"))
	session := j.Class("com.acme.Session", j.Object, hproftest.Ref("byKey"), hproftest.Ref("snapshots"))
	var snapshots []*hproftest.Object
	for range 400 {
		snapshots = append(snapshots, j.Bytes(make([]byte, 10_000)))
	}
	j.Class("com.acme.Import", j.Object).Static("SESSION", j.New(session).Set("byKey", hashMap(j, entity, 1500)).Set("snapshots", j.Array(j.Objects, snapshots...)))
	f := only(t, "big-retainer", detect(t, j))
	assert.Contains(t, f.Title, "com.acme.Session retains")
	assert.Contains(t, f.Summary, "A part of it is HashMap with 1,500 elements of com.acme.Entity.")
}

// TestCleanersToldOnce has actions that wait behind a stuck one and retain much, which two refer to:
// the verdict on the thread stands alone.
func TestCleanersToldOnce(t *testing.T) {
	j := hproftest.NewJDK(21, 8)
	release := j.Class("com.acme.Release", j.Object, hproftest.Ref("data"))
	cleaner := j.Cleaner()
	j.Root(hprof.SubRootJNIGlobal, cleaner)
	var cleanables []*hproftest.Object
	for range 1500 {
		cleanables = append(cleanables, j.Cleanable(cleaner, j.New(j.Object), j.New(release).Set("data", j.Bytes(make([]byte, 1000))), hproftest.Enqueued))
	}
	j.Root(hprof.SubRootJNIGlobal, j.Array(j.Objects, cleanables...))
	at := j.Cleanable(cleaner, j.New(j.Object), j.New(release), hproftest.InProcessing)
	thread := j.CleanerThread(cleaner, at, hproftest.Frame{Class: release, Method: "run", Line: 12})
	j.Park(thread, j.Lock(nil))
	oome := j.Class("java.lang.OutOfMemoryError", j.Object)
	j.NewThread(j.Thread, "main", hproftest.Frame{Class: oome, Method: "<init>"})
	found := detect(t, j)
	require.NotEmpty(t, found)
	assert.Equal(t, "cleaner-backlog", found[0].Kind)
	assert.Empty(t, byKind("big-retainer", found))
}

// TestTakerInCall has a queue in a static field, and a thread that is to take from it in a call of what has it.
func TestTakerInCall(t *testing.T) {
	summary := func(method, library string, threads int) string {
		j := hproftest.NewJDK(17, 8)
		mailbox := j.Class("com.acme.Mailbox", j.Object, hproftest.Ref("letters"))
		letters := arrayQueue(j, 2000)
		inner := letters
		subscription := j.Class("java.util.concurrent.SubmissionPublisher$BufferedSubscription", j.Object, hproftest.Ref("queue"))
		if library != "" {
			inner = j.New(subscription).Set("queue", letters)
		}
		box := j.New(mailbox).Set("letters", inner)
		j.Class("com.acme.Post", j.Object).Static("BOX", box)
		for range threads {
			frames := []hproftest.Frame{
				{Class: j.Class("com.acme.Mailer", j.Object), Method: "send", Line: 7},
				{Class: mailbox, Method: method, Line: 8, Locals: []*hproftest.Object{box}},
			}
			if library != "" {
				frames[1] = hproftest.Frame{Class: subscription, Method: "consume", Locals: []*hproftest.Object{inner}}
			}
			j.SetThread(j.NewThread(j.Thread, "post", frames...), 5, true, hproftest.Parked)
		}
		return only(t, "growing-collection", detect(t, j)).Summary
	}
	const told = `Thread "post" is in Mailer.send. It waits without a time limit`
	assert.Contains(t, summary("run", "", 1), told)
	assert.Contains(t, summary("run", "BufferedSubscription", 1), told)
	assert.NotContains(t, summary("main", "", 1), "Mailer.send", "it started the program")
	assert.NotContains(t, summary("run", "", 2), "Mailer.send", "one of them may be at work")
}

// TestTakerOfTheJDK has events that wait for the thread of AWT: all of the way to them is the JDK's.
func TestTakerOfTheJDK(t *testing.T) {
	j := hproftest.NewJDK(17, 8)
	events := j.Class("java.awt.EventQueue", j.Object, hproftest.Ref("queue"))
	dispatcher := j.Class("java.awt.EventDispatchThread", j.Thread, hproftest.Ref("theQueue"))
	queue := j.New(events).Set("queue", arrayQueue(j, 2000))
	thread := j.NewThread(dispatcher, "AWT-EventQueue-0",
		hproftest.Frame{Class: j.Class("com.acme.Blotter", j.Object), Method: "load", Line: 7},
		hproftest.Frame{Class: events, Method: "dispatchEvent"}).Set("theQueue", queue)
	j.SetThread(thread, 5, true, hproftest.Parked)
	f := only(t, "growing-collection", detect(t, j))
	assert.Contains(t, f.Summary, "That thread is in Blotter.load. It waits without a time limit")
}

// TestQueueInOrder has timers of a job: who takes from their queue does so when they are due.
func TestQueueInOrder(t *testing.T) {
	for class, advice := range map[string]string{"HeapPriorityQueueSet": "comes out in its order", "EventQueue": "does not keep up, or has ended"} {
		j := hproftest.NewJDK(17, 8)
		timers := make([]*hproftest.Object, 300)
		for i := range timers {
			timers[i] = j.Bytes(make([]byte, 10_000))
		}
		queue := j.New(j.Class("com.acme."+class, j.Object, hproftest.Ref("queue"))).Set("queue", j.Array(j.Objects, timers...))
		j.Class("com.acme.Job", j.Object).Static("TIMERS", queue)
		assert.Contains(t, only(t, "big-retainer", detect(t, j)).Advice, advice, class)
	}
}
